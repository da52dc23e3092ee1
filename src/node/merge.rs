//! What messages bring: records, deltas, refusals, renewals.

use alloc::vec::Vec;
use core::time::Duration;

use crate::effect::Event;
use crate::error::PeerFault;
use crate::id::{LinkId, NodeId};
use crate::limits::caps;
use crate::node::Node;
use crate::node::ask::Ended;
use crate::node::fetch::Wanted;
use crate::node::links::Class;
use crate::record::Sequence;
use crate::table::{Differences, Merged, Renewed, Via};
use crate::wire::{
    Content, Cursor, Delta, Message, Records, Refusals, RefusalsBuilder, Renewals, Response,
    Update, WireRecord,
};

/// In a crowded table, newcomers take the place of others. That is news as long as they are a
/// sixteenth of a sample: a somewhat better choice is nothing to hurry for.
const SWAPS: usize = 16;

/// How records came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// Asked for.
    Pull,
    /// The other end's news, by its cursor.
    Push,
    /// One change on its way through the cluster (R21).
    Rumour,
}

/// What came of a page.
#[derive(Default)]
pub(super) struct Report {
    /// Node IDs not known before, and changes that a push had missed (R16).
    pub(super) news: usize,
    /// To be passed on.
    relay: Vec<NodeId>,
    refusals: RefusalsBuilder,
}

impl Report {
    /// A refusal is longer than the record that it refuses: a whole page of them is no message.
    fn refuse(&mut self, node: NodeId, sequence: Sequence) {
        if self.refusals.len() < caps::BATCH {
            self.refusals.push(&node, sequence);
        }
    }
}

impl Node {
    pub(super) fn merge_records(
        &mut self,
        link: LinkId,
        records: &Records,
        source: Source,
    ) -> Report {
        let mut report = Report::default();
        let Some((teller, via)) = self.links.get(link).map(|l| (l.node, l.via)) else {
            return report;
        };
        let calm = self.is_calm();
        let (mut no_room, mut swapped) = (Vec::new(), 0);
        for record in records.iter() {
            if record.node == self.cx.id {
                self.on_own_record(record);
                continue;
            }
            let crowded = self.table.is_crowded();
            let merged = self.merge_record(record, via);
            let changed = matches!(merged, Merged::New(_) | Merged::Newer(_) | Merged::Left(_));
            if crowded && matches!(merged, Merged::New(_)) {
                swapped += 1;
            } else if changed && source != Source::Rumour {
                report.news += 1;
            }
            // A joiner's record, from itself, becomes a rumour where things are calm; in a cold
            // start everybody is pulling anyway.
            let announces = calm && !crowded && source == Source::Push && record.node == teller;
            if changed && (source == Source::Rumour || announces) {
                report.relay.push(record.node);
            }
            if source == Source::Rumour && merged == Merged::Full {
                no_room.push(record);
            }
            self.judge(link, teller, record, merged, &mut report);
        }
        if source != Source::Rumour && swapped * SWAPS >= caps::SAMPLE.min(self.cx.config.capacity)
        {
            report.news += swapped;
        }
        if !report.relay.is_empty() {
            let relay = core::mem::take(&mut report.relay);
            self.spread(&relay, Some(link));
        }
        if !no_room.is_empty() {
            self.pass_on(&no_room, link);
        }
        report
    }

    fn merge_record(&mut self, record: WireRecord<'_>, via: Via) -> Merged {
        let (links, dialer) = (&self.links, &self.dialer);
        let is_pinned = |node: &NodeId| links.is_linked(node) || dialer.is_upstream(node);
        self.table.merge(self.cx.now, record, via, &is_pinned)
    }

    /// After every record that the table took in: who had to make room for it.
    pub(super) fn report_evicted(&mut self) {
        if let Some(node) = self.table.take_evicted() {
            self.cx.stats.records_evicted += 1;
            self.event(Event::PeerEvicted { node });
        }
    }

    /// Counts and reports what became of a record.
    fn judge(
        &mut self,
        link: LinkId,
        teller: NodeId,
        record: WireRecord<'_>,
        merged: Merged,
        report: &mut Report,
    ) {
        let node = record.node;
        self.report_evicted();
        match merged {
            Merged::New(slot) => {
                self.cx.stats.records_learned += 1;
                if self.table.get(slot).is_some_and(|e| !e.is_tombstone()) {
                    self.ask.learned(node, &mut self.cx.choices);
                    self.dialer.forget_hint(&node);
                    self.event(Event::PeerUp { node });
                }
            }
            Merged::Newer(slot) => {
                self.cx.stats.records_learned += 1;
                if self.table.get(slot).is_some_and(|e| !e.is_tombstone()) {
                    self.event(Event::PeerChanged { node });
                }
            }
            Merged::Left(_) => {
                self.cx.stats.records_learned += 1;
                self.dialer.forget_hint(&node);
                self.event(Event::PeerLeft { node });
            }
            Merged::Renewed(_) => {
                self.cx.stats.renewals_applied += 1;
                self.pass_renewal_on(node);
            }
            Merged::Known | Merged::Dying => self.cx.stats.records_known += 1,
            Merged::Stale(sequence) => {
                self.cx.stats.records_known += 1;
                if node == teller {
                    report.refuse(node, sequence);
                }
            }
            Merged::Refused(sequence) => {
                self.cx.stats.records_refused += 1;
                report.refuse(node, sequence);
            }
            Merged::Conflict => {
                self.cx.stats.records_conflicting += 1;
                self.event(Event::Conflict {
                    node,
                    version: record.sequence.version,
                });
                if node == teller {
                    report.refuse(node, record.sequence);
                }
            }
            Merged::Full => self.cx.stats.records_evicted += 1,
            Merged::Bad(error) => {
                self.cx.stats.records_bad += 1;
                if node == teller {
                    self.blame(link, PeerFault::OwnRecord(error));
                }
            }
        }
    }

    /// Takes a delta: records at once, an announcement into the queue. Says how much news it
    /// brought, and whether a fetch follows.
    pub(super) fn take_delta(
        &mut self,
        link: LinkId,
        delta: Delta,
        source: Source,
        first: bool,
    ) -> (Report, bool) {
        let cursor = self.cursor_after(link, &delta);
        match delta.content {
            // A sketch is an answer, and was read.
            Content::Sketch(_) => (Report::default(), false),
            Content::Empty => {
                if let Some(cursor) = cursor {
                    self.advance_cursor(link, cursor);
                }
                (Report::default(), false)
            }
            Content::Records(records) => {
                let report = self.merge_records(link, &records, source);
                if let Some(cursor) = cursor {
                    self.advance_cursor(link, cursor);
                }
                (report, false)
            }
            Content::Announced(ids) => {
                let wanted = Wanted::Announced(ids);
                let offered = self.offer(link, wanted, cursor, false, first);
                (Report::default(), offered)
            }
            Content::Nodes(nodes) => {
                let wanted = Wanted::Named(nodes);
                let offered = self.offer(link, wanted, cursor, false, first);
                (Report::default(), offered)
            }
        }
    }

    /// Where the cursor into the peer's log stands after this delta: unmoved if it begins later
    /// than the cursor, or the peer's epoch is not known.
    fn cursor_after(&self, link: LinkId, delta: &Delta) -> Option<Cursor> {
        let link = self.links.get(link)?;
        let epoch = link.epoch?;
        let known = self
            .partners
            .cursor(&link.node, Some(epoch))
            .map_or(0, |c| c.version);
        (delta.to > 0 && delta.from <= known).then_some(Cursor {
            epoch,
            version: delta.to,
        })
    }

    /// Only the receiver of records moves a cursor, and never back (R15).
    pub(super) fn advance_cursor(&mut self, link: LinkId, cursor: Cursor) {
        let Some(link) = self.links.get(link) else {
            return;
        };
        if link.epoch != Some(cursor.epoch) {
            return;
        }
        let partner = self.partners.entry(link.node, self.cx.now);
        match &mut partner.cursor {
            Some(known) if known.epoch == cursor.epoch => {
                known.version = known.version.max(cursor.version);
            }
            other => *other = Some(cursor),
        }
    }

    /// Tells the sender of stale records what refuses them (R5).
    pub(super) fn send_refusals(&mut self, link: LinkId, report: Report) {
        if !report.refusals.is_empty() {
            let update = Update {
                refusals: report.refusals.finish(),
                ..Update::default()
            };
            self.send(link, Message::Update(update), Class::Push);
        }
    }

    /// Refusals about this node raise its version; those about another are passed to it, if it is
    /// linked and has not gone further since.
    pub(super) fn take_refusals(&mut self, refusals: &Refusals) {
        for (node, sequence) in refusals.iter().take(caps::BATCH) {
            if node == self.cx.id {
                self.on_refused(sequence);
                continue;
            }
            let older = self
                .table
                .lookup(&node)
                .is_some_and(|e| e.sequence() <= sequence);
            if let (true, Some(link)) = (older, self.links.of(&node)) {
                let mut about = RefusalsBuilder::default();
                about.push(&node, sequence);
                let update = Update {
                    refusals: about.finish(),
                    ..Update::default()
                };
                self.send(link, Message::Update(update), Class::Push);
            }
        }
    }

    pub(super) fn take_renewals(&mut self, link: LinkId, renewals: &Renewals) {
        if renewals.is_empty() {
            return;
        }
        let mut missing = Vec::new();
        for renewed in self.table.apply_renewals(self.cx.now, renewals) {
            match renewed {
                Renewed::Applied(slot) => {
                    self.cx.stats.renewals_applied += 1;
                    if let Some(node) = self.table.get(slot).map(|e| e.node) {
                        self.pass_renewal_on(node);
                    }
                }
                Renewed::Known => {}
                // Of those for whom there is no room, a full table hears all the time.
                Renewed::Unknown(_) if self.table.is_crowded() => {}
                Renewed::Unknown(prefix) | Renewed::Missing(prefix) => missing.push(prefix),
            }
        }
        self.offer_prefixes(link, &missing);
    }

    /// An answer, to the fetch under way, to the request under way, late, or to nothing (R14).
    pub(super) fn on_response(&mut self, link: LinkId, response: Response) {
        if self.take_fetched(link, &response) {
            return;
        }
        if let Some(asking) = self.take_asking(link, response.id) {
            self.cx.stats.responses_received += 1;
            self.take_refusals(&response.refusals);
            self.take_answer(link, asking.version, response);
            return;
        }
        let recent = self
            .links
            .get(link)
            .is_some_and(|l| l.is_recent(response.id));
        if recent {
            self.cx.stats.late_responses += 1;
            self.take_refusals(&response.refusals);
            if let Some(Content::Records(records)) = response.delta.map(|d| d.content) {
                let report = self.merge_records(link, &records, Source::Pull);
                if report.news > 0 {
                    self.hurry();
                }
            }
            self.take_renewals(link, &response.renewals);
        } else {
            self.cx.stats.unsolicited += 1;
            self.blame(link, PeerFault::Unsolicited);
        }
    }

    fn take_answer(&mut self, link: LinkId, shown: u64, mut response: Response) {
        let Some((node, epoch)) = self.links.get(link).map(|l| (l.node, l.epoch)) else {
            return;
        };
        if let Some((wait, sample)) = response.busy.take() {
            let report = self.merge_records(link, &sample, Source::Pull);
            self.defer(node, wait);
            let ended = if report.news > 0 {
                Ended::News
            } else {
                Ended::Failed
            };
            self.exchange_answered(link, ended, false);
            return;
        }
        let head = response.head;
        let same = head.count == 0 && head.fingerprint == 0 && response.delta.is_none();
        if same {
            self.ask.untold = 0;
            if let Some(epoch) = epoch {
                self.advance_cursor(
                    link,
                    Cursor {
                        epoch,
                        version: head.version,
                    },
                );
            }
        }
        let told = if same {
            Some(shown)
        } else {
            response
                .cursor
                .filter(|c| c.epoch == self.cx.epoch)
                .map(|c| c.version)
        };
        if let (Some(version), Some(epoch)) = (told, epoch) {
            self.partners.entry(node, self.cx.now).told = Some(Cursor { epoch, version });
        }
        let told = self.read_sketch(&mut response);
        // What goes back is chosen before what comes in is merged.
        let back = if same {
            None
        } else {
            self.choose_back(link, &response, told.as_ref())
        };
        let pages = response
            .delta
            .as_ref()
            .is_some_and(|d| d.to < head.version && matches!(d.content, Content::Records(_)));
        let (report, fetching) = match response.delta.take() {
            Some(delta) => self.take_delta(link, delta, Source::Pull, true),
            None => (Report::default(), false),
        };
        self.take_renewals(link, &response.renewals);
        if let Some(back) = back {
            if fetching && self.ask.rested {
                self.fetcher.send_afterwards(back);
            } else {
                self.send_back(link, back);
            }
        }
        let news = report.news > 0;
        self.send_refusals(link, report);
        let ended = if news { Ended::News } else { Ended::NoNews };
        // A sketch that told nothing is no exchange: the upstream is asked again (R20).
        let untold = told.is_some_and(|t| !t.complete && t.missing.is_empty());
        if !fetching && !untold {
            self.exchange_over(link, news);
            self.set_even(node);
        }
        if !(pages && news && self.ask_next_page(link)) {
            self.exchange_answered(link, ended, fetching);
        }
    }

    /// What a sketch tells; the answer then announces what is missing here.
    fn read_sketch(&mut self, response: &mut Response) -> Option<Differences> {
        let delta = response.delta.as_mut()?;
        let Content::Sketch(sketch) = &delta.content else {
            self.ask.untold = 0;
            return None;
        };
        let told = self.table.differences(sketch);
        if told.complete {
            self.ask.untold = 0;
        } else {
            // What is not told is asked for again: the cursor stays.
            delta.to = 0;
        }
        delta.content = Content::Announced(told.missing.clone());
        Some(told)
    }

    /// The peer has answered `Busy` (R18).
    pub(super) fn defer(&mut self, node: NodeId, wait: Duration) {
        let retry_after = wait.min(self.cx.config.backoff_cap);
        let partner = self.partners.entry(node, self.cx.now);
        partner.backoff.hold(self.cx.now, retry_after);
        self.cx.stats.deferred += 1;
        self.event(Event::Deferred { node, retry_after });
    }

    /// An exchange with this node has completed.
    pub(super) fn exchange_over(&mut self, link: LinkId, news: bool) {
        let Some(node) = self.links.get(link).map(|l| l.node) else {
            return;
        };
        self.dialer.completed(&node, news, self.cx.now);
        if news {
            self.send_late_knowledge(link);
        }
    }
}
