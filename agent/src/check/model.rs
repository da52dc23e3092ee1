//! A cluster as its configuration describes it: hosts, and who asks whom.

use super::places::{Level, Product};
use crate::address::{Address, HostKey};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Which program a configuration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// RKE2 or K3s.
    Rancher,
    Peerx,
}

/// Where a setting stands, and how it is written there.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    /// What kind of place: a flag, the environment, a file. Nothing for peerx's own files.
    pub(super) level: Option<Level>,
    /// What kind of file.
    pub(super) source: &'static str,
    /// As written there: `server`, `--server`, `K3S_URL`, `upstreams`.
    pub(super) spelled: String,
    /// The value, without what may be secret.
    pub(super) text: String,
    pub(super) file: Rc<Path>,
    pub(super) line: u64,
}

impl Setting {
    /// The setting with another value, or with its own, as its place writes it.
    pub(super) fn written(&self, text: &str) -> String {
        let spelled = &self.spelled;
        match self.level {
            Some(Level::Config | Level::DropIn) => format!("{spelled}: {text}"),
            Some(Level::Environment) => format!("{spelled}={text}"),
            Some(Level::Flag) => format!("{spelled} {text}"),
            None => format!("{spelled}: \"{text}\""),
        }
    }
}

/// One upstream setting.
#[derive(Debug, Clone)]
pub(super) struct Upstream {
    pub(super) address: Address,
    pub(super) setting: Setting,
    /// The same setting in places that count less, the strongest first.
    pub(super) overridden: Vec<Setting>,
}

/// A line of `/etc/hosts`.
#[derive(Debug, Clone)]
pub(super) struct HostsLine {
    pub(super) ip: HostKey,
    pub(super) names: Vec<HostKey>,
}

/// What one host's configuration says.
#[derive(Debug)]
pub(super) struct HostConfig {
    pub(super) kind: Kind,
    pub(super) product: Product,
    pub(super) file: Rc<Path>,
    /// From the name of the file or directory, the one to show first.
    pub(super) file_names: Vec<String>,
    /// The directory that holds those of its neighbours.
    pub(super) site: PathBuf,
    /// By which it calls itself.
    pub(super) node_name: Option<String>,
    /// Names and addresses that are certainly its own.
    pub(super) own: Vec<HostKey>,
    /// Where a peerx node can be reached.
    pub(super) advertised: Vec<Address>,
    /// Names and addresses in the host's certificate.
    pub(super) tls_sans: Vec<HostKey>,
    /// How it resolves names before it asks anybody.
    pub(super) hosts_file: Vec<HostsLine>,
    pub(super) cluster_init: bool,
    pub(super) upstreams: Vec<Upstream>,
    /// Every place that sets its upstream to nothing, or would if it counted.
    pub(super) unset: Vec<Setting>,
    /// Configuration of it that was not given.
    pub(super) missing: Vec<String>,
}

impl HostConfig {
    /// What people call this host.
    pub(super) fn name(&self) -> &str {
        let first = self.file_names.first().map_or("", String::as_str);
        self.node_name.as_deref().unwrap_or(first)
    }
}

/// A host; those of edge lists have no configuration, and there may be millions.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: Box<str>,
    pub(super) config: Option<Box<HostConfig>>,
}

/// Where an edge was configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// Index into the asking host's upstreams.
    Upstream(u32),
    /// Index into the cluster's edge lists.
    EdgeList(u32),
}

/// `from` asks `to`. Numbers index the cluster's hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) origin: Origin,
}

/// Why an upstream leads to no host for certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// No host given answers to it.
    Nobody,
    /// It is a name or an address of several, those behind the balancer of that name.
    Several,
    /// Several have it in their certificates, likewise.
    InCertificates,
    /// One has it in its certificate, and something speaks against its being that host.
    OneCertificate(u32, &'static str),
    /// Only its first label is that of a host.
    Label(u32),
    /// A balancer was declared, and one behind it is none of the hosts given.
    Behind(String),
}

/// An upstream that leads to no host for certain.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) host: u32,
    /// Index into its upstreams.
    pub(super) upstream: u32,
    pub(super) why: Why,
}

/// One name or address that leads to one of several hosts.
#[derive(Debug)]
pub(super) struct Balancer {
    pub(super) name: String,
    /// By `--vip`, not by what the files say.
    pub(super) declared: bool,
    /// Hosts, rising.
    pub(super) behind: Vec<u32>,
    /// Hosts that ask it, rising.
    pub(super) askers: Vec<u32>,
}

/// A file that is no host, and why.
#[derive(Debug)]
pub(super) struct Skipped {
    pub(super) path: PathBuf,
    pub(super) line: Option<u64>,
    pub(super) what: String,
    pub(super) instead: &'static str,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    /// By name, so that the order of numbers is the order of names.
    pub(super) hosts: Vec<Host>,
    /// By (from, to), each pair once.
    pub(super) edges: Vec<Edge>,
    pub(super) edge_lists: Vec<PathBuf>,
    pub(super) open: Vec<Open>,
    pub(super) balancers: Vec<Balancer>,
    /// (host, index into its upstreams) that was declared to lead outside.
    pub(super) outside: Vec<(u32, u32)>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) warnings: Vec<String>,
}

impl Cluster {
    /// A host's name.
    pub(super) fn name(&self, host: u32) -> &str {
        &self.hosts[host as usize].name
    }

    /// A host's configuration, if it came from one.
    pub(super) fn config(&self, host: u32) -> Option<&HostConfig> {
        self.hosts[host as usize].config.as_deref()
    }

    /// One upstream setting of a host.
    pub(super) fn upstream(&self, host: u32, index: u32) -> Option<&Upstream> {
        self.config(host)?.upstreams.get(index as usize)
    }

    /// The edges of one asking host.
    pub(super) fn asks(&self, host: u32) -> &[Edge] {
        let start = self.edges.partition_point(|edge| edge.from < host);
        let length = self.edges[start..].partition_point(|edge| edge.from == host);
        &self.edges[start..start + length]
    }

    /// The setting that makes `edge`; nothing for one of an edge list.
    pub(super) fn edge_upstream(&self, edge: Edge) -> Option<&Upstream> {
        match edge.origin {
            Origin::Upstream(index) => self.upstream(edge.from, index),
            Origin::EdgeList(_) => None,
        }
    }

    /// The file and line that make `edge`. Edge lists are only known by file.
    pub(super) fn place(&self, edge: Edge) -> (&Path, Option<u64>) {
        match edge.origin {
            Origin::EdgeList(list) => (&self.edge_lists[list as usize], None),
            Origin::Upstream(_) => match self.edge_upstream(edge) {
                Some(upstream) => (&upstream.setting.file, Some(upstream.setting.line)),
                None => (Path::new(""), None),
            },
        }
    }

    /// Hosts of which a part of the configuration was not given.
    pub(super) fn gaps(&self) -> impl Iterator<Item = (u32, &str)> {
        let configs = self.hosts.iter().zip(0..);
        let configs = configs.filter_map(|(host, number)| Some((host.config.as_deref()?, number)));
        configs.flat_map(|(config, number)| {
            config
                .missing
                .iter()
                .map(move |text| (number, text.as_str()))
        })
    }

    /// How many upstreams were read.
    pub(super) fn upstreams(&self) -> usize {
        let of = |host: &Host| {
            host.config
                .as_ref()
                .map_or(0, |config| config.upstreams.len())
        };
        let listed = self
            .edges
            .iter()
            .filter(|edge| matches!(edge.origin, Origin::EdgeList(_)));
        self.hosts.iter().map(of).sum::<usize>() + listed.count()
    }
}
