//! Graphviz: edges on a cycle red, those of a possible one orange, upstreams that are not decided dashed.

use crate::check::findings::Findings;
use crate::check::hints::undecided;
use crate::check::model::Cluster;
use std::collections::HashSet;
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
    write_balancers(cluster, findings, out)?;
    write_unknown(cluster, out)?;
    write_outside(cluster, out)?;
    writeln!(out, "}}")
}

/// Balancers, and those behind them: ellipses.
fn write_balancers(cluster: &Cluster, findings: &Findings, out: &mut dyn Write) -> io::Result<()> {
    let back: HashSet<u32> = findings
        .possible
        .iter()
        .flat_map(|possible| &possible.through)
        .copied()
        .collect();
    for (balancer, index) in cluster.balancers.iter().zip(0..) {
        let node = quoted("balancer ", &balancer.name);
        let label = quoted("", &balancer.name);
        let style = if back.contains(&index) {
            "color=orange, style=dashed"
        } else {
            "style=dashed"
        };
        writeln!(out, "  {node} [label={label}, shape=ellipse, {style}];")?;
        for &host in &balancer.askers {
            writeln!(
                out,
                "  {} -> {node} [{style}];",
                quoted("", cluster.name(host))
            )?;
        }
        for &host in &balancer.behind {
            writeln!(
                out,
                "  {node} -> {} [{style}];",
                quoted("", cluster.name(host))
            )?;
        }
    }
    Ok(())
}

fn write_unknown(cluster: &Cluster, out: &mut dyn Write) -> io::Result<()> {
    // What may be one of several hosts is drawn as a balancer.
    for one in undecided(cluster)
        .iter()
        .filter(|one| !one.may_be_several())
    {
        // A prefix of its own, so that it never is a host that happens to be called the same.
        let node = quoted("unknown ", one.text);
        let label = quoted("", one.text);
        writeln!(out, "  {node} [label={label}, style=dashed];")?;
        for &host in &one.askers {
            writeln!(
                out,
                "  {} -> {node} [style=dashed];",
                quoted("", cluster.name(host))
            )?;
        }
    }
    Ok(())
}

/// What was declared to lead outside: dotted.
fn write_outside(cluster: &Cluster, out: &mut dyn Write) -> io::Result<()> {
    let mut seen = HashSet::new();
    for &(host, index) in &cluster.outside {
        let Some(upstream) = cluster.upstream(host, index) else {
            continue;
        };
        let text = upstream.setting.text.as_str();
        let node = quoted("outside ", text);
        if seen.insert(text) {
            writeln!(out, "  {node} [label={}, style=dotted];", quoted("", text))?;
        }
        writeln!(
            out,
            "  {} -> {node} [style=dotted];",
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
