//! As whom the node runs.

use crate::config::Checked;
use peer_exchange_tls::{NodeKey, Tls};

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
    Ok((key, tls))
}
