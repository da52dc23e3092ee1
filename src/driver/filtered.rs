//! A transport behind a filter.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

use crate::addr::Multiaddr;
use crate::driver::filter::Filter;
use crate::driver::future::BoxFuture;
use crate::driver::link::Link;
use crate::driver::transport::{Dial, DialError, Incoming, Transport};

/// A transport that shows the messages of all of its links to a [`Filter`]: to trace them, to
/// inject faults, or to play a node of another version.
///
/// Give an [`Arc`] as the transport, or as the filter, to keep one's own hand on it. Several filters
/// may lie around one transport; the outermost is next to the node.
///
/// ```no_run
/// # use std::sync::atomic::{AtomicU64, Ordering};
/// # use peer_exchange::{Driver, Node, NodeId, Transport};
/// # use peer_exchange::driver::{Filter, Filtered};
/// # use bytes::Bytes;
/// /// Loses every tenth message that it is given to send.
/// struct Lossy(AtomicU64);
///
/// impl Filter for Lossy {
///     fn sent(&self, _: NodeId, message: Bytes) -> Vec<Bytes> {
///         match self.0.fetch_add(1, Ordering::Relaxed) % 10 {
///             9 => vec![],
///             _ => vec![message],
///         }
///     }
/// }
///
/// # fn example(node: Node, tcp: impl Transport) {
/// let lossy = Lossy(AtomicU64::new(0));
/// let handle = Driver::new(node).with_transport(Filtered::new(tcp, lossy)).spawn();
/// # }
/// ```
pub struct Filtered<T> {
    transport: T,
    filter: Arc<dyn Filter>,
}

impl<T> Filtered<T> {
    /// This transport, behind this filter.
    pub fn new(transport: T, filter: impl Filter) -> Self {
        Self {
            transport,
            filter: Arc::new(filter),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Filtered<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filtered({:?})", self.transport)
    }
}

impl<T: Transport> Transport for Filtered<T> {
    fn handles(&self, address: &Multiaddr) -> bool {
        self.transport.handles(address)
    }

    fn listen(&self, incoming: Incoming) {
        let filter = self.filter.clone();
        self.transport.listen(incoming.filtered(filter));
    }

    fn dial(&self, dial: Dial) -> BoxFuture<Result<Link, DialError>> {
        let (dialling, filter) = (self.transport.dial(dial), self.filter.clone());
        Box::pin(async move { Ok(dialling.await?.filtered([filter])) })
    }

    fn close(&self) -> BoxFuture<()> {
        self.transport.close()
    }
}
