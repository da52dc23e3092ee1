//! One node's own configuration file, as the agent reads it.

use super::model::{HostConfig, Kind, Setting, Upstream};
use super::places::Product;
use crate::address::{Address, Endpoint, HostKey};
use crate::config::File;
use crate::input::InputError;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use toml::Spanned;

/// Reads one file; whose it is, its place tells.
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
            setting: Setting {
                level: None,
                source: "peerx configuration",
                spelled: "upstreams".into(),
                text: text.get_ref().clone(),
                file: shared.clone(),
                line: file.line_of(text),
            },
            overridden: Vec::new(),
        });
    }
    let node_name = file
        .keys
        .node_name
        .as_ref()
        .map(|name| name.get_ref().clone());
    Ok(HostConfig {
        kind: Kind::Peerx,
        product: Product::Unknown,
        file: shared,
        file_names: Vec::new(),
        site: PathBuf::new(),
        own: node_name.iter().map(|name| HostKey::new(name)).collect(),
        node_name: node_name.filter(|name| !name.trim().is_empty()),
        advertised,
        tls_sans: Vec::new(),
        hosts_file: Vec::new(),
        cluster_init: false,
        upstreams,
        unset: Vec::new(),
        missing: Vec::new(),
    })
}

/// Whether a TOML file is one of peerx's, by the keys before its first table.
pub(super) fn is_ours(text: &str) -> bool {
    const KEYS: [&str; 10] = [
        "node_name",
        "listen",
        "transports",
        "advertise",
        "upstream",
        "upstreams",
        "token_file",
        "key_file",
        "state_dir",
        "admin",
    ];
    let top = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with('['));
    let keys = top.filter_map(|line| Some(line.split_once('=')?.0.trim()));
    let mut keys = keys.filter(|key| !key.starts_with('#'));
    keys.any(|key| KEYS.contains(&key))
}
