//! One JSON object. The first ten fields are those that scripts rely on; the rest says the same in more detail.

use crate::check::findings::{Circle, Findings};
use crate::check::hints::undecided;
use crate::check::model::{Balancer, Cluster, Edge, Host, HostConfig, Setting, Skipped};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Writes the object, without building it in memory.
pub(in crate::check) fn write(
    cluster: &Cluster,
    findings: &Findings,
    out: &mut dyn Write,
) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Report { cluster, findings })?;
    writeln!(out)
}

struct Report<'a> {
    cluster: &'a Cluster,
    findings: &'a Findings,
}

impl Serialize for Report<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { cluster, findings } = *self;
        let name = |host: u32| cluster.name(host);
        let unknown = unknown(cluster);
        let circles = &findings.circles;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("verdict", findings.verdict.name())?;
        let hosts = || cluster.hosts.iter().map(|host| &host.name);
        map.serialize_entry("hosts", &Each(hosts))?;
        let edge = |&edge: &Edge| EdgeReport { cluster, edge };
        map.serialize_entry("edges", &Each(|| cluster.edges.iter().map(edge)))?;
        let names = |cycle: &'_ Vec<u32>| cycle.iter().map(|&host| name(host)).collect::<Vec<_>>();
        let cycles = || circles.iter().flat_map(|circle| &circle.cycles).map(names);
        map.serialize_entry("cycles", &Each(cycles))?;
        let possible = || {
            findings
                .possible
                .iter()
                .flat_map(|one| &one.cycles)
                .map(names)
        };
        map.serialize_entry("possible_cycles", &Each(possible))?;
        let selves = || findings.self_references.iter().map(|edge| name(edge.from));
        map.serialize_entry("self_references", &Each(selves))?;
        map.serialize_entry("unknown_upstreams", &Each(|| unknown.keys()))?;
        let skipped = || cluster.skipped.iter().map(SkippedReport);
        map.serialize_entry("skipped", &Each(skipped))?;
        map.serialize_entry("suggestions", &findings.suggestions)?;

        self.details(&mut map)?;
        map.end()
    }
}

impl Report<'_> {
    fn details<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Self { cluster, findings } = *self;
        let circles = &findings.circles;
        map.serialize_entry("truncated", &circles.iter().any(|circle| circle.more))?;
        map.serialize_entry("warnings", &cluster.warnings)?;
        map.serialize_entry("unknown_asked_by", &unknown(cluster))?;
        let undecided = undecided(cluster);
        let reasons = undecided.iter().map(|one| (one.text, one.reason(cluster)));
        let reasons: BTreeMap<&str, String> = reasons.collect();
        map.serialize_entry("unknown_reasons", &reasons)?;
        let balancer = |balancer| BalancerReport { cluster, balancer };
        map.serialize_entry(
            "balancers",
            &Each(|| cluster.balancers.iter().map(balancer)),
        )?;
        let missing = || {
            cluster
                .gaps()
                .map(|(host, what)| [cluster.name(host), what])
        };
        map.serialize_entry("missing", &Each(missing))?;
        let settings = || cluster.hosts.iter().filter_map(host_report);
        map.serialize_entry("settings", &Each(settings))?;
        let details = |circle| CircleReport { cluster, circle };
        map.serialize_entry("components", &Each(|| circles.iter().map(details)))
    }
}

/// Who asks each upstream that leads to no host for certain.
fn unknown(cluster: &Cluster) -> BTreeMap<&str, Vec<&str>> {
    let mut unknown = BTreeMap::<_, Vec<_>>::new();
    for one in undecided(cluster) {
        let askers = one.askers.iter().map(|&host| cluster.name(host));
        unknown.entry(one.text).or_default().extend(askers);
    }
    unknown
}

struct EdgeReport<'a> {
    cluster: &'a Cluster,
    edge: Edge,
}

impl Serialize for EdgeReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { cluster, edge } = *self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("from", cluster.name(edge.from))?;
        map.serialize_entry("to", cluster.name(edge.to))?;
        match cluster.edge_upstream(edge) {
            Some(upstream) => map.serialize_entry("source", &SourceReport(&upstream.setting))?,
            None => {
                let (file, line) = cluster.place(edge);
                let source = serde_json::json!({ "file": file.to_string_lossy(), "line": line, "place": "edge list" });
                map.serialize_entry("source", &source)?;
            }
        }
        map.end()
    }
}

/// Where a setting stands.
struct SourceReport<'a>(&'a Setting);

impl Serialize for SourceReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let setting = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("file", &setting.file.to_string_lossy())?;
        map.serialize_entry("line", &setting.line)?;
        map.serialize_entry("place", setting.level.map_or("peerx", |level| level.name()))?;
        map.serialize_entry("kind", setting.source)?;
        map.serialize_entry("key", &setting.spelled)?;
        map.serialize_entry("value", &setting.text)?;
        map.end()
    }
}

/// What sets a host's upstream, and what that overrides.
struct HostReport<'a> {
    host: &'a str,
    config: &'a HostConfig,
}

fn host_report(host: &Host) -> Option<HostReport<'_>> {
    let config = host.config.as_deref()?;
    Some(HostReport {
        host: &host.name,
        config,
    })
}

impl Serialize for HostReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let config = self.config;
        let winners = config.upstreams.iter().map(|upstream| &upstream.setting);
        let winners = || {
            winners
                .clone()
                .chain(config.unset.first())
                .map(SourceReport)
        };
        let overridden = config
            .upstreams
            .iter()
            .flat_map(|upstream| &upstream.overridden);
        let overridden = || {
            overridden
                .clone()
                .chain(config.unset.iter().skip(1))
                .map(SourceReport)
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("host", self.host)?;
        map.serialize_entry("file", &config.file.to_string_lossy())?;
        map.serialize_entry("counts", &Each(winners))?;
        map.serialize_entry("overridden", &Each(overridden))?;
        map.end()
    }
}

struct BalancerReport<'a> {
    cluster: &'a Cluster,
    balancer: &'a Balancer,
}

impl Serialize for BalancerReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { cluster, balancer } = *self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &balancer.name)?;
        map.serialize_entry("declared", &balancer.declared)?;
        map.serialize_entry(
            "behind",
            &Each(|| balancer.behind.iter().map(|&host| cluster.name(host))),
        )?;
        map.serialize_entry(
            "asked_by",
            &Each(|| balancer.askers.iter().map(|&host| cluster.name(host))),
        )?;
        map.end()
    }
}

struct SkippedReport<'a>(&'a Skipped);

impl Serialize for SkippedReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("file", &self.0.path.to_string_lossy())?;
        map.serialize_entry("reason", &self.0.what)?;
        map.end()
    }
}

/// A sequence that is made while it is written.
struct Each<F>(F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: Iterator,
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0())
    }
}

struct CircleReport<'a> {
    cluster: &'a Cluster,
    circle: &'a Circle,
}

impl Serialize for CircleReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { cluster, circle } = *self;
        let advice = &circle.advice;
        let shape = if advice.second.is_empty() {
            "star"
        } else {
            "tree"
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(
            "hosts",
            &Each(|| circle.hosts.iter().map(|&host| cluster.name(host))),
        )?;
        map.serialize_entry("edges", &circle.edges)?;
        map.serialize_entry("cycles", &circle.cycles.len())?;
        map.serialize_entry("more_cycles", &circle.more)?;
        map.serialize_entry("approximate", &!circle.exact)?;
        let removed = || {
            circle.feedback.iter().map(|&edge| SettingReport {
                cluster,
                edge,
                instead: None,
            })
        };
        map.serialize_entry("edges_to_change", &Each(removed))?;
        map.serialize_entry("shape", shape)?;
        map.serialize_entry("hub", cluster.name(advice.hub))?;
        let changes = || {
            advice.changes.iter().map(|change| SettingReport {
                cluster,
                edge: change.edge,
                instead: Some(
                    change
                        .instead
                        .as_ref()
                        .map(|(host, text)| (*host, text.as_str())),
                ),
            })
        };
        map.serialize_entry("changes", &Each(changes))?;
        map.end()
    }
}

/// A setting, and for a change whom to ask instead: somebody, or nobody.
struct SettingReport<'a> {
    cluster: &'a Cluster,
    edge: Edge,
    instead: Option<Option<(u32, &'a str)>>,
}

impl Serialize for SettingReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            cluster,
            edge,
            instead,
        } = *self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("from", cluster.name(edge.from))?;
        map.serialize_entry("to", cluster.name(edge.to))?;
        let (file, line) = cluster.place(edge);
        map.serialize_entry("file", &file.to_string_lossy())?;
        map.serialize_entry("line", &line)?;
        let setting = cluster
            .edge_upstream(edge)
            .map(|upstream| &upstream.setting);
        map.serialize_entry("key", &setting.map(|setting| &setting.spelled))?;
        map.serialize_entry("value", &setting.map(|setting| &setting.text))?;
        if let Some(instead) = instead {
            map.serialize_entry("new_to", &instead.map(|(host, _)| cluster.name(host)))?;
            map.serialize_entry("new_value", &instead.map(|(_, text)| text))?;
        }
        map.end()
    }
}
