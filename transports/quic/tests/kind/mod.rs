//! The transport as its tests and benches use it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use peer_exchange_quic::{Options, Quic};
use peer_exchange_scenarios::{Kind, Plan};
use peer_exchange_tls::HandshakeStats;

pub(crate) struct OverQuic;

impl Kind for OverQuic {
    type Transport = Quic;

    fn bind(plan: &Plan) -> io::Result<Quic> {
        let mut options = Options::default();
        // A crash shows by silence alone.
        options.keep_alive = Duration::from_secs(1);
        options.idle_timeout = Duration::from_secs(5);
        Quic::bind(&plan.listen, plan.tls(), options)
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
