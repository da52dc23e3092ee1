//! Who may join, from what the configuration says.

use crate::config::{self, Members, Settings};
use peer_exchange_tls::{Membership, NodeKey, Tls, Token};
use std::path::Path;
use tracing::warn;

/// The node's key, and the TLS configurations that it and its membership make.
///
/// # Errors
/// A message that says which file or key is wrong.
pub(super) fn load(settings: &Settings, insecure: bool) -> Result<(NodeKey, Tls), String> {
    let membership = membership(settings, insecure)?;
    let key = NodeKey::load_or_create(&settings.key_file).map_err(|error| error.to_string())?;
    let tls = Tls::new(&key, &membership)
        .map_err(|error| format!("{}: {error}", settings.path.display()))?;
    Ok((key, tls))
}

fn membership(settings: &Settings, insecure: bool) -> Result<Membership, String> {
    let path = settings.path.display();
    if insecure {
        warn!(
            "--insecure: EVERYBODY who can reach a port of this node is a member, can read and disturb. Never outside an experiment."
        );
        return Ok(Membership::insecure());
    }
    match &settings.members {
        None => Err(format!(
            "{path}: nobody could join: set `token_file` (`peerx token > FILE` makes a token), or `[authority]`; for an experiment on one machine start with --insecure"
        )),
        Some(Members::Token(text)) => token(text, &format!("{path}: `token`")),
        Some(Members::TokenFile(file)) => {
            let shown = format!("{path}: `token_file` {}", file.display());
            let text = config::read_secret(file).map_err(|error| format!("{shown}: {error}"))?;
            warn_if_exposed(file);
            token(&text, &shown)
        }
        Some(Members::Authority(authority)) => {
            let read = |file: &Path| {
                std::fs::read(file)
                    .map_err(|error| format!("{path}: `[authority]` {}: {error}", file.display()))
            };
            let certificates = read(&authority.certificates)?;
            let certificate = read(&authority.certificate)?;
            Membership::authority(&certificates, &certificate)
                .map_err(|error| format!("{path}: `[authority]`: {error}"))
        }
    }
}

fn token(text: &str, what: &str) -> Result<Membership, String> {
    let token: Token = text.parse().map_err(|error| format!("{what}: {error}"))?;
    Ok(Membership::token(token))
}

/// Whoever can read the token can join.
#[cfg(unix)]
fn warn_if_exposed(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(file).map(|m| m.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o004 != 0) {
        warn!(
            "everybody on this machine can read the token in {}: run chmod 600",
            file.display()
        );
    }
}

#[cfg(not(unix))]
fn warn_if_exposed(_: &Path) {}
