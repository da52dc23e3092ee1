//! The pages, out of one rendering for all who ask, and not too many large ones on their way.

use super::body::{Held, Runs};
use super::counts::{Counts, Refusal};
use super::listing::{Listing, Part};
use super::map::Map;
use super::rendered::Rendered;
use super::views::{Loops, Peers, Status};
use super::{Desk, Down, metrics};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use peer_exchange::driver::Stopped;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// OpenMetrics, as Prometheus asks for it.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const JSON_TYPE: &str = "application/json";

/// What is longer is large: about eighty peers. What is shorter fits into a socket's buffer, so that
/// who does not read it holds nothing.
const LARGE: usize = 64 * 1024;
/// Large answers that are being sent at once: each may be of another moment, with bytes of its own.
const SENDING: usize = 2;
/// Who waits for one of them to end, and for how long.
const QUEUE: usize = 8;
const PATIENCE: Duration = Duration::from_secs(1);

/// What was made of each page, and how many large ones are on their way.
pub(super) struct Pages {
    peers: Rendered<Listing>,
    topology: Rendered<Listing>,
    loops: Rendered<Bytes>,
    status: Rendered<Bytes>,
    metrics: Rendered<Bytes>,
    sending: Arc<Semaphore>,
    queue: Semaphore,
}

impl Default for Pages {
    fn default() -> Self {
        Self::sending(SENDING)
    }
}

impl Pages {
    /// So many large answers are sent at once.
    fn sending(large: usize) -> Self {
        Self {
            peers: Rendered::default(),
            topology: Rendered::default(),
            loops: Rendered::default(),
            status: Rendered::default(),
            metrics: Rendered::default(),
            sending: Arc::new(Semaphore::new(large)),
            queue: Semaphore::new(QUEUE),
        }
    }

    /// How often each page was made.
    pub(super) fn times(&self) -> [(&'static str, u64); 5] {
        [
            ("peers", self.peers.times()),
            ("topology", self.topology.times()),
            ("loops", self.loops.times()),
            ("status", self.status.times()),
            ("metrics", self.metrics.times()),
        ]
    }

    /// The right to send a large answer; `None` when others have it for longer than is waited.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let sending = Arc::clone(&self.sending);
        if let Ok(turn) = Arc::clone(&sending).try_acquire_owned() {
            return Some(turn);
        }
        let _place = self.queue.try_acquire().ok()?;
        timeout(PATIENCE, sending.acquire_owned()).await.ok()?.ok()
    }
}

/// Answers with what `get` gives. While it waits for its turn it holds no page.
async fn send<F>(desk: &Desk, kind: &'static str, get: impl Fn() -> F) -> Result<Response, Down>
where
    F: Future<Output = Result<Runs, Stopped>>,
{
    send_of(&desk.pages, &desk.counts, kind, get).await
}

async fn send_of<F>(
    pages: &Pages,
    counts: &Counts,
    kind: &'static str,
    get: impl Fn() -> F,
) -> Result<Response, Down>
where
    F: Future<Output = Result<Runs, Stopped>>,
{
    let page = get().await?;
    let body = if page.len() <= LARGE {
        Body::new(page)
    } else {
        drop(page);
        let Some(turn) = pages.turn().await else {
            counts.refused(Refusal::Busy);
            return Ok(busy());
        };
        Body::new(Held::new(get().await?, turn))
    };
    Ok(([(CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response())
}

/// Too much is on its way.
pub(super) fn busy() -> Response {
    let why = "too many answers are on their way: come again in a second, or ask for a part of a long one, such as ?limit=50\n";
    let again = (RETRY_AFTER, HeaderValue::from_static("1"));
    (StatusCode::SERVICE_UNAVAILABLE, [again], why).into_response()
}

type Asked = State<Arc<Desk>>;

pub(super) async fn peers(State(desk): Asked, query: RawQuery) -> Result<Response, Down> {
    list(&desk, query, |desk, part| async move {
        let make = Peers::listing(Arc::clone(&desk.agent));
        Ok(desk.pages.peers.get(make).await?.part(&part))
    })
    .await
}

pub(super) async fn topology(State(desk): Asked, query: RawQuery) -> Result<Response, Down> {
    list(&desk, query, |desk, part| async move {
        let make = Map::listing(Arc::clone(&desk.agent));
        Ok(desk.pages.topology.get(make).await?.part(&part))
    })
    .await
}

pub(super) async fn loops(State(desk): Asked) -> Result<Response, Down> {
    send(&desk, JSON_TYPE, || async {
        let agent = Arc::clone(&desk.agent);
        let make = async move { written(Loops::of(&agent).await?).await };
        whole(&desk.pages.loops, make).await
    })
    .await
}

pub(super) async fn status(State(desk): Asked) -> Result<Response, Down> {
    send(&desk, JSON_TYPE, || async {
        let agent = Arc::clone(&desk.agent);
        let make = async move { written(Status::of(&agent).await?).await };
        whole(&desk.pages.status, make).await
    })
    .await
}

pub(super) async fn metrics(State(desk): Asked) -> Result<Response, Down> {
    send(&desk, METRICS_TYPE, || async {
        let made_of = Arc::clone(&desk);
        let make = async move { Ok(Bytes::from(metrics::text(&made_of).await?)) };
        whole(&desk.pages.metrics, make).await
    })
    .await
}

async fn whole(
    page: &Rendered<Bytes>,
    make: impl Future<Output = Result<Bytes, Stopped>> + Send + 'static,
) -> Result<Runs, Stopped> {
    Ok(Runs::from(Bytes::clone(&*page.get(make).await?)))
}

/// A list, or the part of it that the query names.
async fn list<F>(
    desk: &Arc<Desk>,
    RawQuery(query): RawQuery,
    get: impl Fn(Arc<Desk>, Part) -> F,
) -> Result<Response, Down>
where
    F: Future<Output = Result<Runs, Stopped>>,
{
    match Part::of_query(query.as_deref()) {
        Ok(part) => send(desk, JSON_TYPE, || get(Arc::clone(desk), part.clone())).await,
        Err(why) => Ok((StatusCode::BAD_REQUEST, why).into_response()),
    }
}

/// As JSON, on a thread where it holds up no probe.
async fn written<T: Serialize + Send + 'static>(page: T) -> Result<Bytes, Stopped> {
    let written = spawn_blocking(move || serde_json::to_vec(&page)).await;
    // None of them has what JSON does not: the runtime is about to end.
    Ok(written.map_err(|_| Stopped)?.map_err(|_| Stopped)?.into())
}

/// The same of a list.
pub(super) async fn listed(
    make: impl FnOnce() -> serde_json::Result<Listing> + Send + 'static,
) -> Result<Listing, Stopped> {
    let written = spawn_blocking(make).await;
    written.map_err(|_| Stopped)?.map_err(|_| Stopped)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A large page, as long as it is there.
    struct Large(Arc<Vec<u8>>);

    impl AsRef<[u8]> for Large {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    /// How many pages are in memory once so many have asked, each at a moment of its own, and nobody
    /// reads.
    async fn in_memory(pages: Pages, asking: usize) -> usize {
        let (pages, counts) = (Arc::new(pages), Arc::new(Counts::default()));
        let page = Arc::new(vec![b'x'; LARGE + 1]);
        let mut answers = tokio::task::JoinSet::new();
        for _ in 0..asking {
            let (pages, counts, page) =
                (Arc::clone(&pages), Arc::clone(&counts), Arc::clone(&page));
            answers.spawn(async move {
                let get = || async {
                    let page = Large(Arc::clone(&page));
                    Ok(Runs::from(Bytes::from_owner(page)))
                };
                let answer = send_of(&pages, &counts, JSON_TYPE, get).await;
                answer.unwrap_or_else(IntoResponse::into_response)
            });
        }
        let unread = answers.join_all().await;
        let there = Arc::strong_count(&page) - 1;
        drop(unread);
        there
    }

    #[tokio::test]
    async fn unread_pages_fill_the_memory_where_all_are_sent_at_once_and_not_where_two_are() {
        assert_eq!(in_memory(Pages::default(), 256).await, SENDING);
        let undefended = Pages::sending(Semaphore::MAX_PERMITS);
        assert_eq!(in_memory(undefended, 256).await, 256);
    }
}
