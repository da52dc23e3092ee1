//! The scenarios that every transport passes.

use std::io;
use std::net::SocketAddr;

use peer_exchange_scenarios::{Kind, scenarios};
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

scenarios!(OverTcp);
