//! The configuration of an agent: read, checked, and complete.

mod addresses;
mod admin;
mod core;
mod file;
mod judge;
mod libp2p;
mod members;
mod names;
mod suggest;
mod time;
mod values;

use crate::address::{Endpoint, Transport};
use crate::input::{self, InputError};
use crate::libp2p::learn::Source;
use peer_exchange::{Config, Multiaddr};
use peer_exchange_tls::{Membership, NodeKey};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

pub(crate) use admin::{Access, AdminFiles};
pub(crate) use file::{Cycles, File, LogFormat, OnStop};

/// For what a file is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To be run on this machine.
    Here,
    /// The same with `--insecure`: whoever comes is a member, so no token is looked at.
    Insecure,
    /// A copy from another machine: the files that it names are there, and not looked for here.
    #[default]
    Copied,
}

/// A configuration without a fault.
pub(crate) struct Checked {
    pub(crate) settings: Settings,
    /// `None` for a copy, whose token is elsewhere.
    pub(crate) membership: Option<Membership>,
    /// `None` before the first start, which makes it.
    pub(crate) key: Option<NodeKey>,
    pub(crate) access: Access,
    /// What can run and is probably not meant.
    pub(crate) warnings: Vec<InputError>,
    /// As written.
    pub(crate) file: File,
}

/// Reads a file and judges it: this is all that `peerx run` and `peerx check` know of a
/// configuration. Nothing is opened but the files that it names, and nothing is made.
///
/// # Errors
/// Everything that is wrong with it, by line, each with what was expected.
pub(crate) fn read(path: &Path, mode: Mode) -> Result<Checked, Vec<InputError>> {
    let text = input::read_config(path, file::EXPECTED).map_err(|error| vec![error])?;
    let text = Zeroizing::new(text);
    check(path, &text, mode)
}

/// The same of a text. Paths in it are relative to the directory of `path`.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn check(path: &Path, text: &str, mode: Mode) -> Result<Checked, Vec<InputError>> {
    let file = File::parse(path, text).map_err(|error| vec![error])?;
    judge::judge(file, mode)
}

/// Everything that an agent is told.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) path: PathBuf,
    pub(crate) node_name: String,
    pub(crate) listen: Listen,
    pub(crate) transports: Vec<Transport>,
    pub(crate) advertise: Vec<Endpoint>,
    pub(crate) upstreams: Vec<Endpoint>,
    pub(crate) members: Option<Members>,
    pub(crate) key_file: PathBuf,
    pub(crate) state_dir: PathBuf,
    /// `None`: no admin interface.
    pub(crate) admin: Option<SocketAddr>,
    /// What else it is called there, in lower case.
    pub(crate) admin_names: Vec<String>,
    pub(crate) admin_files: AdminFiles,
    pub(crate) on_stop: OnStop,
    pub(crate) cycles: Cycles,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) libp2p: Libp2p,
    pub(crate) dns_interval: Duration,
    /// Without upstreams, which are resolved at run time.
    pub(crate) core: Config,
    pub(crate) half_open: Option<usize>,
    pub(crate) log: Log,
}

/// The libp2p service beside the agent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Libp2p {
    /// Its addresses, with its peer ID where that is known.
    pub(crate) advertise: Vec<Multiaddr>,
    /// Where it tells them itself.
    pub(crate) learn_from: Option<Source>,
    pub(crate) interval: Duration,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listen {
    pub(crate) addresses: Vec<SocketAddr>,
    /// The file names them: each has to work.
    pub(crate) explicit: bool,
}

/// Log lines.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) level: Option<String>,
}

/// Who may join, as the file says.
#[derive(Clone, PartialEq)]
pub(crate) enum Members {
    Token(Zeroizing<String>),
    TokenFile(PathBuf),
    Authority {
        certificates: PathBuf,
        certificate: PathBuf,
        revocation_lists: Vec<PathBuf>,
    },
}

impl Members {
    /// The same, but for what is in force as soon as it is read.
    fn started(&self) -> Self {
        let mut started = self.clone();
        if let Self::Authority {
            revocation_lists, ..
        } = &mut started
        {
            revocation_lists.clear();
        }
        started
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // It is a secret.
            Self::Token(_) => f.write_str("Token(…)"),
            Self::TokenFile(path) => write!(f, "TokenFile({path:?})"),
            Self::Authority { certificates, .. } => write!(f, "Authority({certificates:?})"),
        }
    }
}

impl Settings {
    /// What the node's record carries beside its addresses: its name and labels.
    pub(crate) fn metadata(&self) -> Vec<u8> {
        crate::names::metadata(&self.node_name, &self.labels)
    }

    /// `new`, but for what is in force only after a restart.
    pub(crate) fn changed_to(&self, new: Self) -> Self {
        let in_force = self.clone();
        Self {
            listen: in_force.listen,
            transports: in_force.transports,
            members: in_force.members,
            key_file: in_force.key_file,
            state_dir: in_force.state_dir,
            admin: in_force.admin,
            log: in_force.log,
            half_open: in_force.half_open,
            core: in_force.core,
            ..new
        }
    }

    /// Keys whose change is in force only after a restart.
    pub(crate) fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        // What has keys of its own.
        let core = new.core.clone().with_local(self.core.local);
        let core = core
            .with_cluster(self.core.cluster.clone())
            .with_signing(self.core.signing)
            .with_detection(self.core.detection);
        let changed = [
            ("listen", self.listen != new.listen),
            ("transports", self.transports != new.transports),
            (
                "token, token_file, [authority]",
                self.members.as_ref().map(Members::started)
                    != new.members.as_ref().map(Members::started),
            ),
            ("key_file", self.key_file != new.key_file),
            ("state_dir", self.state_dir != new.state_dir),
            ("admin", self.admin != new.admin),
            ("local", self.core.local != new.core.local),
            ("cluster", self.core.cluster != new.core.cluster),
            ("signing", self.core.signing != new.core.signing),
            ("detection", self.core.detection != new.core.detection),
            ("[log]", self.log != new.log),
            ("half_open", self.half_open != new.half_open),
            (
                "[pace], [limits]",
                format!("{:?}", self.core) != format!("{core:?}"),
            ),
        ];
        let changed = changed.into_iter().filter(|(_, changed)| *changed);
        changed.map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests;
