//! Who is told later what the node did not know yet when it was asked (R9, R41).
//!
//! There are two reasons to be told. The node was asking others itself: then one update follows, when
//! it has their answer. Or the node has nobody to ask, and others come to it one after the other: a
//! hub. Then whoever has come is told of whoever comes after, until nobody does any more. [Answered
//! once, each asker of a hub knows those that came before it, and asks the others one by one: a star
//! of 100 took 45 hops instead of 4.]

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::{LinkId, RequestId};
use crate::limits::caps;
use crate::table::Slot;
use crate::time::Instant;
use crate::wire::Lacked;

/// A node is a hub for so long at most.
const HUB: Duration = Duration::from_secs(10);

/// Why an asker is told later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// The node is asking others itself: once, what they answer.
    Asking,
    /// The node is a hub: whatever comes.
    Hub,
}

struct Asker {
    link: LinkId,
    request: RequestId,
    why: Why,
    /// What it has that was not here when it asked, where that is not too much to keep.
    has: Option<Lacked>,
    /// The first of what was learned that it has not been told.
    from: u64,
    until: Instant,
}

/// What one asker is to be told.
pub(crate) struct Told {
    pub(crate) link: LinkId,
    pub(crate) request: RequestId,
    pub(crate) slots: Vec<Slot>,
}

#[derive(Default)]
pub(crate) struct Late {
    askers: VecDeque<Asker>,
    /// What was learned while somebody waits, and the number of the first.
    learned: VecDeque<Slot>,
    first: u64,
    bytes: usize,
    /// When the first and the last of those have come with news of their own that have come one soon
    /// after the other, and whether these are several.
    came: Option<(Instant, Instant)>,
    several: bool,
}

impl Late {
    /// Somebody has come with news. Those that come within `time` of each other belong together.
    pub(crate) fn came(&mut self, now: Instant, time: Duration) {
        self.came = match self.came {
            Some((first, last)) if now.saturating_since(last) <= time => {
                self.several = true;
                Some((first, now))
            }
            _ => {
                self.several = false;
                Some((now, now))
            }
        };
    }

    /// Until when others may come, if they do: somebody has come within `time`. Not for ever: whoever
    /// always comes with news would keep the node from asking others.
    pub(crate) fn awaits_until(&self, now: Instant, time: Duration) -> Option<Instant> {
        let (first, last) = self.came?;
        let until = (last + time).min(first + HUB);
        (until > now).then_some(until)
    }

    /// Whether several have come together.
    pub(crate) fn is_hub(&self) -> bool {
        self.several
    }

    /// Something was learned, which is at this slot.
    pub(crate) fn learned(&mut self, slot: Slot) {
        if self.askers.is_empty() {
            return;
        }
        if self.learned.len() >= caps::LATE_RECORDS {
            self.learned.pop_front();
            self.first += 1;
        }
        self.learned.push_back(slot);
    }

    /// This asker is to be told, until then, in place of what was promised it before.
    pub(crate) fn add(
        &mut self,
        (link, request): (LinkId, RequestId),
        why: Why,
        has: Option<Lacked>,
        until: Instant,
    ) {
        self.forget(link);
        if self.askers.len() >= caps::LATE {
            return;
        }
        let room = caps::LATE_BYTES - self.bytes;
        let has = has.filter(|has| has.bytes() <= room);
        self.bytes += has.as_ref().map_or(0, Lacked::bytes);
        self.askers.push_back(Asker {
            link,
            request,
            why,
            has,
            from: self.first + self.learned.len() as u64,
            until,
        });
    }

    /// What is to be told to those that wait for this reason. Whoever is told what the node has asked
    /// for is told once; whoever finds nothing new waits on.
    pub(crate) fn take(
        &mut self,
        why: Why,
        now: Instant,
        hash: impl Fn(Slot) -> Option<u64>,
    ) -> Vec<Told> {
        self.expire(now);
        let end = self.first + self.learned.len() as u64;
        let mut told = Vec::new();
        for asker in self.askers.iter_mut().filter(|a| a.why == why) {
            let known = asker.from.max(self.first) - self.first;
            let news = self.learned.iter().skip(known as usize).copied();
            let has = |hash| asker.has.as_ref().is_some_and(|has| has.has(hash));
            let slots = unknown(news, &hash, has);
            asker.from = end;
            if !slots.is_empty() {
                let (link, request) = (asker.link, asker.request);
                told.push(Told {
                    link,
                    request,
                    slots,
                });
            }
        }
        if why == Why::Asking {
            let links: Vec<_> = told.iter().map(|t| t.link).collect();
            links.into_iter().for_each(|link| self.forget(link));
        }
        self.drop_told();
        told
    }

    /// Whether a hub has something to tell.
    pub(crate) fn has_news(&self) -> bool {
        let end = self.first + self.learned.len() as u64;
        let waits = |a: &Asker| a.why == Why::Hub && a.from < end;
        self.askers.iter().any(waits)
    }

    /// The link is gone, or its other end asks anew.
    pub(crate) fn forget(&mut self, link: LinkId) {
        let at = self.askers.iter().position(|a| a.link == link);
        if let Some(asker) = at.and_then(|at| self.askers.remove(at)) {
            self.bytes -= asker.has.as_ref().map_or(0, Lacked::bytes);
        }
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        let gone = self.askers.iter().filter(|a| a.until <= now);
        let gone: Vec<_> = gone.map(|a| a.link).collect();
        gone.into_iter().for_each(|link| self.forget(link));
        self.drop_told();
    }

    /// What nobody waits for any more.
    fn drop_told(&mut self) {
        let end = self.first + self.learned.len() as u64;
        let first = self.askers.iter().map(|a| a.from).min().unwrap_or(end);
        while self.first < first && self.learned.pop_front().is_some() {
            self.first += 1;
        }
        if self.learned.is_empty() {
            self.learned = VecDeque::new();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.askers.len()
    }

    pub(crate) fn learned_count(&self) -> usize {
        self.learned.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Of these slots those that are still taken and that the other end does not have, each once.
fn unknown(
    slots: impl Iterator<Item = Slot>,
    hash: impl Fn(Slot) -> Option<u64>,
    has: impl Fn(u64) -> bool,
) -> Vec<Slot> {
    let mut unknown: Vec<_> = slots
        .filter(|slot| hash(*slot).is_some_and(|hash| !has(hash)))
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::at;
    use crate::wire::{Filter, Picks};

    const REQUEST: RequestId = RequestId::new(7);
    const SECOND: Duration = Duration::from_secs(1);

    fn hash(slot: Slot) -> Option<u64> {
        Some(crate::rng::mix(slot.into(), 5))
    }

    fn ask(late: &mut Late, link: u64, why: Why, shown: &[Slot]) {
        let hashes = shown.iter().filter_map(|slot| hash(*slot));
        let filter = Filter::of(1, shown.len(), hashes);
        let has = filter.lacked(&Picks::of((0..shown.len() as u32).collect()));
        late.add((LinkId::new(link), REQUEST), why, Some(has), at(100));
    }

    fn told(late: &mut Late, why: Why) -> Vec<(u64, Vec<Slot>)> {
        let told = late.take(why, at(10), hash).into_iter();
        told.map(|t| (t.link.get(), t.slots)).collect()
    }

    /// R41.
    #[test]
    fn who_asks_while_the_node_asks_is_told_once() {
        let mut late = Late::default();
        late.learned(1);
        ask(&mut late, 1, Why::Asking, &[]);
        assert_eq!(told(&mut late, Why::Asking), [], "nothing has come since");
        late.learned(2);
        ask(&mut late, 2, Why::Asking, &[]);
        late.learned(3);
        assert_eq!(
            told(&mut late, Why::Asking),
            [(1, [2, 3].into()), (2, [3].into())]
        );
        late.learned(4);
        assert_eq!(told(&mut late, Why::Asking), []);
        assert_eq!((late.len(), late.learned_count(), late.bytes()), (0, 0, 0));
    }

    #[test]
    fn who_has_come_to_a_hub_is_told_of_whoever_comes_after() {
        let mut late = Late::default();
        ask(&mut late, 1, Why::Hub, &[]);
        late.learned(2);
        ask(&mut late, 2, Why::Hub, &[2]);
        late.learned(3);
        assert!(late.has_news());
        assert_eq!(told(&mut late, Why::Asking), []);
        assert_eq!(
            told(&mut late, Why::Hub),
            [(1, [2, 3].into()), (2, [3].into())]
        );
        assert!(!late.has_news());
        late.learned(4);
        assert_eq!(
            told(&mut late, Why::Hub),
            [(1, [4].into()), (2, [4].into())]
        );
    }

    #[test]
    fn what_it_has_shown_it_is_not_told() {
        let mut late = Late::default();
        ask(&mut late, 1, Why::Asking, &[5, 6, 7]);
        (4..9).for_each(|slot| late.learned(slot));
        assert_eq!(told(&mut late, Why::Asking), [(1, [4, 8].into())]);
    }

    #[test]
    fn who_asks_anew_or_is_gone_waits_no_more() {
        let mut late = Late::default();
        ask(&mut late, 1, Why::Asking, &[1]);
        late.learned(2);
        ask(&mut late, 1, Why::Asking, &[1]);
        assert_eq!(told(&mut late, Why::Asking), []);
        late.forget(LinkId::new(1));
        assert_eq!((late.len(), late.bytes()), (0, 0));
        ask(&mut late, 2, Why::Hub, &[1]);
        late.expire(at(100));
        assert_eq!((late.len(), late.bytes()), (0, 0));
    }

    #[test]
    fn two_that_come_with_news_within_the_time_make_a_hub() {
        let mut late = Late::default();
        for (seconds, is_hub) in [(10, false), (12, false), (13, true), (15, false)] {
            late.came(at(seconds), SECOND);
            assert_eq!(late.is_hub(), is_hub, "{seconds}");
            let awaits = late.awaits_until(at(seconds), SECOND);
            assert_eq!(awaits, Some(at(seconds + 1)));
            assert_eq!(late.awaits_until(at(seconds + 1), SECOND), None);
        }
        (16..40).for_each(|seconds| late.came(at(seconds), SECOND));
        assert_eq!(late.awaits_until(at(39), SECOND), None, "not for ever");
    }

    /// R22.
    #[test]
    fn askers_records_and_bytes_are_bounded() {
        let mut late = Late::default();
        let many: Vec<Slot> = (0..30_000).collect();
        for link in 0..caps::LATE as u64 + 10 {
            ask(
                &mut late,
                link,
                Why::Hub,
                if link < 20 { &many } else { &[1] },
            );
        }
        assert_eq!(late.len(), caps::LATE);
        assert!(late.bytes() <= caps::LATE_BYTES);
        (0..caps::LATE_RECORDS as Slot + 10).for_each(|slot| late.learned(slot));
        assert_eq!(late.learned_count(), caps::LATE_RECORDS);
        let told = told(&mut late, Why::Hub);
        let (_, last) = told.last().unwrap();
        assert_eq!(last.first(), Some(&10), "the oldest are dropped");
    }
}
