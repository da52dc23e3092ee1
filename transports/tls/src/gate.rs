//! How many connections may be half-open, from where, for how long, and what became of them.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use crate::handshake::HandshakeError;
use crate::places::{Network, Place, Places};

/// Bounds the incoming connections that have not proven membership, and counts.
///
/// One network, a /24 of IPv4 or a /64 of IPv6, has half of the room. From half of it on a random
/// connection gives way to a newcomer, the more likely the less room there is, and those first that
/// have said nothing: so a flood of silent connections keeps nobody out, wherever it comes from.
#[derive(Debug)]
pub struct Gate {
    places: Arc<Mutex<Places>>,
    timeout: Duration,
    counters: Counters,
}

/// Room for one half-open connection, until it is dropped.
#[derive(Debug)]
pub struct Permit {
    place: Arc<Place>,
    places: Arc<Mutex<Places>>,
    timeout: Duration,
}

impl Permit {
    /// The other end has said something: it gives way after those that have not.
    pub fn heard(&self) {
        self.place.heard();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        lock(&self.places).give_back(&self.place);
    }
}

fn lock(places: &Mutex<Places>) -> MutexGuard<'_, Places> {
    // Nothing panics halfway through.
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    failed: AtomicU64,
    not_ours: AtomicU64,
    wrong_token: AtomicU64,
    timed_out: AtomicU64,
    turned_away: AtomicU64,
}

/// What became of incoming connections. All only rise, but `half_open`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeStats {
    /// Became links.
    pub accepted: u64,
    /// The connection broke, or its TLS handshake failed: plain bytes, another authority.
    pub failed: u64,
    /// The other end speaks another protocol, or has no Ed25519 key.
    pub not_ours: u64,
    /// The other end does not know the token.
    pub wrong_token: u64,
    /// Did not finish in time.
    pub timed_out: u64,
    /// Dropped, at once or halfway, or asked to come again (QUIC retry), for want of room.
    pub turned_away: u64,
    /// Now: half-open.
    pub half_open: u64,
}

/// With more than half of the room taken, nobody gets longer than this: a flood of connections
/// that never finish goes by quickly, and an honest one needs a few round trips.
const CROWDED: Duration = Duration::from_secs(1);

impl Gate {
    /// For so many half-open connections, each for so long at most.
    #[must_use]
    pub fn new(size: usize, timeout: Duration) -> Self {
        Self {
            places: Arc::new(Mutex::new(Places::new(size))),
            timeout,
            counters: Counters::default(),
        }
    }

    /// Room for a connection from there, if need be that of another, which gives way. `None`, which
    /// is counted: there is none.
    pub fn enter(&self, from: IpAddr) -> Option<Permit> {
        let network = Network::of(from);
        let mut places = lock(&self.places);
        let Some((place, left)) = places.take(network) else {
            self.turned_away();
            return None;
        };
        self.counters
            .turned_away
            .fetch_add(left as u64, Ordering::Relaxed);
        let timeout = if places.is_crowded(network) {
            self.timeout.min(CROWDED)
        } else {
            self.timeout
        };
        Some(Permit {
            place,
            places: self.places.clone(),
            timeout,
        })
    }

    /// More than half of the room is taken, or of what there is for the network of this address.
    #[must_use]
    pub fn is_crowded(&self, from: IpAddr) -> bool {
        lock(&self.places).is_crowded(Network::of(from))
    }

    /// Runs a handshake within the permit's time, until it has to give way to another, and counts
    /// how it ends. Keep the permit until the driver has the link: there is no other bound on links
    /// that wait for it.
    ///
    /// # Errors
    /// Those of the handshake, when it takes too long, and when it has given way.
    pub async fn admit<T>(
        &self,
        permit: &Permit,
        handshake: impl Future<Output = Result<T, HandshakeError>>,
    ) -> Result<T, HandshakeError> {
        let outcome = tokio::select! {
            outcome = timeout(permit.timeout, handshake) => outcome,
            // Counted by whom it has made room for.
            () = permit.place.leave.notified() => return Err(HandshakeError::GaveWay),
        };
        let outcome = outcome.unwrap_or(Err(HandshakeError::TimedOut));
        if outcome.is_ok() {
            permit.place.proven();
        }
        let counters = &self.counters;
        let counter = match &outcome {
            Ok(_) => &counters.accepted,
            Err(HandshakeError::WrongToken) => &counters.wrong_token,
            Err(HandshakeError::TimedOut) => &counters.timed_out,
            Err(HandshakeError::Protocol | HandshakeError::NoKey) => &counters.not_ours,
            Err(_) => &counters.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        outcome
    }

    /// Counts a connection that was not even looked at.
    pub fn turned_away(&self) {
        self.counters.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> HandshakeStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HandshakeStats {
            accepted: read(&self.counters.accepted),
            failed: read(&self.counters.failed),
            not_ours: read(&self.counters.not_ours),
            wrong_token: read(&self.counters.wrong_token),
            timed_out: read(&self.counters.timed_out),
            turned_away: read(&self.counters.turned_away),
            half_open: lock(&self.places).taken() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::time::Instant;

    /// Of a hundred members that come one after another, each at its own time and once, in the midst of so
    /// many silent connections a second: how many get in.
    async fn get_in(gate: Gate, rate: u32, from: fn(u32) -> IpAddr) -> usize {
        let gate = Arc::new(gate);
        let flooded = Arc::clone(&gate);
        let flood = tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_millis(1));
            for n in 0.. {
                if n % (rate / 1000) == 0 {
                    tick.tick().await;
                }
                let gate = Arc::clone(&flooded);
                tokio::spawn(async move {
                    if let Some(permit) = gate.enter(from(n)) {
                        let _ = gate.admit(&permit, pending::<Result<(), _>>()).await;
                    }
                });
            }
        });
        let mut members = 0;
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(97)).await;
            let Some(permit) = gate.enter(MEMBER) else {
                continue;
            };
            // Three round trips of 20 ms.
            let handshake = async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                permit.heard();
                tokio::time::sleep(Duration::from_millis(40)).await;
                Ok(())
            };
            members += usize::from(gate.admit(&permit, handshake).await.is_ok());
        }
        flood.abort();
        members
    }

    const MEMBER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

    /// The same flood, with what is done about it and without: else it would not be seen that it is that
    /// which lets them in.
    #[tokio::test(start_paused = true)]
    async fn a_flood_keeps_members_out_where_nobody_gives_way_and_not_where_somebody_does() {
        let neighbours: fn(u32) -> IpAddr = |_| MEMBER;
        let everywhere: fn(u32) -> IpAddr = |n| (0x0a00_0000 + (n << 8)).to_be_bytes().into();
        for (what, from) in [("one network", neighbours), ("everywhere", everywhere)] {
            for rate in [1000, 3000] {
                fastrand::seed(7);
                let (size, patience) = (256, Duration::from_secs(5));
                let with = get_in(Gate::new(size, patience), rate, from).await;
                let gate = Gate {
                    places: Arc::new(Mutex::new(Places::undefended(size))),
                    ..Gate::new(size, patience)
                };
                let without = get_in(gate, rate, from).await;
                eprintln!(
                    "{rate} silent connections a second from {what}: of 100 members {with} get in at once, {without} where nobody gives way"
                );
                assert!(with > 40, "{with}");
                assert!(without < 20, "{without}");
            }
        }
    }

    /// One of a network of its own, with this number.
    fn host(n: u8) -> IpAddr {
        [192, 0, n, 1].into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_gets_less_time() {
        let gate = Gate::new(4, Duration::from_secs(5));
        let start = Instant::now();
        let first = gate.enter(host(1)).unwrap();
        let failed = gate.admit(&first, pending::<Result<(), _>>()).await;
        assert!(matches!(failed, Err(HandshakeError::TimedOut)));
        assert_eq!(start.elapsed(), Duration::from_secs(5));
        drop(first);
        let _crowd = [gate.enter(host(1)).unwrap(), gate.enter(host(2)).unwrap()];
        let last = gate.enter(host(3)).unwrap();
        assert!(gate.admit(&last, pending::<Result<(), _>>()).await.is_err());
        assert_eq!(start.elapsed(), Duration::from_secs(6));
        assert_eq!((gate.stats().timed_out, gate.stats().half_open), (2, 3));
    }

    #[tokio::test]
    async fn who_is_silent_makes_room_for_a_newcomer() {
        let gate = Gate::new(2, Duration::from_secs(5));
        let (silent, spoken) = (gate.enter(host(1)).unwrap(), gate.enter(host(2)).unwrap());
        spoken.heard();
        // Both networks have all that they may: the newcomer's own one makes room.
        let newcomer = gate.enter(host(1)).unwrap();
        let outcome = gate.admit(&silent, pending::<Result<(), _>>()).await;
        assert!(matches!(outcome, Err(HandshakeError::GaveWay)));
        assert!(gate.admit(&newcomer, async { Ok(()) }).await.is_ok());
        assert!(gate.admit(&spoken, async { Ok(()) }).await.is_ok());
        let stats = gate.stats();
        assert_eq!(
            (stats.accepted, stats.turned_away, stats.half_open),
            (2, 1, 2)
        );
        // It has been replaced, and gives nothing back.
        drop(silent);
        assert_eq!(gate.stats().half_open, 2);
        // Both are members now.
        assert!(gate.enter(host(3)).is_none());
        drop(newcomer);
        assert!(gate.enter(host(3)).is_some());
    }
}
