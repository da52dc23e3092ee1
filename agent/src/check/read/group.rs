//! What was read of one host, before it is put together.

use super::locate::{Located, names};
use crate::address::HostKey;
use crate::check::model::{HostConfig, HostsLine};
use crate::check::places::{Launch, Product, Setting, UnitFile, Variable};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A file of `config.yaml`'s kind.
#[derive(Debug)]
pub(super) struct ConfigFile {
    /// Its path on the host, as far as it is known: `etc/rancher/k3s/config.yaml`.
    pub(super) inside: PathBuf,
    /// The name of the file over which it is laid, for a drop-in.
    pub(super) base: Option<String>,
    pub(super) file: Rc<Path>,
    pub(super) settings: Vec<Setting>,
}

/// A unit of systemd, or a drop-in.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) inside: PathBuf,
    /// The unit's name with its suffix.
    pub(super) name: String,
    pub(super) drop_in: bool,
    pub(super) file: Rc<Path>,
    pub(super) service: UnitFile,
}

/// A file of variables.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) inside: PathBuf,
    pub(super) file: Rc<Path>,
    pub(super) variables: Vec<Variable>,
}

/// How the program is started by something else than a unit.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) rank: Rank,
    pub(super) launch: Launch,
    pub(super) file: Rc<Path>,
}

/// Whose flags count, in rising order: an installer writes a service, and a node tells what is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Script,
    Service,
    Node,
}

/// One host.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) root: PathBuf,
    /// Names of the file or directory, the one to show first.
    pub(super) names: Vec<String>,
    /// The directory of its neighbours, where that is not the one above its own.
    pub(super) site: Option<PathBuf>,
    /// Named by a file, not by a directory.
    pub(super) by_file: bool,
    pub(super) configs: Vec<ConfigFile>,
    pub(super) units: Vec<Unit>,
    pub(super) environments: Vec<Environment>,
    pub(super) started: Vec<Started>,
    pub(super) hostname: Option<String>,
    /// Names and addresses that are certainly its own.
    pub(super) own: Vec<HostKey>,
    pub(super) hosts_file: Vec<HostsLine>,
    /// Files that tell only names.
    pub(super) silent: Vec<Rc<Path>>,
    pub(super) peerx: Vec<HostConfig>,
    pub(super) product: Product,
}

impl Group {
    pub(super) fn new(located: &Located) -> Self {
        let directory = located
            .root
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = match (&located.stem, directory) {
            (Some(stem), _) => stem.clone(),
            (None, Some(directory)) => directory,
            // The files of the machine on which this runs.
            (None, None) => rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
        };
        Self {
            root: located.root.clone(),
            names: names(&name),
            by_file: located.stem.is_some(),
            ..Self::default()
        }
    }

    /// The directory that holds its neighbours.
    pub(super) fn site(&self) -> PathBuf {
        let above = self.root.parent().filter(|_| !self.by_file);
        self.site
            .clone()
            .unwrap_or_else(|| above.unwrap_or(&self.root).to_owned())
    }

    /// Whether it says anything of what a host does.
    pub(super) fn is_host(&self) -> bool {
        !(self.configs.is_empty()
            && self.units.is_empty()
            && self.environments.is_empty()
            && self.started.is_empty()
            && self.peerx.is_empty())
    }

    /// The files from which it was read.
    pub(super) fn files(&self) -> Vec<Rc<Path>> {
        let configs = self.configs.iter().map(|config| &config.file);
        let units = self.units.iter().map(|unit| &unit.file);
        let environments = self
            .environments
            .iter()
            .map(|environment| &environment.file);
        let started = self.started.iter().map(|started| &started.file);
        let peerx = self.peerx.iter().map(|config| &config.file);
        let all = configs
            .chain(units)
            .chain(environments)
            .chain(started)
            .chain(peerx);
        all.cloned().collect()
    }

    /// Takes what another group has.
    pub(super) fn absorb(&mut self, other: Self) {
        self.configs.extend(other.configs);
        self.units.extend(other.units);
        self.environments.extend(other.environments);
        self.started.extend(other.started);
        self.hostname = self.hostname.take().or(other.hostname);
        self.own.extend(other.own);
        self.hosts_file.extend(other.hosts_file);
        self.silent.extend(other.silent);
        self.peerx.extend(other.peerx);
        self.product = self.product.or(other.product);
    }
}
