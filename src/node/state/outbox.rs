//! Accusations that wait to be sent: many over one link go in one message (R32, R39).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::contract;
use crate::id::LinkId;
use crate::limits::caps;
use crate::ring::Position;
use crate::time::Instant;
use crate::wire::Accusation;

/// Between two messages over one link. The first goes at once.
const PAUSE: Duration = Duration::from_millis(25);

/// Something to be said, and how far round the ring it is to be passed on.
type Item = (Position, Accusation);

struct Queue {
    waiting: VecDeque<Item>,
    /// Not sooner.
    next: Instant,
}

/// What is to be said over which link.
#[derive(Default)]
pub(crate) struct Outbox {
    links: BTreeMap<LinkId, Queue>,
    /// Over all links.
    count: usize,
}

impl Outbox {
    /// This is to be said over this link. Whether there is room for it: beats make up for what is
    /// not said (R31).
    pub(crate) fn add(
        &mut self,
        link: LinkId,
        said: &Accusation,
        until: Position,
        now: Instant,
    ) -> bool {
        if self.count >= caps::WAITING_ACCUSATIONS {
            return false;
        }
        let queue = self.links.entry(link).or_insert(Queue {
            waiting: VecDeque::new(),
            next: now,
        });
        queue.waiting.push_back((until, *said));
        self.count += 1;
        true
    }

    /// A link over which something is to be said by now.
    pub(crate) fn due(&self, now: Instant) -> Option<LinkId> {
        let due = |(link, queue): (&LinkId, &Queue)| queue.is_due(now).then_some(*link);
        self.links.iter().find_map(due)
    }

    /// The messages for this link: what goes equally far is said together. The next ones are due
    /// after a pause.
    pub(crate) fn take(&mut self, link: LinkId, now: Instant) -> Vec<(Position, Vec<Accusation>)> {
        let Some(queue) = self.links.get_mut(&link) else {
            return Vec::new();
        };
        queue.next = now + PAUSE;
        let waiting = core::mem::take(&mut queue.waiting);
        self.count -= waiting.len();
        let mut messages: Vec<(Position, Vec<Accusation>)> = Vec::new();
        for (until, said) in waiting {
            let fits = |(end, all): &&mut (Position, Vec<Accusation>)| {
                *end == until && all.len() < contract::ACCUSATIONS
            };
            match messages.iter_mut().find(fits) {
                Some((_, all)) => all.push(said),
                None => messages.push((until, alloc::vec![said])),
            }
        }
        messages
    }

    /// The link is gone.
    pub(crate) fn forget(&mut self, link: LinkId) {
        if let Some(queue) = self.links.remove(&link) {
            self.count -= queue.waiting.len();
        }
    }

    /// When something is to be said.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let waiting = self.links.values().filter(|q| !q.waiting.is_empty());
        waiting.map(|queue| queue.next).min()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.count
    }
}

impl Queue {
    fn is_due(&self, now: Instant) -> bool {
        !self.waiting.is_empty() && self.next <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::node;
    use crate::record::Sequence;

    const LINK: LinkId = LinkId::new(1);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(100_000 + millis)
    }

    fn said(n: u32) -> Accusation {
        Accusation {
            subject: node(n),
            at: Sequence::default(),
            by: node(0),
            signature: None,
        }
    }

    fn end(n: u64) -> Position {
        Position::new(n)
    }

    fn lengths(outbox: &mut Outbox, now: Instant) -> Vec<(u64, usize)> {
        let taken = outbox.take(LINK, now).into_iter();
        taken
            .map(|(until, said)| (until.get(), said.len()))
            .collect()
    }

    /// R32: what is said first does not wait; what follows it closely goes together.
    #[test]
    fn the_first_goes_at_once_and_what_follows_together() {
        let mut outbox = Outbox::default();
        outbox.add(LINK, &said(1), end(7), at(0));
        assert_eq!(outbox.due(at(0)), Some(LINK));
        assert_eq!(lengths(&mut outbox, at(0)), [(7, 1)]);
        for n in 0..70 {
            outbox.add(LINK, &said(n), end(7), at(1));
            outbox.add(LINK, &said(n), end(9), at(1));
        }
        assert_eq!(outbox.due(at(24)), None);
        assert_eq!(outbox.next_due(), Some(at(25)));
        let all = lengths(&mut outbox, at(25));
        assert_eq!(all, [(7, 64), (9, 64), (7, 6), (9, 6)]);
        assert_eq!((outbox.len(), outbox.next_due()), (0, None));
        outbox.add(LINK, &said(1), end(7), at(100));
        assert_eq!(outbox.due(at(100)), Some(LINK), "the pause is over");
    }

    /// R22.
    #[test]
    fn so_many_wait_and_those_of_a_lost_link_do_not() {
        let mut outbox = Outbox::default();
        for n in 0..caps::WAITING_ACCUSATIONS as u32 {
            assert!(outbox.add(LINK, &said(n), end(7), at(0)));
        }
        assert!(!outbox.add(LINK, &said(0), end(7), at(0)));
        outbox.forget(LINK);
        assert_eq!((outbox.len(), outbox.due(at(0))), (0, None));
        assert!(outbox.add(LINK, &said(0), end(7), at(0)));
    }
}
