//! One node's own configuration file. Keys that do not matter here are left to the agent to check.

use super::address::{Address, HostKey};
use super::model::{HostConfig, Kind, Upstream};
use crate::input::{self, InputError};
use serde::Deserialize;
use std::path::Path;
use std::rc::Rc;
use toml::Spanned;

const EXPECTED: &str = "a peerx configuration, such as `upstreams = [\"quic://server1:7000\"]`";

#[derive(Deserialize)]
struct File {
    node_name: Option<String>,
    #[serde(default)]
    advertise: Vec<Spanned<String>>,
    #[serde(default)]
    upstreams: Vec<Spanned<String>>,
}

/// Reads one file.
pub(super) fn read(path: &Path) -> Result<HostConfig, InputError> {
    let text = input::read_text(path, EXPECTED)?;
    let line = |offset: usize| input::line_at(&text.as_bytes()[..offset.min(text.len())]);
    let file: File = toml::from_str(&text).map_err(|error| {
        let problem = format!("{}; expected {EXPECTED}", error.message().trim_end());
        match error.span() {
            Some(span) => InputError::line(path, line(span.start), problem),
            None => InputError::file(path, problem),
        }
    })?;
    let address = |key: &str, text: &Spanned<String>| {
        Address::from_peerx(key, text.get_ref())
            .map_err(|problem| InputError::line(path, line(text.span().start), problem))
    };
    let shared: Rc<Path> = path.into();
    let mut advertised = Vec::new();
    for text in &file.advertise {
        advertised.push(address("advertise", text)?);
    }
    let mut upstreams = Vec::new();
    for text in &file.upstreams {
        upstreams.push(Upstream {
            address: address("upstreams", text)?,
            line: line(text.span().start),
            text: text.get_ref().clone(),
            file: shared.clone(),
        });
    }
    Ok(HostConfig {
        kind: Kind::Peerx,
        file: shared,
        file_name: host_name(path),
        node_name: file.node_name.filter(|name| !name.trim().is_empty()),
        ips: Vec::<HostKey>::new(),
        advertised,
        tls_sans: Vec::new(),
        cluster_init: false,
        upstreams,
    })
}

/// `server1` for `server1.toml`, `server1/peerx.toml` and `server1/config.toml`.
fn host_name(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let stem = absolute
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let directory = absolute.parent().and_then(Path::file_name);
    match (stem.as_str(), directory) {
        ("peerx" | "config", Some(directory)) => directory.to_string_lossy().into_owned(),
        _ => stem,
    }
}
