//! Records into the table, and whose word is taken about whom (R52).

use core::cell::Cell;
use core::time::Duration;

use crate::defence::Defence;
use crate::id::NodeId;
use crate::node::base::Base;
use crate::node::cx::Cx;
use crate::node::state::links::Links;
use crate::node::state::watches::Times;
use crate::rng;
use crate::table::{By, Entry, Merged, Word};
use crate::wire::WireRecord;

impl Base {
    /// Takes a record into the table. Linked nodes and upstreams are never evicted for it.
    pub(crate) fn merge_record(&mut self, record: WireRecord<'_>, by: &By, proven: bool) -> Merged {
        let is_hearsay = record.node != by.node
            && (self.sealer.is_off() || record.signature.is_none())
            && self.cx.config.defends(Defence::FirstHand);
        let (links, upstreams, claims) = (&self.links, &self.upstreams, &self.claims);
        let is_pinned = |node: &NodeId| links.is_linked(node) || upstreams.contains(node);
        let (before, cx) = (Cell::new(None), &self.cx);
        let is_believed = |known: Entry<'_>| {
            if known.body() == record.body {
                // It says nothing else.
                return true;
            }
            before.set(Some(rng::place(known.body())));
            silent_in(links, cx, &record.node).is_zero()
                && claims.may_be_so(&record.node, record.sequence, cx.now)
        };
        let word = match is_hearsay {
            _ if !proven => Word::Unproven,
            true => Word::Others(&is_believed),
            false => Word::Own,
        };
        let table = &mut self.table;
        let merged = table.merge(cx.now, record, Some(by), &is_pinned, word);
        if let Some(before) = before.get() {
            self.claims
                .said(record.node, record.sequence, before, cx.now);
        }
        // Of one that was not known before there is no claim.
        let may_settle = before.get().is_some() || record.node == by.node;
        let is_taken = matches!(merged, Merged::New(_) | Merged::Newer(_) | Merged::Left(_));
        if may_settle && is_taken && !self.claims.is_empty() {
            let hash = rng::place(record.body);
            self.claims.has_said(&record.node, hash, cx.now);
        }
        merged
    }

    /// How long it takes at least until this node is silent over a link with it: until then nobody
    /// else is believed about it (R52).
    pub(crate) fn silent_in(&self, node: &NodeId) -> Duration {
        silent_in(&self.links, &self.cx, node)
    }

    /// For how long whoever was heard over a link is believed.
    pub(super) fn believed_for(&self) -> Option<Duration> {
        patience(&self.cx)
    }
}

fn patience(cx: &Cx) -> Option<Duration> {
    cx.config.detection.map(|d| Times::new(d).patience())
}

fn silent_in(links: &Links, cx: &Cx, node: &NodeId) -> Duration {
    let until = links.link_of(node).zip(patience(cx));
    let until = until.map(|(link, patience)| link.heard_at() + patience);
    until.map_or(Duration::ZERO, |until| until.saturating_since(cx.now))
}
