//! Several ways to one place: tried in order, each a little after the one before.

use core::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

/// Starts each attempt `pause` after the one before, or at once when that has failed, and gives
/// the first success, after RFC 8305. The others are dropped. With none it gives the last error,
/// or `None` if there was no attempt at all.
///
/// A transport uses it for the answers of the name server, the driver for a peer's addresses.
///
/// # Panics
/// Outside a tokio runtime.
pub async fn staggered<T, E, F>(
    attempts: impl IntoIterator<Item = F>,
    pause: Duration,
) -> Option<Result<T, E>>
where
    T: Send + 'static,
    E: Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    let mut attempts = attempts.into_iter().fuse().peekable();
    let mut running = JoinSet::new();
    let mut last = None;
    loop {
        if let Some(attempt) = attempts.next() {
            running.spawn(attempt);
        }
        tokio::select! {
            outcome = running.join_next() => match outcome {
                Some(Ok(Ok(success))) => return Some(Ok(success)),
                Some(Ok(Err(error))) => last = Some(Err(error)),
                // It has panicked: as good as failed.
                Some(Err(_)) => {}
                None if attempts.peek().is_none() => return last,
                None => {}
            },
            () = sleep(pause), if attempts.peek().is_some() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::boxed::Box;
    use alloc::vec::Vec;
    use core::pin::Pin;
    use tokio::time::Instant;

    type Attempt = Pin<Box<dyn Future<Output = Result<u8, u8>> + Send>>;

    fn after(millis: u64, outcome: Result<u8, u8>) -> Attempt {
        Box::pin(async move {
            sleep(Duration::from_millis(millis)).await;
            outcome
        })
    }

    const PAUSE: Duration = Duration::from_millis(250);

    #[tokio::test(start_paused = true)]
    async fn the_first_to_succeed_wins() {
        let start = Instant::now();
        let attempts = [after(10_000, Ok(1)), after(100, Ok(2)), after(0, Ok(3))];
        assert_eq!(staggered(attempts, PAUSE).await, Some(Ok(2)));
        assert_eq!(start.elapsed(), Duration::from_millis(350));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_starts_the_next_at_once() {
        let start = Instant::now();
        let attempts = [after(10, Err(1)), after(10, Err(2)), after(10, Ok(3))];
        assert_eq!(staggered(attempts, PAUSE).await, Some(Ok(3)));
        assert_eq!(start.elapsed(), Duration::from_millis(30));
    }

    #[tokio::test(start_paused = true)]
    async fn all_failures_are_one() {
        let attempts = [after(10, Err(1)), after(5, Err(2))];
        assert_eq!(staggered(attempts, PAUSE).await, Some(Err(2)));
        assert_eq!(staggered(Vec::<Attempt>::new(), PAUSE).await, None);
    }
}
