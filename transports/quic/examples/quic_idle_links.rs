//! What an idle link over QUIC costs: `cargo run --release --example quic_idle_links -- 500`.

use std::io;
use std::net::SocketAddr;

use peer_exchange_quic::{Options, Quic};
use peer_exchange_scenarios::{Kind, Plan, idle};
use peer_exchange_tls::HandshakeStats;

struct OverQuic;

impl Kind for OverQuic {
    type Transport = Quic;

    fn bind(plan: &Plan) -> io::Result<Quic> {
        Quic::bind(&plan.listen, plan.tls(), Options::default())
    }

    fn sockets(quic: &Quic) -> &[SocketAddr] {
        quic.local_addresses()
    }

    fn suffix(port: u16) -> String {
        format!("/udp/{port}/quic-v1")
    }

    fn stats(quic: &Quic) -> HandshakeStats {
        quic.stats()
    }
}

#[tokio::main]
async fn main() {
    let links = std::env::args().nth(1).and_then(|n| n.parse().ok());
    idle::measure::<OverQuic>(links.unwrap_or(500)).await;
}
