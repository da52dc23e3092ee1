//! Between a message's limits and what follows from it: whose word its records are (R50).

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::defence::Defence;
use crate::error::PeerFault;
use crate::id::{LinkId, NodeId};
use crate::node::Node;
use crate::node::state::checks::{Carrier, Page, Place, Proofs, Turn};
use crate::record::Signature;
use crate::seal::{Claim, Statement};
use crate::wire::WireRecord;

impl Node {
    /// A message from a link. Behind one that is still being checked it waits, if there is room.
    pub(crate) fn on_bytes(&mut self, link: LinkId, bytes: Bytes) {
        let now = self.base.cx.now;
        if let Some(node) = self.base.links.node(link) {
            let is_flood = !self.guard.limits.arrives(now, node, 1, bytes.len());
            if is_flood && self.base.cx.config.defends(Defence::Arrivals) {
                self.penalise(link, PeerFault::Flood);
                return;
            }
        }
        if !self.checks.is_on(link) {
            self.read(link, bytes);
        } else if !self.checks.queue(link, bytes) {
            self.base.cx.stats.unchecked_dropped += 1;
        }
    }

    /// Takes a message of `len` encoded bytes, of which the limits are charged, as soon as its
    /// records are checked.
    pub(crate) fn check(&mut self, link: LinkId, carrier: Carrier, len: usize) {
        if self.base.sealer.is_off() || carrier.records().next().is_none() {
            self.take(link, carrier);
        } else {
            self.go_on(link, Box::new(Page::new(carrier, len)));
        }
    }

    /// What waits for its checks goes on, as far as one input may take.
    pub(crate) fn go_on_checking(&mut self) {
        self.checks.begin_turns();
        while let Some(turn) = self.checks.next() {
            match turn {
                Turn::Check(link, page) => self.go_on(link, page),
                Turn::Read(link, bytes) => self.read(link, bytes),
            }
        }
    }

    /// The link is gone. What came last on it counts most, a leaving for instance: it is taken as
    /// far as one input may take. What came before that and is not checked is lost.
    pub(crate) fn read_last(&mut self, link: LinkId) {
        for bytes in self.checks.forget(link) {
            self.read(link, bytes);
        }
    }

    fn go_on(&mut self, link: LinkId, mut page: Box<Page>) {
        let Some(teller) = self.base.links.node(link) else {
            return;
        };
        if !self.check_some(&mut page, teller) {
            if !self.checks.hold(link, page) {
                self.base.cx.stats.unchecked_dropped += 1;
            }
            return;
        }
        let Page {
            carrier,
            proofs,
            at_fault,
            ..
        } = *page;
        self.checks.take_in_hand(proofs);
        self.take(link, carrier);
        self.checks.take_in_hand(Proofs::default());
        if at_fault {
            self.penalise(link, PeerFault::Unproven);
        }
    }

    fn take(&mut self, link: LinkId, carrier: Carrier) {
        match carrier {
            Carrier::Request(request) => self.take_request(link, request),
            Carrier::Response(response) => self.take_response(link, response),
            Carrier::Update(update) => self.take_update(link, update),
        }
    }

    /// Checks as many records of a page as there is room for; whether that was all.
    fn check_some(&mut self, page: &mut Page, teller: NodeId) -> bool {
        let base = &self.base;
        let mut claimed: Vec<(Place, Claim<'_>)> = Vec::new();
        let mut fails = |record: NodeId, stats: &mut u64| {
            *stats += 1;
            page.at_fault |= record == teller;
        };
        let (mut unproven, mut looks, mut done) = (0, 0, true);
        for (n, (place, record)) in page.carrier.records().enumerate().skip(page.next) {
            looks += 1;
            if !base.needs_proof(record, page.carrier.is_news(place.0)) {
                continue;
            }
            match record.signature {
                Some(_) if claimed.len() >= self.checks.room() => {
                    page.next = n;
                    done = false;
                    break;
                }
                Some(signature) => claimed.push((place, claim(record, signature))),
                None if base.may_be_unsigned(&record.node) => page.proofs.add(place),
                None => fails(record.node, &mut unproven),
            }
        }
        let claims: Vec<_> = claimed.iter().map(|(_, claim)| *claim).collect();
        for ((place, claim), good) in claimed.iter().zip(base.sealer.verify(&claims)) {
            if good {
                page.proofs.add(*place);
            } else {
                fails(claim.by, &mut unproven);
            }
        }
        self.checks.spend(claims.len(), looks);
        self.base.cx.stats.signatures_checked += claims.len() as u64;
        self.base.cx.stats.records_unproven += unproven;
        done
    }
}

fn claim<'a>(record: WireRecord<'a>, signature: &'a Signature) -> Claim<'a> {
    Claim {
        by: record.node,
        said: Statement::record(record.node, record.sequence, record.body),
        signature,
    }
}
