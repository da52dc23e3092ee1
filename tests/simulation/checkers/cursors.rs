//! R15: a cursor is moved by its receiver alone, never beyond what it was told and never back.

use std::collections::{HashMap, HashSet};

use peer_exchange::wire::{Cursor, Delta, Message, Request, Response};
use peer_exchange::{LinkId, NodeId, RequestId};
use peer_exchange_memory::HostId;

use super::{Checker, Complaints};
use crate::step::{Step, What};
use crate::world::World;

type Pair = (HostId, u32, NodeId);

#[derive(Default)]
pub(crate) struct Cursors {
    /// The peer's epoch, as its Hello on a link says.
    epochs: HashMap<(HostId, u32, LinkId), u64>,
    /// How far a cursor may stand.
    told: HashMap<(Pair, u64), u64>,
    /// Where it was last seen.
    shown: HashMap<(Pair, u64), u64>,
    answered: HashSet<(HostId, u32, LinkId, RequestId)>,
}

impl Checker for Cursors {
    fn see(&mut self, step: &Step<'_>, _: &World, complaints: &mut Complaints) {
        match &step.what {
            What::Received {
                link,
                from,
                message,
            } => self.hears(step, *link, *from, message),
            What::Sent { to, message, .. } => {
                let cursor = match message {
                    Message::Request(m) => m.cursor,
                    Message::Response(m) => m.cursor,
                    _ => None,
                };
                if let Some(cursor) = cursor {
                    self.shows(step, *to, cursor, complaints);
                }
            }
            _ => {}
        }
    }
}

impl Cursors {
    fn hears(&mut self, step: &Step<'_>, link: LinkId, from: NodeId, message: &Message) {
        let end = (step.host, step.life, link);
        if let Message::Hello(m) = message {
            self.epochs.insert(end, m.epoch);
        }
        let Some(epoch) = self.epochs.get(&end).copied() else {
            return;
        };
        let pair = ((step.host, step.life, from), epoch);
        let told = self.told.entry(pair).or_default();
        let (delta, same) = match message {
            // A set like one's own has nothing to tell.
            Message::Request(Request { brief: Some(m), .. }) => (None, Some(ahead(*told, m.log))),
            Message::Request(m) => (m.push.as_ref(), Some(m.digest.version)),
            Message::Response(m) => {
                // A second copy is merged and moves nothing (R14).
                if !self.answered.insert((step.host, step.life, link, m.id)) {
                    return;
                }
                (m.delta.as_ref(), is_same(m).then_some(m.digest.version))
            }
            Message::Update(m) => (m.delta.as_ref(), None),
            _ => (None, None),
        };
        if let Some(Delta { to, .. }) = delta.filter(|d| d.to > 0 && d.from <= *told) {
            *told = (*to).max(*told);
        }
        *told = same.unwrap_or_default().max(*told);
    }

    fn shows(&mut self, step: &Step<'_>, to: NodeId, cursor: Cursor, complaints: &mut Complaints) {
        let pair = ((step.host, step.life, to), cursor.epoch);
        let told = self.told.get(&pair).copied();
        complaints.expect(told.is_some_and(|t| cursor.version <= t), "R15", || {
            format!("{cursor:?} into {to:?}, told up to {told:?}")
        });
        let last = self.shown.insert(pair, cursor.version);
        complaints.expect(last.is_none_or(|l| l <= cursor.version), "R15", || {
            format!("{cursor:?} into {to:?} stood at {last:?}")
        });
    }
}

/// The next version with these 21 lowest bits, or the same if that is nearer behind.
fn ahead(told: u64, log: u32) -> u64 {
    match u64::from(log).wrapping_sub(told) % (1 << 21) {
        ahead @ 0..0x10_0000 => told + ahead,
        _ => told,
    }
}

fn is_same(m: &Response) -> bool {
    m.digest.count == 0 && m.digest.fingerprint == 0 && m.delta.is_none()
}

mod bites {
    use super::Cursors;
    use crate::forge::{Stage, bites, delta, page, request, response, seq, silent};
    use peer_exchange::wire::{Cursor, Hello, Message};

    /// Node 0, told by node 1 of what its log has after `from` up to `to`.
    fn told(from: u64, to: u64) -> Stage<Cursors> {
        let mut stage = Stage::new();
        let hello = Message::Hello(Hello {
            min_version: 1,
            max_version: 1,
            features: 0,
            epoch: 9,
            cluster: 0,
            seen: None,
        });
        silent(&stage.receives(0, 1, &hello));
        let mut answer = response(1);
        let records = page(2, seq(1, 0), 50, &crate::forge::body(1));
        answer.delta = Some(delta(from, to, records));
        silent(&stage.receives(0, 1, &Message::Response(answer)));
        stage
    }

    fn shows(stage: &mut Stage<Cursors>, epoch: u64, version: u64) -> Vec<String> {
        let mut asks = request(2);
        asks.cursor = Some(Cursor { epoch, version });
        stage.sends(0, 1, &Message::Request(asks))
    }

    #[test]
    fn at_a_cursor_beyond_what_was_told() {
        silent(&shows(&mut told(0, 10), 9, 10));
        bites(&shows(&mut told(0, 10), 9, 11), "R15");
    }

    #[test]
    fn at_a_cursor_over_a_gap() {
        bites(&shows(&mut told(5, 10), 9, 10), "R15");
    }

    #[test]
    fn at_a_cursor_of_another_epoch() {
        bites(&shows(&mut told(0, 10), 8, 10), "R15");
    }

    #[test]
    fn at_a_cursor_that_goes_back() {
        let mut stage = told(0, 10);
        silent(&shows(&mut stage, 9, 10));
        bites(&shows(&mut stage, 9, 4), "R15");
    }
}
