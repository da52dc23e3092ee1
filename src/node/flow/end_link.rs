//! A link ends: by its other end, by this node, or because the node leaves (R4, R17, R22).

use alloc::collections::BTreeSet;

use crate::effect::{CloseReason, Effect, Event};
use crate::id::{LinkId, NodeId};
use crate::node::Node;
use crate::node::outcome::Outcome;
use crate::node::state::links::LinkState;
use crate::node::timers::{SWEEP, Timer};
use crate::table::Way;
use crate::wire::{Goodbye, GoodbyeReason};

/// A link is given up after so many unanswered requests in a row, over at least the time-out.
const TIMEOUTS: u8 = 5;

impl Node {
    pub(crate) fn on_link_down(&mut self, id: LinkId, orderly: bool) {
        self.mirror_gone(id);
        self.read_last(id);
        if let Some(link) = self.base.links.remove(id) {
            self.link_gone(id, &link, !orderly);
        }
    }

    pub(crate) fn on_goodbye(&mut self, id: LinkId, node: NodeId, goodbye: Goodbye) {
        let base = &mut self.base;
        let config = &base.cx.config;
        let answered = base.upstreams.is_synced(&node);
        let wait = match goodbye.reason {
            // It was full before it could answer a first request: tried again soon.
            GoodbyeReason::Full if !answered => config.backoff_base,
            // Its wish is bounded: after weeks another node may be at that address.
            GoodbyeReason::Full => goodbye
                .retry_after
                .clamp(config.quiet_round, config.quiet_round * 10),
            GoodbyeReason::Misbehaviour
            | GoodbyeReason::Version
            | GoodbyeReason::OtherCluster
            | GoodbyeReason::SameKey => config.backoff_cap,
            _ => goodbye.retry_after.min(config.backoff_cap),
        };
        if !wait.is_zero() {
            let wait = base.cx.jitter(wait, 75);
            let until = base.cx.now + wait;
            base.leave_alone(node, until);
            if goodbye.reason == GoodbyeReason::SameKey {
                base.clones.refused(node, until, base.cx.now);
            }
        }
        self.close(id, CloseReason::Goodbye);
    }

    /// No answer in time: the node turns to others, and gives the link up when nothing comes for
    /// long. An answer that comes yet is merged (R14).
    pub(crate) fn on_request_timeout(&mut self, id: LinkId) {
        let base = &mut self.base;
        let Some(link) = base.links.get_mut(id) else {
            return;
        };
        let node = link.node();
        let Some(silence) = link.timed_out() else {
            return;
        };
        base.cx.stats.timeouts += 1;
        base.standing.doubt(node, base.cx.now);
        let lasted = base.cx.now.saturating_since(silence.since);
        if silence.timeouts >= TIMEOUTS && lasted >= base.cx.config.request_timeout {
            base.table.set_way(&node, Way::Unreachable);
            let retry_in = base.cx.config.backoff_base;
            base.cx.event(Event::PeerUnreachable { node, retry_in });
            self.close(id, CloseReason::Unresponsive);
        } else {
            self.exchange.answered(base, id, Outcome::Failed);
        }
    }

    /// Says goodbye and closes.
    pub(crate) fn goodbye(&mut self, id: LinkId, reason: GoodbyeReason, close: CloseReason) {
        self.base.send_goodbye(id, reason);
        self.close(id, close);
    }

    pub(crate) fn close(&mut self, id: LinkId, reason: CloseReason) {
        if let Some(link) = self.base.links.remove(id) {
            self.base.cx.effect(Effect::Close { link: id, reason });
            let failed = matches!(
                reason,
                CloseReason::Unresponsive | CloseReason::Misbehaviour
            );
            self.link_gone(id, &link, failed);
        }
    }

    fn link_gone(&mut self, id: LinkId, link: &LinkState, failed: bool) {
        let base = &mut self.base;
        self.checks.forget(id);
        base.own_addresses.link_gone(id);
        base.outbox.forget(id);
        // First, so that nothing that follows finds an exchange on a link that is no more.
        let interrupted = self.exchange.forget(base, id);
        let (node, now) = (link.node(), base.cx.now);
        if let Some(deadline) = link.deadline() {
            base.cx.timers.clear_request(id, deadline);
        }
        let lasted = link.has_lasted(now);
        base.peers.link_ended(node, link.round_trip(), lasted, now);
        base.peers.was_linked(node, link.age(now), now);
        if failed {
            base.peers.failed(node, &mut base.cx);
            base.standing.doubt(node, now);
            base.table.set_way(&node, Way::LinkLost);
        }
        if base.links.of(&node).is_none() {
            base.upstreams.link_gone(node, lasted, failed, &mut base.cx);
            base.schedule_redial();
        }
        if !base.links.any_greeted() {
            base.contact.lost(now);
        }
        self.detector.link_gone(base, id, &node, failed);
        // A node that is leaving starts no new exchange.
        if !self.over {
            base.standing_lost(&node);
            if interrupted {
                self.exchange.resume(base);
            }
        }
    }

    /// Closes what is unused, doubled or beyond the cap, and trusts what has lasted.
    pub(crate) fn sweep_links(&mut self) {
        let base = &mut self.base;
        let (now, idle) = (base.cx.now, base.cx.config.link_idle);
        let standing: BTreeSet<NodeId> = base.wanted().into_iter().map(|(_, n)| n).collect();
        let is_kept = |n: &NodeId| standing.contains(n) || base.upstreams.contains(n);
        let sweep = base.links.sweep(now, idle, is_kept);
        for node in sweep.lasted {
            base.peers.lasted(&node);
            base.upstreams.lasted(node);
        }
        for (id, goodbye, reason) in sweep.close {
            self.goodbye(id, goodbye, reason);
        }
        self.base.keep_standing();
    }

    /// The tombstone goes round the ring, then every link closes (R4).
    pub(crate) fn on_leave(&mut self) {
        if self.base.bury_own() {
            self.base.send_tombstone();
        }
        self.end(GoodbyeReason::Leaving);
    }

    pub(crate) fn on_shutdown(&mut self) {
        self.end(GoodbyeReason::Shutdown);
    }

    fn end(&mut self, reason: GoodbyeReason) {
        self.over = true;
        for link in self.base.links.ids() {
            self.goodbye(link, reason, CloseReason::Leaving);
        }
        for link in self.base.mirrors.take_all() {
            let reason = CloseReason::Leaving;
            self.base.cx.effect(Effect::Close { link, reason });
        }
        // Dials that the embedder has not taken yet would only lead to links that are closed.
        self.base.cx.drop_dials();
    }

    /// Housekeeping, every ten seconds.
    pub(crate) fn sweep(&mut self) {
        self.sweep_links();
        self.expire_dials();
        self.expire_mirrors();
        let base = &mut self.base;
        base.own_addresses.expire(&mut base.cx);
        base.prove_addresses();
        let now = base.cx.now;
        self.guard.bans.expire(now);
        self.exchange.walks.expire(now);
        self.exchange.late.expire(now);
        base.table.expire_downs(now);
        base.table.expire_beyond(now);
        base.hints.expire(now);
        let (links, upstreams) = (&base.links, &base.upstreams);
        base.table.relax(base.cx.now, &|node| {
            links.is_linked(node) || upstreams.contains(node)
        });
        base.cx.timers.set(Timer::Sweep, now + SWEEP);
    }
}
