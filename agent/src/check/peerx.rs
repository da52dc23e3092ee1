//! One node's own configuration file, as the agent reads it.

use super::model::{HostConfig, Kind, Upstream};
use crate::address::{Address, Endpoint, HostKey};
use crate::config::File;
use crate::input::InputError;
use std::path::Path;
use std::rc::Rc;
use toml::Spanned;

/// Reads one file.
pub(super) fn read(path: &Path) -> Result<HostConfig, InputError> {
    let file = File::read(path)?;
    let address = |key: &str, text: &Spanned<String>| -> Result<Address, InputError> {
        match Endpoint::parse(key, text.get_ref()) {
            Ok(endpoint) => Ok(endpoint.address()),
            Err(problem) => Err(file.error(text, problem)),
        }
    };
    let shared: Rc<Path> = path.into();
    let mut advertised = Vec::new();
    for text in &file.keys.advertise {
        advertised.push(address("advertise", text)?);
    }
    // What the agent tells others by itself.
    if advertised.is_empty() {
        for text in file.keys.listen.iter().flatten() {
            let listening = address("listen", text)?;
            if !listening.host.is_unspecified() {
                advertised.push(listening);
            }
        }
    }
    let mut upstreams = Vec::new();
    for text in &file.keys.upstreams {
        upstreams.push(Upstream {
            address: address("upstreams", text)?,
            line: file.line_of(text),
            text: text.get_ref().clone(),
            file: shared.clone(),
        });
    }
    let node_name = file
        .keys
        .node_name
        .as_ref()
        .map(|name| name.get_ref().clone());
    Ok(HostConfig {
        kind: Kind::Peerx,
        file: shared,
        file_name: host_name(path),
        node_name: node_name.filter(|name| !name.trim().is_empty()),
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
