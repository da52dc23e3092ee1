//! Composing: what a request shows, and what an answer tells (R2, R5, R15, R27).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::id::{LinkId, NodeId, RequestId};
use crate::limits::caps::{self, PAGE_BYTES};
use crate::node::base::Base;
use crate::node::state::links::LinkState;
use crate::record::Sequence;
use crate::rng;
use crate::sketch::{self, Plan, Strata};
use crate::table::{Entry, Listed, Slot};
use crate::wire::{
    Brief, Content, Cursor, Delta, Digest, Records, Refusals, RefusalsBuilder, Request,
    ShortIdScheme, Walk,
};

/// Records that go along with a request or an answer instead of being announced.
const FEW: usize = 6;
/// A smaller table than this is announced: a sketch would save little.
const SKETCHED: usize = 64;
/// An asker with less than a sixteenth of what there is gets records, not their short IDs.
const KNOWS_LITTLE: u64 = 16;

/// Whether so many records are sent rather than announced: they are few, or the other end lacks
/// nearly all of them.
pub(crate) fn goes_as_records(theirs: u32, n: usize) -> bool {
    n <= FEW || knows_little(theirs, n)
}

fn knows_little(theirs: u32, n: usize) -> bool {
    u64::from(theirs) * KNOWS_LITTLE <= n as u64
}

/// Requests.
impl Base {
    /// A request for what is new; with a walk, a forwarded one. `None` where one is under way.
    pub(crate) fn pull_request(
        &mut self,
        link: LinkId,
        id: RequestId,
        hop_limit: u8,
        walk: Option<Walk>,
    ) -> Option<Request> {
        let l = self.links.get(link).filter(|l| l.is_idle())?;
        let (node, epoch) = (l.node(), l.epoch());
        let met = self.peers.acked(&node, epoch) > 0;
        if walk.is_none() && met && !l.asks_in_full() && self.is_at_rest(&node) {
            let state = self.state_with(self.own.sequence(), self.own.check());
            let brief = Some(Brief::new(state, self.table.version()));
            let all = self.fetch_request(id);
            return Some(Request {
                brief,
                own: Sequence::default(),
                own_check: 0,
                ..all
            });
        }
        Some(Request {
            hop_limit,
            walk,
            digest: self.digest(),
            cursor: self.peers.cursor(&node, epoch),
            push: self.small_push(&node, epoch),
            overdue: self.overdue(),
            strata: self.strata_for(&node),
            plain: self.pace.wants_plain(),
            ..self.fetch_request(id)
        })
    }

    /// A request for certain records, which are still to be named.
    pub(crate) fn fetch_request(&self, id: RequestId) -> Request {
        Request {
            id,
            brief: None,
            hop_limit: 0,
            walk: None,
            digest: Digest::default(),
            cursor: None,
            own: self.own.sequence(),
            own_check: self.own.check(),
            push: None,
            want: None,
            fetch: Bytes::new(),
            overdue: Bytes::new(),
            strata: Bytes::new(),
            plain: false,
        }
    }

    /// Beside the digest, while much may be new, or to an upstream that has not been heard; without
    /// it an answer assumes that little is.
    fn strata_for(&self, node: &NodeId) -> Bytes {
        if self.is_hot(node) && self.table.len() >= SKETCHED {
            self.table.strata().to_bytes().into()
        } else {
            Bytes::new()
        }
    }

    /// Much may be new, or this is an upstream that has not been heard.
    fn is_hot(&self, node: &NodeId) -> bool {
        self.pace.is_fast(&self.cx.config)
            || self.pace.last_was_untold()
            || !self.upstreams.is_synced(node)
    }

    /// Nothing is to be told or asked but whether the tables are the same (R45).
    fn is_at_rest(&self, node: &NodeId) -> bool {
        !self.is_hot(node)
            && !self.table.is_crowded()
            && self.own.is_published()
            && self.table.shortest_overdue().is_none()
    }

    /// What a brief request says of a table like this one, of an asker whose record is that.
    pub(crate) fn state_with(&self, own: Sequence, check: u16) -> u64 {
        rng::state_hash(self.table.fingerprint(), own, check)
    }

    /// A few changes for this peer that can go along with a request.
    fn small_push(&self, node: &NodeId, epoch: Option<u64>) -> Option<Delta> {
        let from = self.peers.acked(node, epoch);
        // A peer that has not yet said what it knows may know all of it: it gets one record, if
        // that is all there is.
        let few = if from == 0 { 1 } else { FEW };
        if self.table.count_since(from, few + 1) > few {
            return if from == 0 { self.own_push() } else { None };
        }
        let listed = self.table.since(from);
        let (records, to) = self
            .table
            .page_to(self.cx.now, &listed, Some(node), PAGE_BYTES);
        (!records.is_empty()).then_some(Delta {
            from,
            to,
            content: Content::Records(records),
        })
    }

    /// In a crowded cluster everybody brings the own record along: others' samples may leave it
    /// out.
    fn own_push(&self) -> Option<Delta> {
        if !self.table.is_crowded() {
            return None;
        }
        let records = self.own_page();
        (!records.is_empty()).then_some(Delta::unlogged(records))
    }

    /// The own record alone.
    pub(crate) fn own_page(&self) -> Records {
        let own: Vec<Slot> = self.table.find(&self.cx.id).into_iter().collect();
        self.table.page(self.cx.now, &own, None, PAGE_BYTES).0
    }

    /// Nodes whose renewal has not come by.
    fn overdue(&mut self) -> Bytes {
        let prefixes = self.table.overdue(caps::OVERDUE, &mut self.cx.choices);
        let bytes: Vec<_> = prefixes.into_iter().flat_map(|p| p.0).collect();
        bytes.into()
    }
}

/// Answers.
impl Base {
    /// What the asker lacks, as far as its cursor tells. `before`: the version of the log before
    /// what came with the request.
    pub(crate) fn delta_for(&mut self, node: &NodeId, request: &Request, before: u64) -> Delta {
        let epoch = self.cx.epoch;
        let good = |c: &Cursor| c.epoch == epoch && c.version <= self.table.version();
        let cursor = request.cursor.filter(good).map(|c| c.version);
        let Some(from) = cursor else {
            return self.set_or_changes(0, request, node);
        };
        let current = from >= before;
        let into = self.peers.cursor(node, None);
        let in_step = current && into.is_some_and(|c| c.version >= request.digest.version);
        if in_step && !request.digest.partial && !self.table.is_crowded() {
            // Both cursors are current and yet the sets differ: a push was lost (R15).
            return self.set_or_changes(0, request, node);
        }
        self.set_or_changes(from, request, node)
    }

    /// A sketch of the table where that is shorter than its changes after `from`, which it covers.
    fn set_or_changes(&mut self, from: u64, request: &Request, node: &NodeId) -> Delta {
        let theirs = &request.digest;
        let ours = self.table.len();
        let small = (theirs.count as usize) < SKETCHED;
        let partial = theirs.partial || self.table.is_crowded();
        let takes = self
            .links
            .link_of(node)
            .is_some_and(LinkState::takes_sketches);
        let plain = request.plain || small || partial || !takes;
        if plain || knows_little(theirs.count, ours) {
            return self.changes(from, theirs, node);
        }
        let counted = ours.abs_diff(theirs.count as usize);
        let estimated = match Strata::from_bytes(&request.strata) {
            Some(strata) => strata.differences(self.table.strata()),
            // In quiet times little differs.
            None => Some(counted + FEW),
        };
        let plan = estimated.map(|n| Plan::of(n.max(counted)));
        let width = self.table.short_width(theirs.count);
        let announced = self.table.count_since(from, ours) * width;
        match plan {
            Some(plan) if plan.byte_len() * 4 < announced * 3 && plan.parts <= sketch::PARTS => {
                let salt = self.cx.next_salt();
                Delta {
                    from: 0,
                    to: self.table.version(),
                    content: Content::Sketch(self.table.sketch(salt, plan)),
                }
            }
            _ => self.changes(from, theirs, node),
        }
    }

    /// The changes after `from`: as records where they are few or the other end knows little,
    /// otherwise announced; to a full table, a sample.
    pub(crate) fn changes(&mut self, from: u64, theirs: &Digest, node: &NodeId) -> Delta {
        let sampled = theirs.partial && self.takes_names(node);
        let listed = if sampled {
            self.table.sample_since(from, &mut self.cx.choices)
        } else {
            self.table.since(from)
        };
        let n = listed.slots.len();
        if n <= FEW || (!sampled && knows_little(theirs.count, n)) {
            let (records, to) = self
                .table
                .page_to(self.cx.now, &listed, Some(node), PAGE_BYTES);
            let content = Content::Records(records);
            return Delta { from, to, content };
        }
        if sampled {
            let content = Content::Nodes(self.table.nodes(&listed.slots));
            let to = listed.to;
            return Delta { from, to, content };
        }
        let width = self.table.short_width(theirs.count);
        let scheme = ShortIdScheme::plain(self.cx.next_salt(), width);
        let (content, to) = self.announcement(&listed, scheme);
        Delta { from, to, content }
    }

    /// As much of it as fits, announced, and the version of the log that this reaches to.
    pub(crate) fn announcement(&self, listed: &Listed, scheme: ShortIdScheme) -> (Content, u64) {
        let slots = &listed.slots;
        let most = PAGE_BYTES / scheme.width;
        let next = slots.get(most).and_then(|slot| self.table.get(*slot));
        let to = next.map_or(listed.to, |entry| entry.stamp - 1);
        let ids = self.table.announce(&slots[..slots.len().min(most)], scheme);
        (Content::Announced(ids), to)
    }

    /// A random few, the reachable first.
    pub(crate) fn sample(&mut self, most: usize, except: &NodeId) -> Records {
        let mut slots: BTreeSet<Slot> = BTreeSet::new();
        for reachable in [true, false] {
            for _ in 0..2 * most {
                if slots.len() >= most {
                    break;
                }
                slots.extend(self.table.random(&mut self.cx.choices, |_, e| {
                    !e.is_tombstone() && e.node != *except && (e.is_reachable() || !reachable)
                }));
            }
        }
        let slots: Vec<_> = slots.into_iter().collect();
        self.table.page(self.cx.now, &slots, None, PAGE_BYTES).0
    }

    /// The records that a fetch names.
    pub(crate) fn fetched_page(&self, request: &Request) -> Records {
        let wanted = request.want.as_ref().map(|w| self.table.wanted(w));
        let mut slots = wanted.unwrap_or_default();
        slots.extend(self.table.by_prefix(&request.fetch));
        self.table.page(self.cx.now, &slots, None, PAGE_BYTES).0
    }

    /// What this node knows of the asker that is above what the asker showed (R5).
    pub(crate) fn refusals_about(&self, node: &NodeId, shown: Sequence, check: u16) -> Refusals {
        let mut about = RefusalsBuilder::default();
        if let Some(entry) = self.table.lookup(node) {
            let other = rng::body_check(entry.body()) != check || self.lacks_signature(entry);
            if entry.sequence() > shown || (entry.sequence() == shown && other) {
                about.push(node, entry.sequence());
            }
        } else if let Some(dead) = self.table.certificate(node).filter(|dead| *dead >= shown) {
            about.push(node, dead);
        }
        about.finish()
    }

    /// Whether this record is one that its node has signed meanwhile: of its last life, or from a
    /// relay that does not sign. The next version brings the signature (R50).
    pub(crate) fn lacks_signature(&self, entry: &Entry) -> bool {
        let signs = |node| self.links.link_of(node).is_some_and(LinkState::signs);
        !self.sealer.is_off() && !entry.is_signed() && signs(&entry.node)
    }

    /// Of what the asker calls overdue, what has been renewed.
    pub(crate) fn renewed_page(&self, overdue: &[u8]) -> Records {
        let slots = self.table.renewed(self.cx.now, overdue);
        let page = self
            .table
            .page(self.cx.now, &slots, None, caps::RENEWED_BYTES);
        page.0
    }
}
