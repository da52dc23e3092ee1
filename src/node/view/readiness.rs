//! Whether a node is of use to whoever asks it: a cluster, the first of one, or cut off (R37).

use alloc::vec::Vec;

use crate::node::Node;
use crate::node::state::upstreams::Upstream;

/// How a node stands to its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Readiness {
    /// It is linked to somebody, or was within the last ten seconds.
    Ready,
    /// It has met nobody since its start: it has no upstreams, or each was silent, or led to this
    /// node itself, for ten seconds. The first node of a cluster has to be of use in this state where
    /// others are let through to those that are.
    Alone,
    /// It has met nobody, and its upstreams have not been tried for long enough.
    Waiting,
    /// It was linked, knows of others, and is linked to none: it is cut off from them.
    Island,
}

impl Readiness {
    /// Whether it is of use to others: [`Ready`](Self::Ready) or [`Alone`](Self::Alone).
    #[must_use]
    pub const fn is_ready(self) -> bool {
        matches!(self, Self::Ready | Self::Alone)
    }
}

/// A node's readiness, and what it follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadinessView {
    /// The verdict.
    pub state: Readiness,
    /// Nodes linked with this one.
    pub linked: usize,
    /// Live nodes that are known, linked or not.
    pub known: usize,
    /// Configured upstreams.
    pub upstreams: usize,
    /// Of these, how many led to this node itself when dialled last.
    pub itself: usize,
    /// An upstream has led to this node itself at least five times in a row, and no upstream to
    /// another node: see [`Event::UpstreamIsItself`](crate::Event::UpstreamIsItself).
    pub only_itself: bool,
}

impl Node {
    /// Whether this node is part of a cluster, alone, still looking, or cut off.
    #[must_use]
    pub fn readiness(&self) -> ReadinessView {
        let (base, now) = (&self.base, self.base.cx.now);
        let upstreams: Vec<&Upstream> = base.upstreams.iter().collect();
        let itself = |u: &&&Upstream| u.times_itself() > 0;
        let elsewhere = upstreams.iter().any(|u| u.node().is_some());
        let known = self.peer_count();
        let state = if base.contact.is_there(now) {
            Readiness::Ready
        } else if base.contact.was_ever() && known > 0 {
            Readiness::Island
        } else if upstreams.iter().all(|u| u.is_silent(now)) {
            Readiness::Alone
        } else {
            Readiness::Waiting
        };
        ReadinessView {
            state,
            linked: base.links.nodes_greeted(),
            known,
            upstreams: upstreams.len(),
            itself: upstreams.iter().filter(itself).count(),
            only_itself: !elsewhere && upstreams.iter().any(|u| u.is_only_itself()),
        }
    }
}
