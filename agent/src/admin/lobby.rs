//! Connections that have not asked yet, or not again: room for so many, and who has waited longest
//! goes when another comes. So there is always room for a probe, whoever holds what is there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

/// Seats. A client that sends its request at once needs one for a round trip.
const SEATS: usize = 128;

pub(super) struct Lobby(Mutex<Seats>);

struct Seats {
    /// So many.
    size: usize,
    /// The number of the next to come.
    next: u64,
    taken: BTreeMap<u64, Arc<Notify>>,
}

impl Default for Lobby {
    fn default() -> Self {
        Self::new(SEATS)
    }
}

impl Lobby {
    pub(super) const fn new(size: usize) -> Self {
        Self(Mutex::new(Seats {
            size,
            next: 0,
            taken: BTreeMap::new(),
        }))
    }

    fn sit(&self, leave: &Arc<Notify>) -> u64 {
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seats.taken.len() >= seats.size
            && let Some((_, longest)) = seats.taken.pop_first()
        {
            longest.notify_one();
        }
        let seat = seats.next;
        seats.next += 1;
        seats.taken.insert(seat, Arc::clone(leave));
        seat
    }

    fn rise(&self, seat: u64) {
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seats.taken.remove(&seat);
    }
}

/// One connection, as long as it is there.
pub(super) struct Guest {
    lobby: Arc<Lobby>,
    seat: Mutex<Option<u64>>,
    leave: Arc<Notify>,
    /// Until when the answer under way is taken.
    until: watch::Sender<Option<Instant>>,
}

/// Why a guest has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// A newer one has its seat.
    Crowded,
    /// It has not taken its answer.
    Unread,
}

impl Guest {
    pub(super) fn new(lobby: Arc<Lobby>) -> Arc<Self> {
        let guest = Self {
            lobby,
            seat: Mutex::default(),
            leave: Arc::default(),
            until: watch::Sender::new(None),
        };
        guest.sit();
        Arc::new(guest)
    }

    fn sit(&self) {
        let mut seat = self.seat.lock().unwrap_or_else(PoisonError::into_inner);
        if seat.is_none() {
            *seat = Some(self.lobby.sit(&self.leave));
        }
    }

    fn sits(&self) -> bool {
        let seat = self.seat.lock().unwrap_or_else(PoisonError::into_inner);
        seat.is_some()
    }

    fn rise(&self) {
        let mut seat = self.seat.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = seat.take() {
            self.lobby.rise(seat);
        }
    }

    /// It has asked. What is returned stands for the answer.
    pub(super) fn asks(self: &Arc<Self>) -> Answer {
        self.rise();
        Answer(Arc::clone(self))
    }

    /// Ends when it has to go.
    pub(super) async fn sent_away(&self) -> Why {
        let mut until = self.until.subscribe();
        loop {
            let late = *until.borrow_and_update();
            let overdue = async {
                match late {
                    Some(late) => sleep_until(late).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // Unless it has asked since.
                () = self.leave.notified() => if self.sits() { return Why::Crowded },
                () = overdue => return Why::Unread,
                // Its sender is this guest's own.
                _ = until.changed() => {}
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.rise();
    }
}

/// An answer under way: it ends when this is dropped.
pub(super) struct Answer(Arc<Guest>);

impl Answer {
    /// It is there, and to be taken within this time.
    pub(super) fn within(self, time: Duration) -> Self {
        self.0.until.send_replace(Some(Instant::now() + time));
        self
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.until.send_replace(None);
        self.0.sit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_sent_away(guest: &Guest) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let away = async { tokio::time::timeout(Duration::ZERO, guest.sent_away()).await };
        runtime.block_on(away).is_ok()
    }

    #[test]
    fn the_longest_waiting_goes_and_whoever_is_answered_stays() {
        let lobby = Arc::new(Lobby::default());
        let first = Guest::new(Arc::clone(&lobby));
        let second = Guest::new(Arc::clone(&lobby));
        let answer = first.asks();
        let mut others: Vec<_> = (2..SEATS).map(|_| Guest::new(Arc::clone(&lobby))).collect();
        others.push(Guest::new(Arc::clone(&lobby)));
        assert!(!is_sent_away(&second), "all have a seat");
        // It comes back, and is the last to come.
        drop(answer);
        assert!(is_sent_away(&second) && !is_sent_away(&first));
        drop(others);
        drop((first, second));
        assert!(lobby.0.lock().unwrap().taken.is_empty());
    }

    #[test]
    fn an_answer_that_nobody_takes_ends_it() {
        let guest = Guest::new(Arc::default());
        let answer = guest.asks().within(Duration::ZERO);
        assert!(is_sent_away(&guest));
        drop(answer);
        assert!(!is_sent_away(&guest));
    }
}
