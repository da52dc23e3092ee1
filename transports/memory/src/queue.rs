//! The event queue: by virtual time, then in the order of insertion.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

pub(crate) struct Queue<T> {
    heap: BinaryHeap<Item<T>>,
    next: u64,
}

struct Item<T> {
    at: Duration,
    order: u64,
    what: T,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            next: 0,
        }
    }
}

impl<T> Queue<T> {
    pub(crate) fn push(&mut self, at: Duration, what: T) {
        self.next += 1;
        self.heap.push(Item {
            at,
            order: self.next,
            what,
        });
    }

    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.heap.peek().map(|item| item.at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Duration, T)> {
        self.heap.pop().map(|item| (item.at, item.what))
    }
}

impl<T> PartialEq for Item<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Item<T> {}

impl<T> PartialOrd for Item<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Item<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}
