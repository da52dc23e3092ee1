//! The admin interface: what a running agent tells over HTTP.

mod body;
mod counts;
mod formats;
mod guard;
mod health;
mod listing;
mod lobby;
mod map;
mod metrics;
mod page;
mod pages;
mod rendered;
mod server;
pub(crate) mod views;

use crate::live::Agent;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use counts::Counts;
use pages::Pages;
use peer_exchange::driver::Stopped;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::info;

/// Requests that are being answered at once, probes apart.
const ANSWERING: usize = 64;
/// What `/` shows.
const INDEX: &str = "\
peerx

/healthz      200 while the node runs
/readyz       200 when it is linked to somebody, or has tried to find others in vain
/metrics      for Prometheus
/v1/peers     known peers
/v1/loops     cycles of upstreams that this node is on
/v1/topology  who asks whom
/v1/status    this node, its links and upstreams
              (/v1/peers and /v1/topology in parts: ?limit=100, then what `next` says)

/spegel/v1/id  a libp2p peer, another one each time: for Spegel 0.4 to 0.7.4
               (--http-bootstrap-peer=http://THIS/spegel/v1)
/id            libp2p peers, for Spegel after 0.7.4 (--http-bootstrap-url=http://THIS/id)
/v1-k3s/p2p    the same for K3s
/v1-rke2/p2p   the same for RKE2
";

/// Opens the socket, if there is to be one.
///
/// # Errors
/// A message for the user.
pub(crate) async fn bind(at: Option<SocketAddr>) -> Result<Option<TcpListener>, String> {
    let Some(at) = at else { return Ok(None) };
    let listener = TcpListener::bind(at).await.map_err(|error| {
        format!("cannot listen on {at} for the admin interface: {error}; set `admin` to a free port, or \"off\"")
    })?;
    Ok(Some(listener))
}

/// What answers share.
struct Desk {
    agent: Arc<Agent>,
    pages: Pages,
    counts: Counts,
    answering: Arc<Semaphore>,
}

/// Serves until the task is dropped.
pub(crate) async fn serve(listener: TcpListener, agent: Arc<Agent>) {
    if let Ok(at) = listener.local_addr() {
        let scheme = match agent.access().tls {
            Some(_) => "https",
            None => "http",
        };
        info!("admin interface on {scheme}://{at}");
    }
    let desk = Arc::new(Desk {
        agent,
        pages: Pages::default(),
        counts: Counts::default(),
        answering: Arc::new(Semaphore::new(ANSWERING)),
    });
    server::serve(listener, router(&desk), desk).await;
}

fn router(desk: &Arc<Desk>) -> Router {
    Router::new()
        .route("/", get(|| async { INDEX }))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(pages::metrics))
        .route("/v1/peers", get(pages::peers))
        .route("/v1/loops", get(pages::loops))
        .route("/v1/topology", get(pages::topology))
        .route("/v1/status", get(pages::status))
        .merge(both("/id", get(formats::spegel)))
        .merge(both("/spegel/v1/id", get(formats::spegel_one)))
        // BASE/id, where somebody has written BASE with a slash at its end.
        .route("/spegel/v1//id", get(formats::spegel_one))
        .merge(both("/v1-k3s/p2p", get(formats::rancher)))
        .merge(both("/v1-rke2/p2p", get(formats::rancher)))
        // Over everything, also what does not exist.
        .layer(from_fn_with_state(Arc::clone(desk), guard::guard))
        .with_state(Arc::clone(desk))
}

/// With and without a slash at its end: people write both, and these clients follow no redirection.
fn both(path: &str, route: MethodRouter<Arc<Desk>>) -> Router<Arc<Desk>> {
    Router::new()
        .route(path, route.clone())
        .route(&format!("{path}/"), route)
}

/// The node has stopped: the process is about to end.
struct Down;

impl From<Stopped> for Down {
    fn from(_: Stopped) -> Self {
        Self
    }
}

impl IntoResponse for Down {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, "the node has stopped\n").into_response()
    }
}
