//! The transport as its tests and benches use it.

use std::io;
use std::net::SocketAddr;

use peer_exchange_scenarios::{Kind, Plan};
use peer_exchange_tcp::{Options, Tcp};
use peer_exchange_tls::HandshakeStats;

pub(crate) struct OverTcp;

impl Kind for OverTcp {
    type Transport = Tcp;

    fn bind(plan: &Plan) -> io::Result<Tcp> {
        Tcp::bind(&plan.listen, plan.tls(), Options::default())
    }

    fn sockets(tcp: &Tcp) -> &[SocketAddr] {
        tcp.local_addresses()
    }

    fn suffix(port: u16) -> String {
        format!("/tcp/{port}")
    }

    fn stats(tcp: &Tcp) -> HandshakeStats {
        tcp.stats()
    }
}
