//! What an idle link over TCP costs: `cargo run --release --example tcp_idle_links -- 500`.

use std::io;
use std::net::SocketAddr;

use peer_exchange_scenarios::{Kind, idle};
use peer_exchange_tcp::{Options, Tcp};
use peer_exchange_tls::{HandshakeStats, Tls};

struct OverTcp;

impl Kind for OverTcp {
    type Transport = Tcp;

    fn bind(at: SocketAddr, tls: Tls) -> io::Result<Tcp> {
        Tcp::bind(&[at], tls, Options::default())
    }

    fn socket(tcp: &Tcp) -> SocketAddr {
        tcp.local_addresses()[0]
    }

    fn suffix(port: u16) -> String {
        format!("/tcp/{port}")
    }

    fn stats(tcp: &Tcp) -> HandshakeStats {
        tcp.stats()
    }
}

#[tokio::main]
async fn main() {
    let links = std::env::args().nth(1).and_then(|n| n.parse().ok());
    idle::measure::<OverTcp>(links.unwrap_or(500)).await;
}
