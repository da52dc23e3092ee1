//! Clients of the servers: they ask, and a second after the answer they ask again.

use crate::PATH;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// The second of the embedded registry's retries.
const RETRY: Duration = Duration::from_secs(1);

/// What clients have seen, together.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) all: u64,
    /// Answers that named somebody.
    pub(crate) with_peers: u64,
    pub(crate) slowest: Duration,
}

/// An HTTP client with a pool of connections.
pub(crate) type Http = Client<HttpConnector, Empty<Bytes>>;

pub(crate) fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

/// The body, if the status is 200.
pub(crate) async fn get(http: &Http, url: &str) -> Option<Bytes> {
    let request = Request::get(url).header("accept", "application/json");
    let request = request.body(Empty::new()).ok()?;
    let answer = http.request(request).await.ok()?;
    let good = answer.status() == 200;
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    good.then_some(body)
}

/// So many clients of each server, for so long.
pub(crate) async fn ask(servers: &[String], clients: usize, time: Duration) -> Asked {
    let start = Instant::now();
    let end = start + time;
    let mut running = JoinSet::new();
    for server in servers {
        for i in 0..clients {
            let url = format!("{server}{PATH}");
            // Spread over the second, as nodes are.
            let from = start + RETRY.mul_f64(i as f64 / clients as f64);
            running.spawn(async move {
                sleep_until(from).await;
                client(&url, end).await
            });
        }
    }
    let mut sum = Asked::default();
    while let Some(one) = running.join_next().await {
        let one = one.expect("a client");
        sum.all += one.all;
        sum.with_peers += one.with_peers;
        sum.slowest = sum.slowest.max(one.slowest);
    }
    sleep_until(end).await;
    sum
}

async fn client(url: &str, end: Instant) -> Asked {
    let http = http();
    let mut asked = Asked::default();
    while Instant::now() < end {
        let at = Instant::now();
        let answer = timeout_at(end, get(&http, url)).await;
        asked.all += 1;
        asked.slowest = asked.slowest.max(at.elapsed());
        asked.with_peers += u64::from(matches!(answer, Ok(Some(_))));
        let rest = end.saturating_duration_since(Instant::now());
        sleep(RETRY.min(rest)).await;
    }
    asked
}
