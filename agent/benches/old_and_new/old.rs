//! A model of the old behaviour over real HTTP: a server answers by asking its upstream first, with
//! twenty requests in flight at most, as it was after the first cure.
//!
//! It is kinder than the original, which spoke HTTPS: connections are kept, and nothing is encrypted.

use crate::clients::{self, Http};
use crate::harness::Lab;
use crate::{PATH, SERVERS, Scene, Servers};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The first argument of the process that is one of these servers.
pub(crate) const SERVE: &str = "old-server";
/// Requests in flight.
const IN_FLIGHT: usize = 20;
/// The time-out of a request, all in all.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often this server has asked its upstream.
const COUNT: &str = "/count";

struct Server {
    http: Http,
    upstream: String,
    /// What it has of itself to give; empty at a cold start.
    own: String,
    in_flight: Semaphore,
    asked: AtomicU64,
}

/// One server, until the process is ended: `ADDRESS UPSTREAM OWN`.
pub(crate) fn serve(args: &[String]) {
    let [at, upstream, own] = args else {
        panic!("an address, an upstream, and what to give");
    };
    let at: SocketAddr = at.parse().expect("an address");
    let server = Server {
        http: clients::http(),
        upstream: format!("http://{upstream}{PATH}"),
        own: own.clone(),
        in_flight: Semaphore::new(IN_FLIGHT),
        asked: AtomicU64::new(0),
    };
    let router = Router::new()
        .route(PATH, get(peers))
        .route(COUNT, get(count))
        .with_state(Arc::new(server));
    // As many as an agent has.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(at).await.expect("a port");
        axum::serve(listener, router).await.expect("it serves");
    });
}

/// The upstream is asked first. Its answer is the answer, unless it is empty.
async fn peers(State(server): State<Arc<Server>>) -> Response {
    let Ok(_slot) = server.in_flight.try_acquire() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many").into_response();
    };
    server.asked.fetch_add(1, Ordering::Relaxed);
    let asked = clients::get(&server.http, &server.upstream);
    if let Ok(Some(body)) = timeout(PATIENCE, asked).await {
        return ([(header::CONTENT_TYPE, "application/json")], body).into_response();
    }
    if server.own.is_empty() {
        return (StatusCode::SERVICE_UNAVAILABLE, "no peers").into_response();
    }
    let body = format!("[\"{}\"]", server.own);
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn count(State(server): State<Arc<Server>>) -> String {
    server.asked.load(Ordering::Relaxed).to_string()
}

/// Servers of the old kind in a ring.
pub(crate) struct Old(Vec<(Child, SocketAddr)>);

pub(crate) fn start(scene: Scene) -> Old {
    // Addresses such as agents would have.
    let lab = Lab::new();
    let at: Vec<_> = lab.ring(SERVERS).iter().map(|a| a.socket()).collect();
    let program = std::env::current_exe().expect("this program");
    let server = |i: usize| {
        let own = format!("/ip4/10.0.0.{i}/tcp/5001");
        let child = Command::new(&program)
            .arg(SERVE)
            .arg(at[i].to_string())
            .arg(at[(i + 1) % SERVERS].to_string())
            .arg(if scene.addresses { &own } else { "" })
            .stdin(Stdio::null())
            .spawn();
        (child.expect("a process"), at[i])
    };
    let old = Old((0..SERVERS).map(server).collect());
    for url in old.urls() {
        while read(&format!("{url}{COUNT}")).is_none() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    old
}

fn read(url: &str) -> Option<String> {
    let mut answer = ureq::get(url).call().ok()?;
    answer.body_mut().read_to_string().ok()
}

impl Servers for Old {
    fn urls(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|(_, at)| format!("http://{at}"))
            .collect()
    }

    fn processes(&self) -> Vec<u32> {
        self.0.iter().map(|(child, _)| child.id()).collect()
    }

    fn messages(&self) -> u64 {
        let asked = |url: String| read(&format!("{url}{COUNT}"))?.parse::<u64>().ok();
        let requests: Option<u64> = self.urls().into_iter().map(asked).sum();
        // Each is answered, if only with a refusal.
        2 * requests.expect("they run")
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        for (child, _) in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
