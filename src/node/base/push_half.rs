//! The second half of an exchange: what the answerer lacks, as far as its answer tells (R15, R27).
//!
//! It is chosen before what the answer brings is merged. While all records are new, it goes out at
//! once. A node whose table has been at rest may rather have old versions: those look like records
//! that the answerer lacks, until their new versions have been fetched. It sends its half then.

use alloc::collections::BTreeMap;

use crate::id::LinkId;
use crate::limits::caps::PAGE_BYTES;
use crate::node::base::Base;
use crate::node::base::compose::goes_as_records;
use crate::node::state::fetches::PushHalf;
use crate::table::{Differences, Listed};
use crate::wire::{Content, Delta, Response, ShortIdScheme};

impl Base {
    /// Chooses what goes back. `differences`: what the answer's sketch has told.
    pub(crate) fn choose_push_half(
        &mut self,
        link: LinkId,
        response: &Response,
        differences: Option<&Differences>,
    ) -> Option<PushHalf> {
        let node = self.links.node(link)?;
        let cursor = response
            .cursor
            .filter(|c| c.epoch == self.cx.epoch && c.version <= self.table.version());
        let from = cursor.map_or(0, |c| c.version);
        let sampled = differences.is_none() && response.digest.partial && self.takes_names(&node);
        let all = match differences {
            Some(differences) => self.table.of_these_since(&differences.only_ours, from),
            None if sampled => self.table.sample_since(from, &mut self.cx.choices),
            None => self.table.since(from),
        };
        let (mut listed, scheme) = match (differences, response.delta.as_ref()) {
            (Some(differences), _) => (all, Some(differences.missing.scheme())),
            (None, Some(delta)) => self.without_known(all, delta, response.digest.version),
            (None, None) => (all, None),
        };
        listed
            .slots
            .retain(|slot| self.table.get(*slot).is_some_and(|e| e.node != node));
        let complete = differences.is_none_or(|d| d.complete);
        let nothing = listed.slots.is_empty() && (!complete || from == listed.to);
        (!nothing).then_some(PushHalf {
            listed,
            from,
            complete,
            scheme,
            sampled,
            count: response.digest.count,
            salt: response.id.get() as u32,
        })
    }

    /// These changes but for what a delta shows to be known, and how it announces.
    fn without_known(
        &self,
        mut listed: Listed,
        delta: &Delta,
        theirs: u64,
    ) -> (Listed, Option<ShortIdScheme>) {
        match &delta.content {
            Content::Announced(ids) if delta.from == 0 && delta.to == theirs => {
                listed.slots = self.table.unannounced(&listed.slots, ids);
                (listed, Some(ids.scheme()))
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
    pub(crate) fn send_push_half(&mut self, link: LinkId, mut half: PushHalf) {
        let until = half.listed.to;
        half.listed
            .slots
            .retain(|slot| self.table.get(*slot).is_some_and(|e| e.stamp <= until));
        let delta = self.push_half_delta(half);
        self.send_delta(link, None, delta);
    }

    fn push_half_delta(&self, half: PushHalf) -> Delta {
        let n = half.listed.slots.len();
        // What a full table lacks is not told by how many records it has.
        let count = if half.sampled { u32::MAX } else { half.count };
        let (content, to) = if goes_as_records(count, n) {
            let (records, to) = self
                .table
                .page_to(self.cx.now, &half.listed, None, PAGE_BYTES);
            (Content::Records(records), to)
        } else if half.sampled {
            let nodes = self.table.nodes(&half.listed.slots);
            (Content::Nodes(nodes), half.listed.to)
        } else {
            let width = self.table.short_width(half.count);
            let scheme = half
                .scheme
                .unwrap_or_else(|| ShortIdScheme::plain(half.salt, width));
            self.announcement(&half.listed, scheme)
        };
        Delta {
            // Where something was left out, the receiver's cursor must not move past it: a delta
            // that begins where it ends lies beyond that cursor.
            from: if half.complete { half.from } else { to },
            to,
            content,
        }
    }
}
