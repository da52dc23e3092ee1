//! The transport as its tests, benches and examples use it.

use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::time::Duration;

use peer_exchange_quic::{Options, Quic};
use peer_exchange_scenarios::{Kind, Plan};
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
pub(crate) type OverQuic = Over<Usual>;

impl Tuned for Usual {
    fn options() -> Options {
        let mut options = Options::default();
        // A crash shows by silence alone.
        options.keep_alive = Duration::from_secs(1);
        options.idle_timeout = Duration::from_secs(5);
        options
    }
}

impl<O: Tuned> Kind for Over<O> {
    type Transport = Quic;

    fn bind(plan: &Plan) -> io::Result<Quic> {
        Quic::bind(&plan.listen, plan.tls(), O::options())
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
