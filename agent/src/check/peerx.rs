//! One node's own configuration file, as the agent reads it.

use super::model::{HostConfig, Kind, Setting, Upstream};
use super::places::Product;
use crate::address::{Address, Endpoint, HostKey};
use crate::config::{self, Checked, Mode};
use crate::input::InputError;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Reads one file: judged as `peerx run` judges it here, or as a copy from another machine. Whose it
/// is, its place tells. Beside the host, what can run and is probably not meant.
pub(super) fn read(path: &Path, mode: Mode) -> Result<(HostConfig, Vec<String>), Vec<InputError>> {
    let Checked {
        settings,
        file,
        warnings,
        ..
    } = config::read(path, mode)?;
    let shared: Rc<Path> = path.into();
    let mut advertised: Vec<_> = settings.advertise.iter().map(Endpoint::address).collect();
    // What the agent tells others by itself.
    if advertised.is_empty() && settings.listen.explicit {
        let sockets = settings.listen.addresses.iter();
        let named = sockets.filter(|at| !at.ip().is_unspecified());
        advertised.extend(named.map(|at| Address {
            host: HostKey::Ip(at.ip()),
            port: Some(at.port()),
        }));
    }
    let upstreams = file.keys.upstreams.iter().zip(&settings.upstreams);
    let upstreams = upstreams.map(|(text, endpoint)| Upstream {
        address: endpoint.address(),
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
    // Not the name of the machine on which it is checked.
    let node_name = file.keys.node_name.is_some().then_some(settings.node_name);
    let host = HostConfig {
        kind: Kind::Peerx,
        product: Product::Unknown,
        file: shared.clone(),
        file_names: Vec::new(),
        site: PathBuf::new(),
        own: node_name.iter().map(|name| HostKey::new(name)).collect(),
        node_name: node_name.filter(|name| !name.trim().is_empty()),
        advertised,
        tls_sans: Vec::new(),
        hosts_file: Vec::new(),
        cluster_init: false,
        upstreams: upstreams.collect(),
        unset: Vec::new(),
        missing: Vec::new(),
    };
    let warnings = warnings.iter().map(ToString::to_string).collect();
    Ok((host, warnings))
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
