//! Both transports as one, for upstreams whose entry names none: what is blocked over the first is
//! open over the other, as often as not (R32).

use peer_exchange::Multiaddr;
use peer_exchange::driver::{BoxFuture, Dial, DialError, Incoming, Link, Transport, staggered};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// The other transport is tried when the first has not answered by then (RFC 8305, section 8).
const STAGGER: Duration = Duration::from_millis(250);

/// Where an upstream is found over the other transport; shared with whoever resolves upstreams.
#[derive(Clone, Default)]
pub(crate) struct OtherWays(Arc<RwLock<BTreeMap<Multiaddr, Multiaddr>>>);

impl OtherWays {
    pub(crate) fn set(&self, ways: BTreeMap<Multiaddr, Multiaddr>) {
        // A panic elsewhere leaves the map whole.
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = ways;
    }

    /// Where it is found over the other transport, if it may be tried.
    pub(crate) fn of(&self, address: &Multiaddr) -> Option<Multiaddr> {
        let ways = self.0.read().unwrap_or_else(PoisonError::into_inner);
        ways.get(address).cloned()
    }
}

/// The transports of the agent, which dial an upstream over both.
pub(crate) struct Either {
    transports: Vec<Arc<dyn Transport>>,
    ways: OtherWays,
}

impl Either {
    pub(crate) fn new(transports: Vec<Arc<dyn Transport>>, ways: OtherWays) -> Self {
        Self { transports, ways }
    }

    fn one(&self, dial: Dial) -> BoxFuture<Result<Link, DialError>> {
        let mut transports = self.transports.iter();
        match transports.find(|t| t.handles(&dial.address)) {
            Some(transport) => transport.dial(dial),
            None => Box::pin(async { Err(DialError::Unsupported) }),
        }
    }
}

impl Transport for Either {
    fn handles(&self, address: &Multiaddr) -> bool {
        self.transports.iter().any(|t| t.handles(address))
    }

    fn listen(&self, incoming: Incoming) {
        for transport in &self.transports {
            transport.listen(incoming.clone());
        }
    }

    fn dial(&self, dial: Dial) -> BoxFuture<Result<Link, DialError>> {
        let upstream = dial.node.is_none();
        let Some(address) = self.ways.of(&dial.address).filter(|_| upstream) else {
            return self.one(dial);
        };
        let mut other = dial.clone();
        other.address = address;
        let attempts = [self.one(dial), self.one(other)];
        Box::pin(async move {
            let outcome = staggered(attempts, STAGGER).await;
            outcome.unwrap_or(Err(DialError::GivenUp))
        })
    }

    fn close(&self) -> BoxFuture<()> {
        let closing: Vec<_> = self.transports.iter().map(|t| t.close()).collect();
        Box::pin(async move {
            for closing in closing {
                closing.await;
            }
        })
    }
}
