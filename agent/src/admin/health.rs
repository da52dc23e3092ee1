//! Whether the agent lives, and whether it is of use yet.

use crate::live::Agent;
use axum::extract::State;
use axum::http::StatusCode;
use peer_exchange::{Node, UpstreamState};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The node's task answers within this time, or it hangs.
const PATIENCE: Duration = Duration::from_secs(2);

type Answer = (StatusCode, &'static str);

pub(super) async fn healthz(State(agent): State<Arc<Agent>>) -> Answer {
    match timeout(PATIENCE, agent.handle.read(|_| ())).await {
        Ok(Ok(())) => (StatusCode::OK, "ok\n"),
        Ok(Err(_)) => (StatusCode::SERVICE_UNAVAILABLE, "the node has stopped\n"),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the node does not answer\n",
        ),
    }
}

pub(super) async fn readyz(State(agent): State<Arc<Agent>>) -> Answer {
    match timeout(PATIENCE, agent.handle.read(is_ready)).await {
        Ok(Ok(true)) => (StatusCode::OK, "ready\n"),
        Ok(Ok(false)) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "no peer is known and no upstream is connected: see /v1/status\n",
        ),
        Ok(Err(_)) => (StatusCode::SERVICE_UNAVAILABLE, "the node has stopped\n"),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the node does not answer\n",
        ),
    }
}

/// It knows a peer, or is connected to whom it asks, or has nobody to ask.
fn is_ready(node: &Node) -> bool {
    let mut upstreams = node.upstreams().peekable();
    node.peer_count() > 0
        || upstreams.peek().is_none()
        || upstreams.any(|u| matches!(u.state, UpstreamState::Up))
}
