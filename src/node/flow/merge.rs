//! What a page brings: records into the table, and what follows for each (R1, R5, R16, R46).

use alloc::vec::Vec;

use crate::addr::Subnet;
use crate::effect::Event;
use crate::error::PeerFault;
use crate::id::{LinkId, NodeId};
use crate::limits::caps;
use crate::node::Node;
use crate::node::state::checks::Part;
use crate::record::{RecordError, Sequence};
use crate::ring::Position;
use crate::table::{By, Merged, Slot};
use crate::wire::{Records, Refusals, RefusalsBuilder, WireRecord};

/// In a crowded table, newcomers take the place of others. Only if they are at least a sixteenth of
/// a sample do they count as news (R16): below that the choice of who is kept improves so little
/// that asking fast is not worth it.
const SWAPS: usize = 16;

/// How records came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// Asked for.
    Pull,
    /// The other end's news.
    Push,
    /// On its way round the ring, until there (R46).
    News(Position),
    /// What was overdue here, beside what was asked for (R2).
    Overdue,
}

/// What came of a page.
#[derive(Default)]
pub(crate) struct Taken {
    /// Node IDs not known before, and changes that a push had missed (R16).
    news: usize,
    refusals: RefusalsBuilder,
}

impl Taken {
    /// How much of that.
    pub(crate) fn news(&self) -> usize {
        self.news
    }

    pub(crate) fn has_news(&self) -> bool {
        self.news > 0
    }

    /// What refuses records of the page, to be told to who sent it.
    pub(crate) fn into_refusals(self) -> Refusals {
        self.refusals.finish()
    }

    /// A refusal is longer than the record that it refuses: a whole page of them is no message.
    fn refuse(&mut self, node: NodeId, sequence: Sequence) {
        if self.refusals.len() < caps::REFUSALS {
            self.refusals.push(&node, sequence);
        }
    }
}

/// What is gathered while the records of a page are merged.
#[derive(Default)]
struct Gathered {
    taken: Taken,
    /// To be passed on.
    relay: Vec<NodeId>,
    /// Newcomers that took the place of others.
    swapped: usize,
    /// Down here.
    downs: Vec<NodeId>,
    /// What is wrong with the sender's own record.
    faults: Vec<RecordError>,
}

/// Which page of a message records that came so are in.
fn part_of(origin: Origin) -> Part {
    match origin {
        Origin::Pull | Origin::Push => Part::Main,
        Origin::News(_) | Origin::Overdue => Part::Aside,
    }
}

impl Node {
    pub(crate) fn merge_records(
        &mut self,
        link: LinkId,
        records: &Records,
        origin: Origin,
    ) -> Taken {
        let Some((node, remote)) = self.base.links.get(link).map(|l| l.source()) else {
            return Taken::default();
        };
        let subnet = remote.map(|at| Subnet::of(at.ip()));
        let teller = By { node, subnet };
        let quiet = self.base.is_quiet();
        let (unsigned, proofs) = (
            self.base.sealer.is_off(),
            self.checks.in_hand(part_of(origin)),
        );
        let is_news = matches!(origin, Origin::News(_));
        self.base.note_carried(link, records);
        if origin == Origin::Pull {
            // Most of them were lacking: this node has shown what it has.
            self.base.table.expect(records.len());
        }
        let mut gathered = Gathered::default();
        for (i, record) in records.iter().enumerate() {
            let proven = unsigned || proofs.has(i);
            if record.node == self.base.cx.id {
                if proven {
                    let current = record.sequence == self.base.own.sequence();
                    self.base.on_own_record(record);
                    if current && is_news {
                        gathered.relay.push(record.node);
                    }
                }
                continue;
            }
            let crowded = self.base.table.is_crowded();
            let mut merged = self.base.merge_record(record, &teller, proven);
            if merged == Merged::Unproven && unsigned {
                // Here signatures are carried for those who check them, and mean nothing.
                self.base.table.strip_signature(&record.node);
                merged = self.base.merge_record(record, &teller, proven);
            }
            if merged == Merged::Full && !proven {
                self.base.cx.stats.records_evicted += 1;
                continue;
            }
            if is_news && merged == Merged::Full && self.base.carry(record) {
                gathered.relay.push(record.node);
            }
            gathered.add(
                record,
                merged,
                origin,
                crowded,
                quiet && record.node == teller.node,
            );
            self.account_for(teller, record, merged, &mut gathered);
        }
        self.follow_up(link, origin, gathered)
    }

    /// Passes on what is on its way, says what is news, and judges the sender, now that the whole
    /// page was taken: a ban ends its links.
    fn follow_up(&mut self, link: LinkId, origin: Origin, gathered: Gathered) -> Taken {
        let base = &mut self.base;
        let mut taken = gathered.taken;
        let sample = caps::SAMPLE.min(base.cx.config.capacity);
        let on_its_way = matches!(origin, Origin::News(_));
        if !on_its_way && gathered.swapped * SWAPS >= sample {
            taken.news += gathered.swapped;
        }
        match origin {
            Origin::News(until) => base.pass_on(&gathered.relay, until),
            _ => base.spread(&gathered.relay, Some(link)),
        }
        base.send_downs(link, &gathered.downs);
        for error in gathered.faults {
            self.penalise(link, PeerFault::OwnRecord(error));
        }
        taken
    }

    /// Counts and reports what became of a record.
    fn account_for(
        &mut self,
        teller: By,
        record: WireRecord<'_>,
        merged: Merged,
        gathered: &mut Gathered,
    ) {
        let node = record.node;
        let taken = &mut gathered.taken;
        let base = &mut self.base;
        base.report_evicted();
        let stats = &mut base.cx.stats;
        match merged {
            Merged::New(slot) | Merged::Newer(slot) | Merged::Left(slot) => {
                stats.records_learned += 1;
                if node == teller.node {
                    let displaced = base.heard_where(slot);
                    self.detector.displaced(base, displaced);
                }
                self.report_change(node, merged, slot);
            }
            Merged::Renewed(slot) => {
                stats.renewals_applied += 1;
                self.detector.newer(base, slot);
            }
            Merged::Known | Merged::Dying => stats.records_known += 1,
            Merged::Stale(sequence) => {
                stats.records_known += 1;
                if node == teller.node {
                    taken.refuse(node, sequence);
                }
            }
            Merged::Refused(sequence) => {
                stats.records_refused += 1;
                taken.refuse(node, sequence);
            }
            Merged::Down => {
                stats.records_refused += 1;
                gathered.downs.push(node);
            }
            Merged::Conflict => {
                stats.records_conflicting += 1;
                let version = record.sequence.version;
                base.cx.event(Event::Conflict { node, version });
                if node == teller.node {
                    taken.refuse(node, record.sequence);
                }
            }
            Merged::Full => stats.records_evicted += 1,
            // Counted where it was checked.
            Merged::Unproven => {}
            Merged::Hearsay => self.disbelieve(node, record.sequence),
            Merged::Bad(error) => {
                stats.records_bad += 1;
                if node == teller.node {
                    gathered.faults.push(error);
                }
            }
        }
    }

    /// Others say so of a node that says otherwise itself: it is asked (R52).
    fn disbelieve(&mut self, node: NodeId, said: Sequence) {
        self.base.cx.stats.records_hearsay += 1;
        self.detector.ask_what_it_says(&mut self.base, node, said);
    }

    /// A peer is new, has changed, or has left.
    fn report_change(&mut self, node: NodeId, merged: Merged, slot: Slot) {
        self.detector.newer(&mut self.base, slot);
        if self.base.cx.config.detection.is_some() {
            self.detector.heed(&self.base, slot);
        }
        let base = &mut self.base;
        let live = base.table.get(slot).is_some_and(|e| !e.is_tombstone());
        match merged {
            Merged::New(_) if live => {
                self.exchange.learned(base, slot);
                base.hints.forget(&node);
                base.cx.event(Event::PeerUp { node });
            }
            Merged::Newer(_) if live => {
                self.exchange.late.learned(slot);
                base.cx.event(Event::PeerChanged { node });
            }
            Merged::Left(_) => {
                self.detector.forget(&node);
                base.hints.forget(&node);
                base.cx.event(Event::PeerLeft { node });
            }
            // The tombstone of a node that was not known alive.
            _ => {}
        }
    }
}

impl Gathered {
    /// One more record. `joins`: it is from its own node, where things are quiet.
    fn add(
        &mut self,
        record: WireRecord<'_>,
        merged: Merged,
        origin: Origin,
        crowded: bool,
        joins: bool,
    ) {
        let news = matches!(origin, Origin::News(_));
        let changed = matches!(merged, Merged::New(_) | Merged::Newer(_) | Merged::Left(_));
        if crowded && matches!(merged, Merged::New(_)) {
            self.swapped += 1;
        } else if changed && !news {
            self.taken.news += 1;
        }
        // A joiner's record, from itself, goes round the ring where things are quiet; in a cold start
        // everybody is pulling anyway.
        let announces = joins && !crowded && origin == Origin::Push;
        // What is known already goes on too: others further on may lack it. A renewal keeps nobody
        // fast (R16), and goes on all the same.
        let passed = changed || matches!(merged, Merged::Renewed(_) | Merged::Known);
        if (news && passed) || (changed && announces) {
            self.relay.push(record.node);
        }
    }
}
