//! Composing: what a request shows, and what an answer tells (R2, R5, R15, R27, R40).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::id::{LinkId, NodeId, RequestId};
use crate::limits::caps::{self, PAGE_BYTES};
use crate::node::base::Base;
use crate::node::state::links::{Form, LinkState};
use crate::record::Sequence;
use crate::rng;
use crate::sketch::{Plan, Strata};
use crate::table::{Differences, Entry, Slot};
use crate::wire::{
    Filter, Lacked, Picks, Records, Refusals, RefusalsBuilder, Request, Response, Shows, Walk,
};

/// A table of so many records is shown whole: a filter would not be much shorter.
const FEW: usize = 6;
/// A smaller table than this is shown by its filter: a sketch would save little.
const SKETCHED: usize = 64;
/// Requests of a node's life with which its record goes along on each link.
const YOUNG: u64 = 4;
/// The least that a record takes in a page, about: with more of them, a page is not all.
const LEAST_RECORD: usize = 24;

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
        let (node, form) = (l.node(), l.form());
        let mut request = Request::new(id);
        if walk.is_none() && form == Form::Usual && self.is_at_rest(&node) {
            request.state = Some(self.state_with(self.own.sequence(), self.own.check()));
            return Some(request);
        }
        request.hop_limit = if self.table.others() == 0 {
            hop_limit
        } else {
            walk.as_ref().map_or(0, |_| hop_limit)
        };
        request.walk = walk;
        request.shows = self.shows(id, form);
        request.overdue = self.overdue();
        request.count = self.table.len() as u32;
        if request.shows == Shows::All {
            let all = self.table.all();
            request.records = self
                .table
                .page(self.cx.now, &all, Some(&node), PAGE_BYTES)
                .0;
            if let Some(link) = self.links.get_mut(link) {
                link.introduce();
            }
        } else {
            // Later in its life it is one of many in the filter. [Its partners would take it for a joiner,
            // and tell all: halves of 256 that met again sent 76 updates a node.]
            // Where each link brings it (R44), most have it already.
            let young = self.table.len() < SKETCHED || self.cx.stats.requests_sent < YOUNG;
            let goes_along = young && !self.upstreams.are_several();
            let first = goes_along && self.links.get_mut(link).is_some_and(LinkState::introduce);
            // In a crowded cluster everybody brings the own record along: others' samples may leave
            // it out.
            if first || self.table.is_crowded() {
                request.records = self.own_page();
            }
        }
        if request.records.iter().all(|r| r.node != self.cx.id) {
            request.own = (self.own.sequence(), self.own.check());
        }
        Some(request)
    }

    /// How the own table is shown.
    fn shows(&self, id: RequestId, form: Form) -> Shows {
        let (table, salt) = (&self.table, id.salt());
        if table.is_crowded() {
            return Shows::Partial;
        }
        // Where each link brings both ends' own records, others have most of so few.
        if table.len() <= FEW && !self.upstreams.are_several() {
            return Shows::All;
        }
        if let Form::Differs(Some(differences)) = form {
            let plan = Plan::of(differences);
            if table.len() >= SKETCHED && plan.byte_len() < Filter::estimate(table.len()) / 2 {
                return Shows::Sketch(table.sketch(salt, plan));
            }
        }
        Shows::Filter(table.filter(salt))
    }

    /// Nothing is to be told or asked but whether the tables are the same (R45).
    fn is_at_rest(&self, node: &NodeId) -> bool {
        let little = || self.pace.gains_little(self.table.len()) && !self.knows_more(node);
        self.upstreams.is_synced(node)
            // Else they differ.
            && self.table.lookup(node).is_some()
            && !self.table.is_crowded()
            && self.own.is_published()
            && self.table.shortest_overdue().is_none()
            // That looks at every entry.
            && (!self.pace.is_fast(&self.cx.config) || little())
    }

    /// Whether this node has something that is not in the table, as far as is known.
    fn knows_more(&self, node: &NodeId) -> bool {
        let link = self.links.link_of(node);
        link.is_some_and(|l| l.records() > self.table.len()) || self.table.leads_out(node)
    }

    /// What a brief request says of a table like this one, of an asker whose record is that.
    pub(crate) fn state_with(&self, own: Sequence, check: u16) -> u64 {
        rng::state_hash(self.table.fingerprint(), own, check)
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
    /// What the asker lacks, and what this node does, as far as the request tells. `wants`: the latter
    /// matters. Returned is what the asker has that is not here, where it shows that in a filter.
    pub(crate) fn tell_differences(
        &mut self,
        request: &Request,
        node: &NodeId,
        wants: bool,
        response: &mut Response,
    ) -> Option<Lacked> {
        let differences = match &request.shows {
            Shows::Partial => {
                let some = self.table.some(&mut self.cx.choices);
                response.nodes = self.table.nodes(&some);
                return None;
            }
            Shows::All => {
                let mut only_ours = self.table.all_but(&request.records);
                // The one that it has and does not show.
                if request.count as usize > request.records.len() {
                    let own = self.table.find(&self.cx.id);
                    only_ours.retain(|slot| Some(*slot) != own);
                }
                Differences {
                    only_ours,
                    missing: Picks::default(),
                    complete: true,
                }
            }
            Shows::Filter(filter) => self.table.filtered(filter),
            Shows::Sketch(sketch) => self.table.differences(request.id.salt(), sketch),
        };
        let Differences {
            mut only_ours,
            missing,
            complete,
        } = differences;
        if only_ours.len() * LEAST_RECORD > PAGE_BYTES {
            // Not to all the same part.
            let at = self.cx.choices.below(only_ours.len());
            only_ours.rotate_left(at);
        }
        let (records, covered) = self
            .table
            .page(self.cx.now, &only_ours, Some(node), PAGE_BYTES);
        response.records = records;
        response.cut = !complete || covered < only_ours.len();
        let lacked = match &request.shows {
            Shows::Filter(filter) => Some(filter.lacked(&missing)),
            _ => None,
        };
        if wants && !response.partial {
            response.wants = missing;
        }
        lacked
    }

    /// What of the own table was wanted in the answer to a request that has shown it so.
    pub(crate) fn wanted_records(&self, id: RequestId, shown: &Shows, wants: &Picks) -> Vec<Slot> {
        if wants.is_empty() {
            return Vec::new();
        }
        match shown {
            Shows::All | Shows::Partial => Vec::new(),
            Shows::Filter(filter) => self.table.in_filter(filter, wants),
            Shows::Sketch(sketch) => self.table.in_sketch(id.salt(), sketch.parts(), wants),
        }
    }

    /// To be told to somebody whose table is another: how to estimate by how much.
    pub(crate) fn strata_to_tell(&self) -> Bytes {
        if self.table.len() >= SKETCHED {
            self.table.strata().to_bytes().into()
        } else {
            Bytes::new()
        }
    }

    /// About by how many records the own table and one with these strata differ.
    pub(crate) fn estimate(&self, strata: &[u8], count: u32) -> Option<usize> {
        let counted = self.table.len().abs_diff(count as usize);
        let estimated = Strata::from_bytes(strata)?.differences(self.table.strata())?;
        Some(estimated.max(counted))
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
        self.table.fetched(self.cx.now, &request.fetch, PAGE_BYTES)
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
    pub(crate) fn lacks_signature(&self, entry: Entry<'_>) -> bool {
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
