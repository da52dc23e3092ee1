//! Graphviz: edges on a cycle red, upstreams that no host answers to dashed.

use crate::check::analysis::Findings;
use crate::check::model::Cluster;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Writes one digraph.
pub(in crate::check) fn write(
    cluster: &Cluster,
    findings: &Findings,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "digraph cluster {{")?;
    writeln!(out, "  // An arrow reads \"asks\".")?;
    for warning in &cluster.warnings {
        writeln!(
            out,
            "  // WARNING: {}.",
            warning.replace(char::is_control, " ")
        )?;
    }
    writeln!(out, "  node [shape=box];")?;
    for host in &cluster.hosts {
        writeln!(out, "  {};", quoted("", &host.name))?;
    }
    let circles = findings.circle_of_hosts(cluster.hosts.len());
    let circle_of = |host: u32| circles[host as usize];
    for &edge in &cluster.edges {
        let circle = circle_of(edge.from);
        let inside = circle.is_some() && circle == circle_of(edge.to);
        let on_cycle = inside || edge.from == edge.to;
        let red = if on_cycle {
            " [color=red, penwidth=2]"
        } else {
            ""
        };
        let (from, to) = (cluster.name(edge.from), cluster.name(edge.to));
        writeln!(out, "  {} -> {}{red};", quoted("", from), quoted("", to))?;
    }
    write_unknown(cluster, out)?;
    writeln!(out, "}}")
}

fn write_unknown(cluster: &Cluster, out: &mut dyn Write) -> io::Result<()> {
    let mut seen = BTreeSet::new();
    for &(host, index) in &cluster.unknown {
        let Some(upstream) = cluster.upstream(host, index) else {
            continue;
        };
        // A prefix of its own, so that it never is a host that happens to be called the same.
        let node = quoted("unknown ", &upstream.text);
        if seen.insert(&upstream.text) {
            let label = quoted("", &upstream.text);
            writeln!(out, "  {node} [label={label}, style=dashed];")?;
        }
        writeln!(
            out,
            "  {} -> {node} [style=dashed];",
            quoted("", cluster.name(host))
        )?;
    }
    Ok(())
}

/// A quoted identifier. In labels a backslash would begin an escape of Graphviz's own.
fn quoted(prefix: &str, text: &str) -> String {
    let mut quoted = format!("\"{prefix}");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
