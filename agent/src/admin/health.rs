//! Whether the agent lives, and whether it is of use yet.

use super::Desk;
use crate::usage::scarce_descriptors;
use axum::extract::State;
use axum::http::StatusCode;
use peer_exchange::{Readiness, ReadinessView};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The node's task answers within this time, or it hangs.
const PATIENCE: Duration = Duration::from_secs(2);

/// The node runs also without descriptors, and a new process would have no more of them: said, with
/// 200.
pub(super) async fn healthz(State(desk): State<Arc<Desk>>) -> (StatusCode, String) {
    match timeout(PATIENCE, desk.agent.handle.read(|_| ())).await {
        Ok(Ok(())) => (
            StatusCode::OK,
            match scarce_descriptors() {
                None => "ok\n".to_owned(),
                Some((open, limit)) => format!(
                    "ok, but {open} of {limit} file descriptors are in use: raise the limit (LimitNOFILE)\n"
                ),
            },
        ),
        Ok(Err(_)) => unavailable("the node has stopped\n"),
        Err(_) => unavailable("the node does not answer\n"),
    }
}

pub(super) async fn readyz(State(desk): State<Arc<Desk>>) -> (StatusCode, String) {
    match timeout(PATIENCE, desk.agent.handle.readiness()).await {
        Ok(Ok(view)) => {
            let code = if view.state.is_ready() {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            (code, format!("{}\n", standing(&view)))
        }
        Ok(Err(_)) => unavailable("the node has stopped\n"),
        Err(_) => unavailable("the node does not answer\n"),
    }
}

fn unavailable(why: &str) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, why.to_owned())
}

/// One word for `/v1/status`.
pub(super) const fn word(state: Readiness) -> &'static str {
    match state {
        Readiness::Ready => "ready",
        Readiness::Alone => "alone",
        Readiness::Waiting => "waiting",
        Readiness::Island => "island",
        _ => "unknown",
    }
}

/// That word, and why.
pub(super) fn standing(view: &ReadinessView) -> String {
    let word = word(view.state);
    let why = match view.state {
        Readiness::Ready if view.only_itself => {
            "linked, by others alone: its upstreams lead to this node itself; name another upstream"
        }
        Readiness::Ready => return word.to_owned(),
        Readiness::Alone if view.only_itself => {
            "its upstreams lead to this node itself, again and again: if there are others, name another upstream"
        }
        Readiness::Alone if view.upstreams == 0 => "it has no upstreams, and nobody has come",
        Readiness::Alone => {
            "no upstream leads to another node: the first one, or cut off since its start"
        }
        Readiness::Island => "others are known, and none is linked: see /v1/status",
        _ => "no upstream has answered yet: see /v1/status",
    };
    format!("{word}: {why}")
}
