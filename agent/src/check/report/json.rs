//! One JSON object. The first six fields are those that scripts rely on; the rest says the same in more detail.

use crate::check::analysis::{Circle, Findings};
use crate::check::model::{Cluster, Edge};
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
        map.serialize_entry(
            "hosts",
            &Each(|| cluster.hosts.iter().map(|host| &host.name)),
        )?;
        let pair = |edge: &Edge| [name(edge.from), name(edge.to)];
        map.serialize_entry("edges", &Each(|| cluster.edges.iter().map(pair)))?;
        let names = |cycle: &'_ Vec<u32>| cycle.iter().map(|&host| name(host)).collect::<Vec<_>>();
        let cycles = || circles.iter().flat_map(|circle| &circle.cycles).map(names);
        map.serialize_entry("cycles", &Each(cycles))?;
        let selves = || findings.self_references.iter().map(|edge| name(edge.from));
        map.serialize_entry("self_references", &Each(selves))?;
        map.serialize_entry("unknown_upstreams", &Each(|| unknown.keys()))?;
        map.serialize_entry("suggestions", &findings.suggestions)?;

        map.serialize_entry("truncated", &circles.iter().any(|circle| circle.more))?;
        map.serialize_entry("warnings", &cluster.warnings)?;
        map.serialize_entry("unknown_asked_by", &unknown)?;
        let details = || {
            circles
                .iter()
                .map(|circle| CircleReport { cluster, circle })
        };
        map.serialize_entry("components", &Each(details))?;
        map.end()
    }
}

/// Who asks each upstream that no host answers to.
fn unknown(cluster: &Cluster) -> BTreeMap<&str, Vec<&str>> {
    let mut unknown = BTreeMap::<_, Vec<_>>::new();
    for &(host, index) in &cluster.unknown {
        if let Some(upstream) = cluster.upstream(host, index) {
            unknown
                .entry(upstream.text.as_str())
                .or_default()
                .push(cluster.name(host));
        }
    }
    unknown
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
        if let Some(setting) = cluster.setting(edge) {
            map.serialize_entry("file", &setting.file.to_string_lossy())?;
            map.serialize_entry("line", &setting.line)?;
            map.serialize_entry("key", &setting.key)?;
            map.serialize_entry("value", &setting.text)?;
        }
        if let Some(instead) = instead {
            map.serialize_entry("new_to", &instead.map(|(host, _)| cluster.name(host)))?;
            map.serialize_entry("new_value", &instead.map(|(_, text)| text))?;
        }
        map.end()
    }
}
