//! One node's own configuration file, as the agent reads it.

use super::model::{HostConfig, Kind, Upstream};
use crate::address::{Address, Endpoint, HostKey};
use crate::config::{self, Checked, Mode};
use crate::input::InputError;
use std::path::Path;
use std::rc::Rc;

/// Reads one file: judged as `peerx run` judges it here, or as a copy from another machine. Beside
/// the host, what can run and is probably not meant.
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
        line: file.line_of(text),
        text: text.get_ref().clone(),
        file: shared.clone(),
    });
    let host = HostConfig {
        kind: Kind::Peerx,
        file_name: host_name(path),
        // Not the name of the machine on which it is checked.
        node_name: file.keys.node_name.is_some().then_some(settings.node_name),
        ips: Vec::<HostKey>::new(),
        advertised,
        tls_sans: Vec::new(),
        cluster_init: false,
        upstreams: upstreams.collect(),
        file: shared.clone(),
    };
    let warnings = warnings.iter().map(ToString::to_string).collect();
    Ok((host, warnings))
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
