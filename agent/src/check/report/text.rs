//! The report for people: what is wrong first, then what to do, in words that need no manual.

use crate::check::advice::{self, listed};
use crate::check::analysis::{Circle, Findings, smallest_change};
use crate::check::model::Cluster;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Enough to act on; JSON has the rest.
const CIRCLES: usize = 10;
const CYCLES: usize = 10;
const CHANGES: usize = 20;
const UNKNOWN: usize = 10;
/// Of a longer cycle only its beginning and end are shown.
const CYCLE_HOSTS: usize = 24;

/// Writes the report.
pub(in crate::check) fn write(
    cluster: &Cluster,
    findings: &Findings,
    out: &mut dyn Write,
) -> io::Result<()> {
    let asks = cluster.edges.len() + cluster.unknown.len();
    let (hosts, upstreams) = (cluster.hosts.len(), counted(asks, "upstream"));
    writeln!(
        out,
        "Checked {}, {upstreams}. An arrow reads \"asks\".",
        counted(hosts, "host")
    )?;
    for circle in findings.circles.iter().take(CIRCLES) {
        write_circle(cluster, circle, out)?;
    }
    if let Some(more) = beyond(findings.circles.len(), CIRCLES) {
        writeln!(
            out,
            "\n{more} more groups of hosts have cycles: see --format json."
        )?;
    }
    write_self_references(cluster, findings, out)?;
    write_unknown(cluster, out)?;
    for warning in &cluster.warnings {
        writeln!(out, "\nWARNING: {warning}.")?;
    }
    match (
        findings.any(),
        cluster.edges.is_empty() && cluster.unknown.is_empty(),
    ) {
        (true, _) => Ok(()),
        (false, true) => writeln!(out, "\nOK: no cycle; nobody asks anybody."),
        (false, false) => writeln!(out, "\nOK: no cycle, and no host asks itself."),
    }
}

fn write_circle(cluster: &Cluster, circle: &Circle, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    for cycle in circle.cycles.iter().take(CYCLES) {
        writeln!(out, "CYCLE: {}", arrows(cluster, cycle))?;
    }
    match beyond(circle.cycles.len(), CYCLES) {
        Some(_) if circle.more => writeln!(out, "  … and many more, too many to count.")?,
        Some(more) => writeln!(out, "  … and {more} more: see --format json.")?,
        None if circle.more => writeln!(out, "  … and more.")?,
        None => {}
    }
    let (hosts, edges) = (circle.hosts.len(), circle.edges);
    writeln!(
        out,
        "  A request can go round here and come back: {hosts} hosts, {edges} edges between them."
    )?;
    writeln!(
        out,
        "  What to change, as a {}:",
        circle.advice.describe(cluster)
    )?;
    for change in circle.advice.changes.iter().take(CHANGES) {
        writeln!(out, "    {}", change.describe(cluster))?;
    }
    if let Some(more) = beyond(circle.advice.changes.len(), CHANGES) {
        writeln!(out, "    … and {more} more changes: see --format json.")?;
    }
    writeln!(out, "  Or {}.", smallest_change(cluster, circle))
}

/// `a → b → a`.
fn arrows(cluster: &Cluster, cycle: &[u32]) -> String {
    let name = |host: &u32| cluster.name(*host).to_owned();
    let mut names: Vec<String> = if cycle.len() <= CYCLE_HOSTS {
        cycle.iter().map(name).collect()
    } else {
        let (head, tail) = (&cycle[..CYCLE_HOSTS - 4], &cycle[cycle.len() - 3..]);
        let between = format!("… {} more …", cycle.len() - head.len() - tail.len());
        head.iter()
            .map(name)
            .chain([between])
            .chain(tail.iter().map(name))
            .collect()
    };
    names.extend(cycle.first().map(name));
    names.join(" → ")
}

fn write_self_references(
    cluster: &Cluster,
    findings: &Findings,
    out: &mut dyn Write,
) -> io::Result<()> {
    for edge in findings.self_references.iter().take(UNKNOWN) {
        let name = cluster.name(edge.from);
        writeln!(out, "\nASKS ITSELF: {name} → {name}")?;
        if let Some(setting) = cluster.setting(*edge) {
            let place = advice::place(setting.file, setting.line);
            let key = setting
                .key
                .map(|key| format!("`{key}` "))
                .unwrap_or_default();
            let text = setting
                .text
                .map(|text| format!("{text} "))
                .unwrap_or_default();
            writeln!(out, "  {place}: {key}{text}leads back to the host itself.")?;
            writeln!(out, "  Remove it there, or name another host.")?;
        }
    }
    match beyond(findings.self_references.len(), UNKNOWN) {
        Some(more) => writeln!(
            out,
            "\n{more} more hosts ask themselves: see --format json."
        ),
        None => Ok(()),
    }
}

fn write_unknown(cluster: &Cluster, out: &mut dyn Write) -> io::Result<()> {
    let mut askers: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for &(host, index) in &cluster.unknown {
        if let Some(upstream) = cluster.upstream(host, index) {
            askers.entry(&upstream.text).or_default().push(host);
        }
    }
    for (upstream, hosts) in askers.iter().take(UNKNOWN) {
        writeln!(
            out,
            "\nNOT KNOWN HERE: {upstream}, asked by {}.",
            listed(cluster, hosts)
        )?;
    }
    if let Some(more) = beyond(askers.len(), UNKNOWN) {
        writeln!(
            out,
            "\n{more} more upstreams are not known here: see --format json."
        )?;
    }
    if !askers.is_empty() {
        writeln!(
            out,
            "  No host given answers to that. Right for a load balancer; otherwise a host's configuration is missing, or a name is misspelt."
        )?;
    }
    Ok(())
}

fn beyond(count: usize, shown: usize) -> Option<usize> {
    count.checked_sub(shown).filter(|more| *more > 0)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
