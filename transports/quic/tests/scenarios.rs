//! The scenarios that every transport passes.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use peer_exchange_quic::{Options, Quic};
use peer_exchange_scenarios::{Kind, scenarios};
use peer_exchange_tls::{HandshakeStats, Tls};

struct OverQuic;

impl Kind for OverQuic {
    type Transport = Quic;

    fn bind(at: SocketAddr, tls: Tls) -> io::Result<Quic> {
        let mut options = Options::default();
        // A crash shows by silence alone.
        options.keep_alive = Duration::from_secs(1);
        options.idle_timeout = Duration::from_secs(5);
        Quic::bind(&[at], tls, options)
    }

    fn socket(quic: &Quic) -> SocketAddr {
        quic.local_addresses()[0]
    }

    fn suffix(port: u16) -> String {
        format!("/udp/{port}/quic-v1")
    }

    fn stats(quic: &Quic) -> HandshakeStats {
        quic.stats()
    }
}

scenarios!(OverQuic);
