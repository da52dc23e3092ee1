//! Messages that pass through a filter of the embedder's on their way.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::id::NodeId;

/// Sees every message of a [`Filtered`](crate::driver::Filtered) transport, encoded, and decides what goes on in its place:
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

impl<F: Filter + ?Sized> Filter for Arc<F> {
    fn sent(&self, peer: NodeId, message: Bytes) -> Vec<Bytes> {
        (**self).sent(peer, message)
    }

    fn received(&self, peer: NodeId, message: Bytes) -> Vec<Bytes> {
        (**self).received(peer, message)
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
