//! The second half of an exchange: what the answerer lacks, as far as its answer tells (R15, R27).
//!
//! It is chosen before what the answer brings is merged. While all records are new, it goes out at
//! once. A node whose table has been at rest may rather have old versions: those look like records
//! that the answerer lacks, until their new versions have been fetched. It sends its half then.

use alloc::collections::BTreeMap;

use crate::id::LinkId;
use crate::node::Node;
use crate::node::answer::PAGE_BYTES;
use crate::node::ask::FEW;
use crate::table::{Differences, Listed};
use crate::wire::{Content, Cut, Delta, Response};

/// What is to be told.
pub(super) struct Back {
    listed: Listed,
    /// Where the answerer's cursor into this node's log stands.
    from: u64,
    /// Nothing is left out, so that the cursor may move.
    complete: bool,
    /// As the answer announces.
    cut: Option<Cut>,
    /// A sample, for a full table.
    sampled: bool,
    /// Records in the answerer's table.
    count: u32,
    salt: u32,
}

impl Node {
    /// Chooses what goes back.
    pub(super) fn choose_back(
        &mut self,
        link: LinkId,
        response: &Response,
        told: Option<&Differences>,
    ) -> Option<Back> {
        let node = self.links.get(link)?.node;
        let cursor = response
            .cursor
            .filter(|c| c.epoch == self.cx.epoch && c.version <= self.table.version());
        let from = cursor.map_or(0, |c| c.version);
        let sampled = told.is_none() && response.head.partial && self.takes_names(&node);
        let all = match told {
            Some(told) => self.table.of_these_since(&told.surplus, from),
            None if sampled => self.table.sample_since(from, &mut self.cx.choices),
            None => self.table.since(from),
        };
        let (mut listed, cut) = match (told, response.delta.as_ref()) {
            (Some(told), _) => (all, Some(told.missing.cut())),
            (None, Some(delta)) => self.without_known(all, delta, response.head.version),
            (None, None) => (all, None),
        };
        listed
            .slots
            .retain(|slot| self.table.get(*slot).is_some_and(|e| e.node != node));
        let complete = told.is_none_or(|t| t.complete);
        let nothing = listed.slots.is_empty() && (!complete || from == listed.to);
        (!nothing).then_some(Back {
            listed,
            from,
            complete,
            cut,
            sampled,
            count: response.head.count,
            salt: response.id.0 as u32,
        })
    }

    /// These changes but for what a delta shows to be known, and how it announces.
    fn without_known(
        &self,
        mut listed: Listed,
        delta: &Delta,
        theirs: u64,
    ) -> (Listed, Option<Cut>) {
        match &delta.content {
            Content::Announced(ids) if delta.from == 0 && delta.to == theirs => {
                listed.slots = self.table.unannounced(&listed.slots, ids);
                (listed, Some(ids.cut()))
            }
            Content::Nodes(nodes) => {
                listed.slots = self.table.unnamed(&listed.slots, nodes);
                (listed, None)
            }
            Content::Records(records) => {
                // Nor what the answer has replaced, a tombstone included.
                let known: BTreeMap<_, _> = records
                    .iter()
                    .map(|r| (r.node, r.sequence.version))
                    .collect();
                listed.slots.retain(|slot| {
                    self.table.get(*slot).is_some_and(|e| {
                        let theirs = known.get(&e.node);
                        theirs.is_none_or(|theirs| e.sequence().version > *theirs)
                    })
                });
                (listed, None)
            }
            _ => (listed, None),
        }
    }

    /// Sends it, but for what has changed since: records where they are few or the answerer knows
    /// little, otherwise an announcement.
    pub(super) fn send_back(&mut self, link: LinkId, mut back: Back) {
        let until = back.listed.to;
        back.listed
            .slots
            .retain(|slot| self.table.get(*slot).is_some_and(|e| e.stamp <= until));
        let delta = self.back_delta(back);
        self.send_delta(link, None, delta);
    }

    fn back_delta(&self, back: Back) -> Delta {
        let n = back.listed.slots.len();
        let knows_little = back.count as usize * 16 <= n && !back.sampled;
        let (content, to) = if n <= FEW || knows_little {
            let (records, to) = self
                .table
                .page_to(self.cx.now, &back.listed, None, PAGE_BYTES);
            (Content::Records(records), to)
        } else if back.sampled {
            let nodes = self.table.nodes(&back.listed.slots);
            (Content::Nodes(nodes), back.listed.to)
        } else {
            let cut = back
                .cut
                .unwrap_or_else(|| Cut::plain(back.salt, self.table.short_width(back.count)));
            let most = PAGE_BYTES / cut.width;
            let slots = &back.listed.slots;
            let next = slots.get(most).and_then(|slot| self.table.get(*slot));
            let to = next.map_or(back.listed.to, |entry| entry.stamp - 1);
            let ids = self.table.announce(&slots[..n.min(most)], cut);
            (Content::Announced(ids), to)
        };
        Delta {
            // What begins where it ends moves no cursor.
            from: if back.complete { back.from } else { to },
            to,
            content,
        }
    }
}
