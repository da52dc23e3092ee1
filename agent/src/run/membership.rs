//! As whom the node runs.

use super::log::{Seldom, again};
use crate::config::Checked;
use peer_exchange_tls::{NodeKey, Tls};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::warn;

/// The node's key, made if this is the first start, and the TLS configurations that it and its
/// membership make.
///
/// # Errors
/// A message: the key cannot be made.
pub(super) fn load(checked: &Checked) -> Result<(NodeKey, Tls), String> {
    let settings = &checked.settings;
    let membership = checked.membership.as_ref();
    let membership = membership.ok_or("there is no membership, which is a bug")?;
    let key = match &checked.key {
        Some(key) => key.clone(),
        None => NodeKey::load_or_create(&settings.key_file).map_err(|error| error.to_string())?,
    };
    let tls = Tls::new(&key, membership)
        .map_err(|error| format!("{}: {error}", settings.path.display()))?;
    tell_revoked(&tls, settings.core.report_interval);
    Ok((key, tls))
}

/// Says whose certificate was refused because it is revoked: each once in this time.
fn tell_revoked(tls: &Tls, interval: Duration) {
    let seldom = Mutex::new(Seldom::new(interval));
    tls.tell_revoked(move |node| {
        let mut seldom = seldom.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(more) = seldom.due(&node.to_string(), Instant::now()) {
            warn!(
                "node {node:?} is refused: its certificate is in `authority.revocation_lists`{}",
                again(more)
            );
        }
    });
}
