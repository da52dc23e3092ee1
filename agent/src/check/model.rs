//! A cluster as its configuration describes it: hosts, and who asks whom.

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

impl Kind {
    /// The setting that names whom to ask.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Rancher => "server",
            Self::Peerx => "upstreams",
        }
    }
}

/// One upstream setting, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Upstream {
    /// As written.
    pub(super) text: String,
    pub(super) address: Address,
    pub(super) file: Rc<Path>,
    pub(super) line: u64,
}

/// What one host's configuration says.
#[derive(Debug)]
pub(super) struct HostConfig {
    pub(super) kind: Kind,
    pub(super) file: Rc<Path>,
    /// From the name of the file or directory.
    pub(super) file_name: String,
    pub(super) node_name: Option<String>,
    /// `node-ip` and `node-external-ip`.
    pub(super) ips: Vec<HostKey>,
    /// Where a peerx node can be reached.
    pub(super) advertised: Vec<Address>,
    /// Names and addresses in the host's certificate.
    pub(super) tls_sans: Vec<HostKey>,
    pub(super) cluster_init: bool,
    pub(super) upstreams: Vec<Upstream>,
}

impl HostConfig {
    /// What people call this host.
    pub(super) fn name(&self) -> &str {
        self.node_name.as_deref().unwrap_or(&self.file_name)
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

/// Everything that was read.
#[derive(Debug)]
pub(super) struct Cluster {
    /// By name, so that the order of numbers is the order of names.
    pub(super) hosts: Vec<Host>,
    /// By (from, to), each pair once.
    pub(super) edges: Vec<Edge>,
    pub(super) edge_lists: Vec<PathBuf>,
    /// (host, index into its upstreams) that no host answers to.
    pub(super) unknown: Vec<(u32, u32)>,
    pub(super) warnings: Vec<String>,
}

/// The setting behind an edge, for people.
pub(super) struct Setting<'a> {
    pub(super) file: &'a Path,
    /// Edge lists are only known by file.
    pub(super) line: Option<u64>,
    pub(super) key: Option<&'static str>,
    /// The value as written.
    pub(super) text: Option<&'a str>,
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

    /// The setting that makes `edge`.
    pub(super) fn setting(&self, edge: Edge) -> Option<Setting<'_>> {
        match edge.origin {
            Origin::EdgeList(list) => {
                let file = self.edge_lists.get(list as usize)?;
                Some(Setting {
                    file,
                    line: None,
                    key: None,
                    text: None,
                })
            }
            Origin::Upstream(index) => {
                let upstream = self.upstream(edge.from, index)?;
                Some(Setting {
                    file: &upstream.file,
                    line: Some(upstream.line),
                    key: self.config(edge.from).map(|config| config.kind.key()),
                    text: Some(&upstream.text),
                })
            }
        }
    }
}
