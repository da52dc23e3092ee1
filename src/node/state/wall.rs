//! The wall clock beside the node's own: time that only the former has seen (R34).

use core::time::Duration;

use crate::time::Instant;

/// What the two may drift apart, or be set, between two readings, without any meaning.
const TOLERANCE_MS: i64 = 10_000;

#[derive(Default)]
pub(crate) struct Wall {
    /// How far the wall clock was ahead of the node's at the most, in milliseconds.
    ahead: Option<i64>,
}

impl Wall {
    /// The wall clock says this, so long after its origin. How much time only it has seen since
    /// it was read before. What it has been set back does not count when it goes on to where it was.
    pub(crate) fn read(&mut self, wall: Duration, now: Instant) -> Duration {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let own = now.saturating_since(Instant::ZERO);
        let ahead = millis(wall).saturating_sub(millis(own));
        let before = *self.ahead.get_or_insert(ahead);
        let lost = ahead.saturating_sub(before);
        self.ahead = Some(before.max(ahead));
        match lost > TOLERANCE_MS {
            true => Duration::from_millis(lost.unsigned_abs()),
            false => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::at;

    const HOUR: u64 = 3_600;

    /// What is lost by each reading, in seconds: (wall clock, own clock).
    fn lost<const N: usize>(readings: [(u64, u64); N]) -> [u64; N] {
        let mut wall = Wall::default();
        readings.map(|(w, own)| wall.read(Duration::from_secs(w), at(own)).as_secs())
    }

    /// R34: the first reading says nothing, whatever it is.
    #[test]
    fn what_only_the_wall_clock_has_seen_is_lost_once() {
        assert_eq!(
            lost([(9_000, 1), (9_001, 2), (9_000 + HOUR, 3), (9_001 + HOUR, 4)]),
            [0, 0, HOUR - 2, 0]
        );
    }

    /// R34: a clock that is set to and fro has seen no more than it has seen once.
    #[test]
    fn a_step_back_and_forth_is_no_time() {
        let (w, own) = (10 * HOUR, 100);
        assert_eq!(
            lost([
                (w, own),
                (w - HOUR, own),
                (w, own),
                (w + HOUR, own),
                (w, own),
                (w + HOUR, own)
            ]),
            [0, 0, 0, HOUR, 0, 0]
        );
    }

    /// Two clocks that run at different speeds are no sleep, however long.
    #[test]
    fn drift_is_no_sleep() {
        let mut wall = Wall::default();
        for second in 0..10_000 {
            let read = Duration::from_secs(second + second / 100);
            assert_eq!(wall.read(read, at(second)), Duration::ZERO);
        }
    }

    #[test]
    fn no_reading_is_out_of_range() {
        let mut wall = Wall::default();
        wall.read(Duration::MAX, Instant::ZERO);
        wall.read(Duration::ZERO, Instant::from_duration(Duration::MAX));
        let lost = wall.read(Duration::MAX, Instant::ZERO);
        assert_eq!(lost, Duration::ZERO);
    }
}
