//! The transport as its tests, benches and examples use it.

use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;

use peer_exchange_scenarios::{Kind, Plan};
use peer_exchange_tcp::{Options, Tcp};
use peer_exchange_tls::HandshakeStats;

/// With options of its own.
pub(crate) trait Tuned: Send + Sync + 'static {
    fn options() -> Options;
}

/// The transport with these options.
pub(crate) struct Over<O>(PhantomData<O>);

/// As the scenarios run it.
pub(crate) struct Usual;

#[allow(
    dead_code,
    reason = "not everybody who shares this file runs the scenarios"
)]
pub(crate) type OverTcp = Over<Usual>;

impl Tuned for Usual {
    fn options() -> Options {
        Options::default()
    }
}

impl<O: Tuned> Kind for Over<O> {
    type Transport = Tcp;

    fn bind(plan: &Plan) -> io::Result<Tcp> {
        Tcp::bind(&plan.listen, plan.tls(), O::options())
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
