//! The admin interface: what a running agent tells over HTTP.

mod formats;
mod health;
mod map;
mod metrics;
mod page;
mod server;
pub(crate) mod views;

use crate::live::Agent;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use map::Map;
use peer_exchange::driver::Stopped;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tracing::info;
use views::{Loops, Peers, Status};

/// OpenMetrics, as Prometheus asks for it.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
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

/// Serves until the task is dropped.
pub(crate) async fn serve(listener: TcpListener, agent: Arc<Agent>) {
    if let Ok(at) = listener.local_addr() {
        info!("admin interface on http://{at}");
    }
    server::serve(listener, router(agent)).await;
}

fn router(agent: Arc<Agent>) -> Router {
    Router::new()
        .route("/", get(|| async { INDEX }))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics))
        .route("/v1/peers", get(peers))
        .route("/v1/loops", get(loops))
        .route("/v1/topology", get(topology))
        .route("/v1/status", get(status))
        .merge(both("/id", get(formats::spegel)))
        .merge(both("/spegel/v1/id", get(formats::spegel_one)))
        // BASE/id, where somebody has written BASE with a slash at its end.
        .route("/spegel/v1//id", get(formats::spegel_one))
        .merge(both("/v1-k3s/p2p", get(formats::rancher)))
        .merge(both("/v1-rke2/p2p", get(formats::rancher)))
        .with_state(agent)
}

/// With and without a slash at its end: people write both, and these clients follow no redirection.
fn both(path: &str, route: MethodRouter<Arc<Agent>>) -> Router<Arc<Agent>> {
    Router::new()
        .route(path, route.clone())
        .route(&format!("{path}/"), route)
}

type Asked = State<Arc<Agent>>;

async fn peers(State(agent): Asked) -> Result<Json<Peers>, Down> {
    Ok(Json(Peers::of(&agent).await?))
}

async fn loops(State(agent): Asked) -> Result<Json<Loops>, Down> {
    Ok(Json(Loops::of(&agent).await?))
}

async fn topology(State(agent): Asked) -> Result<Json<Map>, Down> {
    Ok(Json(Map::of(&agent).await?))
}

async fn status(State(agent): Asked) -> Result<Json<Status>, Down> {
    Ok(Json(Status::of(&agent).await?))
}

async fn metrics(State(agent): Asked) -> Result<Response, Down> {
    let text = metrics::text(&agent).await?;
    Ok(([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response())
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
