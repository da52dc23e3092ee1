//! Messages that pass through a filter of the embedder's on their way.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::addr::Multiaddr;
use crate::driver::BoxFuture;
use crate::driver::link::Link;
use crate::driver::transport::{Dial, DialError, Incoming, Transport};
use crate::id::NodeId;

/// Sees every message of a [`Filtered`] transport, encoded, and decides what goes on in its place:
/// the message itself, others, or nothing.
///
/// It is called on the tasks of the links, of several at once. A message waits for it, and with
/// the message its link: it should not block. The node counts what it has sent and received
/// itself, which is what comes before [`sent`](Self::sent) and after
/// [`received`](Self::received).
pub trait Filter: Send + Sync + 'static {
    /// What is sent to `peer` in place of this message, in that order. One beyond
    /// [`contract::MESSAGE_BYTES`](crate::contract::MESSAGE_BYTES) makes the peer end the link.
    fn sent(&self, peer: NodeId, message: Bytes) -> Vec<Bytes> {
        let _ = peer;
        vec![message]
    }

    /// What the node is given in place of this message from `peer`, in that order.
    fn received(&self, peer: NodeId, message: Bytes) -> Vec<Bytes> {
        let _ = peer;
        vec![message]
    }
}

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
/// let handle = Driver::new(node).transport(Filtered::new(tcp, lossy)).spawn();
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

impl<F: Filter + ?Sized> Filter for Arc<F> {
    fn sent(&self, peer: NodeId, message: Bytes) -> Vec<Bytes> {
        (**self).sent(peer, message)
    }

    fn received(&self, peer: NodeId, message: Bytes) -> Vec<Bytes> {
        (**self).received(peer, message)
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

/// The filters of one link, the outermost last.
#[derive(Clone, Default)]
pub(super) struct Filters(pub(super) Vec<Arc<dyn Filter>>);

impl fmt::Debug for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} filters", self.0.len())
    }
}

impl Filters {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn sent(&self, peer: NodeId, message: Bytes) -> Vec<Bytes> {
        let outside_in = self.0.iter().rev();
        outside_in.fold(vec![message], |messages, filter| {
            let passed = messages.into_iter().map(|m| filter.sent(peer, m));
            passed.flatten().collect()
        })
    }

    pub(super) fn received(&self, peer: NodeId, message: Bytes) -> Vec<Bytes> {
        self.0.iter().fold(vec![message], |messages, filter| {
            let passed = messages.into_iter().map(|m| filter.received(peer, m));
            passed.flatten().collect()
        })
    }
}
