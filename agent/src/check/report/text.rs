//! The report for people: what is wrong first, then what to do, in words that need no manual.

use super::explain;
use crate::check::advice::{self, listed};
use crate::check::findings::{Circle, Findings, Verdict, smallest_change};
use crate::check::hints::undecided;
use crate::check::model::Cluster;
use crate::check::possible::Possible;
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
    explain: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (hosts, upstreams) = (
        counted(cluster.hosts.len(), "host"),
        counted(cluster.upstreams(), "upstream"),
    );
    writeln!(
        out,
        "Checked {hosts}, {upstreams}. An arrow reads \"asks\"."
    )?;
    if explain {
        explain::write(cluster, out)?;
    }
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
    for possible in findings.possible.iter().take(CIRCLES) {
        write_possible(cluster, possible, out)?;
    }
    write_undecided(cluster, out)?;
    write_gaps(cluster, out)?;
    write_warnings(cluster, out)?;
    write_skipped(cluster, explain, out)?;
    write_verdict(cluster, findings, out)
}

fn write_verdict(cluster: &Cluster, findings: &Findings, out: &mut dyn Write) -> io::Result<()> {
    let asks = cluster.upstreams();
    match findings.verdict {
        Verdict::Cycle | Verdict::AsksItself => Ok(()),
        Verdict::Undecided if cluster.open.is_empty() && cluster.gaps().next().is_none() => {
            writeln!(
                out,
                "\nUNDECIDED: no certain cycle, but a balancer may lead a request back to where it came from."
            )
        }
        Verdict::Undecided => writeln!(
            out,
            "\nUNDECIDED: no certain cycle, but {} of {} not known to lead to a host given, or outside.",
            cluster.open.len().max(1),
            if asks == 1 {
                "1 upstream is".into()
            } else {
                format!("{asks} upstreams are")
            }
        ),
        Verdict::Ok if asks == 0 => writeln!(out, "\nOK: no cycle; nobody asks anybody."),
        Verdict::Ok => writeln!(out, "\nOK: no cycle, and no host asks itself."),
    }
}

fn write_possible(cluster: &Cluster, possible: &Possible, out: &mut dyn Write) -> io::Result<()> {
    let through = possible
        .through
        .iter()
        .map(|&index| cluster.balancers[index as usize].name.as_str());
    let through = through.take(UNKNOWN).collect::<Vec<_>>().join(", ");
    let hosts = listed(cluster, &possible.hosts);
    match possible.hosts[..] {
        [_] => writeln!(
            out,
            "\nPOSSIBLE CYCLE through {through}: {hosts} may be led back to itself."
        )?,
        _ => writeln!(
            out,
            "\nPOSSIBLE CYCLE through {through}: any two of {hosts} may be led to one another."
        )?,
    }
    writeln!(
        out,
        "  Whoever is behind a balancer must not ask it: put *other* servers behind it, or let all ask one server that asks nobody."
    )
}

fn write_gaps(cluster: &Cluster, out: &mut dyn Write) -> io::Result<()> {
    for (host, missing) in cluster.gaps().take(UNKNOWN) {
        writeln!(out, "\nNOT GIVEN: of {}, {missing}.", cluster.name(host))?;
    }
    Ok(())
}

fn write_warnings(cluster: &Cluster, out: &mut dyn Write) -> io::Result<()> {
    for warning in cluster.warnings.iter().take(2 * UNKNOWN) {
        writeln!(out, "\nWARNING: {warning}.")?;
    }
    match beyond(cluster.warnings.len(), 2 * UNKNOWN) {
        Some(more) => writeln!(out, "\n{more} more warnings: see --format json."),
        None => Ok(()),
    }
}

/// How many files are no hosts, by reason; which ones, only where that was asked for: there may be thousands.
fn write_skipped(cluster: &Cluster, explain: bool, out: &mut dyn Write) -> io::Result<()> {
    if cluster.skipped.is_empty() {
        return Ok(());
    }
    if explain {
        return explain::write_skipped(cluster, out);
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for skipped in &cluster.skipped {
        *reasons.entry(&skipped.what).or_default() += 1;
    }
    let count = cluster.skipped.len();
    let is = if count == 1 {
        "is no host"
    } else {
        "are no hosts"
    };
    writeln!(
        out,
        "\nSKIPPED: {} that {is} (--explain and --format json name {}):",
        counted(count, "file"),
        if count == 1 { "it" } else { "them" }
    )?;
    let mut reasons: Vec<(&str, usize)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (what, count) in reasons.iter().take(UNKNOWN) {
        let times = if *count == 1 {
            String::new()
        } else {
            format!("{count} times ")
        };
        writeln!(out, "  {times}{what}")?;
    }
    match beyond(reasons.len(), UNKNOWN) {
        Some(more) => writeln!(out, "  and for {more} more reasons"),
        None => Ok(()),
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
        let (file, line) = cluster.place(*edge);
        let place = advice::place(file, line);
        let written = cluster.edge_upstream(*edge).map(|upstream| {
            let setting = &upstream.setting;
            format!("`{}` ", setting.written(&setting.text))
        });
        writeln!(
            out,
            "  {place}: {}leads back to the host itself.",
            written.unwrap_or_default()
        )?;
        writeln!(out, "  Remove it there, or name another host.")?;
    }
    match beyond(findings.self_references.len(), UNKNOWN) {
        Some(more) => writeln!(
            out,
            "\n{more} more hosts ask themselves: see --format json."
        ),
        None => Ok(()),
    }
}

fn write_undecided(cluster: &Cluster, out: &mut dyn Write) -> io::Result<()> {
    let found = undecided(cluster);
    for one in found.iter().take(UNKNOWN) {
        let label = if one.is_known_in_part() {
            "NOT CERTAIN"
        } else {
            "NOT KNOWN HERE"
        };
        writeln!(
            out,
            "\n{label}: {}, asked by {}.",
            one.text,
            listed(cluster, &one.askers)
        )?;
        writeln!(
            out,
            "  {} To decide it: {}.",
            one.reason(cluster),
            one.hint(cluster)
        )?;
    }
    match beyond(found.len(), UNKNOWN) {
        Some(more) => writeln!(
            out,
            "\n{more} more upstreams are not decided: see --format json."
        ),
        None => Ok(()),
    }
}

fn beyond(count: usize, shown: usize) -> Option<usize> {
    count.checked_sub(shown).filter(|more| *more > 0)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
