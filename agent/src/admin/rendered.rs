//! Pages that are made once a second at most, however many ask.

use peer_exchange::driver::Stopped;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::sleep;

/// Whoever asks within this time after a page was made gets that one.
const FRESH: Duration = Duration::from_secs(1);

/// The last one, and when it was made.
type Last<T> = Mutex<Option<(Instant, Arc<T>)>>;

/// One page.
pub(super) struct Rendered<T> {
    /// Locked while it is made, so that all others wait for that.
    last: Arc<Last<T>>,
    times: Arc<AtomicU64>,
}

impl<T> Default for Rendered<T> {
    fn default() -> Self {
        Self {
            last: Arc::default(),
            times: Arc::default(),
        }
    }
}

impl<T: Send + Sync + 'static> Rendered<T> {
    /// How often it was made.
    pub(super) fn times(&self) -> u64 {
        self.times.load(Ordering::Relaxed)
    }

    /// The page as it is, or as `make` makes it. Made by a task of its own: whoever asks and hangs up
    /// would else have it begun again by the next.
    pub(super) async fn get(
        &self,
        make: impl Future<Output = Result<T, Stopped>> + Send + 'static,
    ) -> Result<Arc<T>, Stopped> {
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some((at, page)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(page));
        }
        let (kept, times) = (Arc::clone(&self.last), Arc::clone(&self.times));
        let made = tokio::spawn(async move {
            // The old one need not stay until the new one is there.
            *last = None;
            times.fetch_add(1, Ordering::Relaxed);
            let page = Arc::new(make.await?);
            *last = Some((Instant::now(), Arc::clone(&page)));
            tokio::spawn(give_up(kept));
            Ok(page)
        });
        // It neither panics nor is it aborted while the agent runs.
        made.await.unwrap_or(Err(Stopped))
    }
}

/// A large page is kept no longer than it serves anybody.
async fn give_up<T>(kept: Arc<Last<T>>) {
    sleep(FRESH).await;
    let mut last = kept.lock().await;
    if last.as_ref().is_some_and(|(at, _)| at.elapsed() >= FRESH) {
        *last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    }

    #[test]
    fn a_thousand_at_once_cost_one_rendering() {
        runtime().block_on(async {
            let page = Arc::new(Rendered::default());
            let mut asking = tokio::task::JoinSet::new();
            for _ in 0..1_000 {
                let page = Arc::clone(&page);
                let make = async {
                    tokio::task::yield_now().await;
                    Ok(7)
                };
                asking.spawn(async move { page.get(make).await.map(|page| *page) });
            }
            let answers = asking.join_all().await;
            assert!(answers.iter().all(|answer| *answer == Ok(7)));
            assert_eq!(page.times(), 1);
        });
    }

    #[test]
    fn who_hangs_up_meanwhile_leaves_it_to_the_next() {
        runtime().block_on(async {
            let page = Arc::new(Rendered::default());
            let (go, wait) = tokio::sync::oneshot::channel::<()>();
            let make = async {
                let _ = wait.await;
                Ok(1)
            };
            let asking = Arc::clone(&page);
            let first = tokio::spawn(async move { asking.get(make).await });
            tokio::task::yield_now().await;
            first.abort();
            tokio::task::yield_now().await;
            go.send(()).unwrap();
            let second = page.get(async { Ok(2) }).await;
            assert_eq!((second.as_deref(), page.times()), (Ok(&1), 1));
        });
    }

    #[test]
    fn a_failure_is_not_kept() {
        runtime().block_on(async {
            let page = Rendered::<u8>::default();
            assert!(page.get(async { Err(Stopped) }).await.is_err());
            assert_eq!(page.get(async { Ok(3) }).await.as_deref(), Ok(&3));
        });
    }
}
