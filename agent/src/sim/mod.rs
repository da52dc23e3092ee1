//! `peerx sim`: a cluster in virtual time.

mod failures;
mod plot;
mod report;
mod run;
mod sample;
mod watch;

use crate::signing::Signing;
use crate::topology::{Graph, Topology};
use clap::Args;
use failures::Detection;
use std::io::Write;
use std::path::PathBuf;

/// Run a cluster on a seeded network in virtual time, on encoded bytes.
#[derive(Args, Debug)]
#[command(after_help = "\
Topologies:
  ring, line, star, tree, full, random:K (K upstreams each), or a file with an edge list:
  `FROM TO` on each line, FROM's configured upstream is TO.

Examples:
  peerx sim --topology ring --nodes 3 --json
  peerx sim --topology star --nodes 1024 --loss 0.1 --steady 600
  peerx sim --nodes 5000 --capacity 500 --leave
  peerx sim --nodes 100 --loss 0.05 --crash 10 --partition 120
  peerx sim --topology p2p-Gnutella08.txt --plot spread.svg

Exit codes: 0 converged; 1 not converged within the limit; 2 bad input.")]
pub(crate) struct SimArgs {
    /// Who asks whom
    #[arg(long, default_value = "ring", value_name = "TOPOLOGY")]
    topology: Topology,
    /// Number of nodes of a built-in topology [default: 1024]
    #[arg(long, value_name = "N")]
    nodes: Option<usize>,
    /// Everything random comes from it: equal arguments give equal runs
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    seed: u64,
    /// Probability that a message is lost
    #[arg(long, default_value_t = 0.0, value_name = "P", value_parser = part)]
    loss: f64,
    /// Probability that a message arrives twice
    #[arg(long, default_value_t = 0.0, value_name = "P", value_parser = part)]
    duplicate: f64,
    /// Probability that a message is late by up to ten latencies, and overtaken
    #[arg(long, default_value_t = 0.0, value_name = "P", value_parser = part)]
    reorder: f64,
    /// One-way latency of every link in milliseconds, 0.001 to 60,000
    #[arg(long, default_value_t = 1.0, value_name = "MS", value_parser = latency)]
    latency_ms: f64,
    /// How far each pair of nodes has a latency of its own, as a part of it above or below, 0 to 1
    #[arg(long, default_value_t = 0.0, value_name = "PART", value_parser = part)]
    latency_spread: f64,
    /// Whether records are signed: with a hash, not with keys, so that it costs what hashing does
    #[arg(long, value_enum, default_value_t = Signing::Off)]
    signing: Signing,
    /// Five virtual seconds after convergence, one node changes its addresses
    #[arg(long)]
    change: bool,
    /// Room for so many records in each node's table, its own included [default: for all]. With
    /// less than all, the run is done when every table is full
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1_048_576))]
    capacity: Option<u32>,
    /// Afterwards one node leaves: measure how fast it is forgotten
    #[arg(long)]
    leave: bool,
    /// Lifetime of every record in seconds [default: 86400]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(600..=604_800))]
    lifetime: Option<u64>,
    /// The time in which a silent node is found out, in seconds from 3 to 60, or off
    #[arg(long, default_value = "3", value_name = "SECONDS|off", value_parser = failures::detection)]
    detection: Detection,
    /// Afterwards so many random nodes stop without a word, one after another: measure until each
    /// survivor has each as down
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    crash: Option<u32>,
    /// Afterwards two halves are apart for so many virtual seconds: measure until each side has the
    /// other as down, and from the end until all are up everywhere
    #[arg(long, value_name = "SECONDS", conflicts_with = "capacity", value_parser = clap::value_parser!(u32).range(1..))]
    partition: Option<u32>,
    /// Measure so many virtual seconds afterwards, in which nothing changes
    #[arg(long, value_name = "SECONDS")]
    steady: Option<u32>,
    /// Give up after so many virtual seconds
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    limit_s: u32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Draw how knowledge spreads and what it costs
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

fn part(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(part) if (0.0..=1.0).contains(&part) => Ok(part),
        _ => Err("expected a number from 0 to 1, such as 0.1".into()),
    }
}

fn latency(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(ms) if (0.001..=60_000.0).contains(&ms) => Ok(ms),
        _ => Err("expected milliseconds from 0.001 to 60000".into()),
    }
}

/// What the flags ask for together.
fn check(args: &SimArgs, nodes: usize) -> Result<(), String> {
    let fails = args.crash.is_some() || args.partition.is_some();
    if fails && args.detection.0.is_none() {
        return Err("`--crash` and `--partition` need detection: with `--detection off` nobody is found out".into());
    }
    let most = nodes.saturating_sub(2);
    match args.crash {
        Some(n) if n as usize > most => Err(format!(
            "`--crash {n}`: of {nodes} nodes at most {most}, since two have to remain"
        )),
        _ => Ok(()),
    }
}

/// Runs it; true if the cluster has converged.
///
/// # Errors
/// A message for the user: bad input, or an output that cannot be written.
pub(crate) fn run(args: &SimArgs, out: &mut dyn Write) -> Result<bool, String> {
    let graph = Graph::build(&args.topology, args.nodes, 1024, args.seed)
        .map_err(|error| error.to_string())?;
    check(args, graph.len())?;
    if let Some(path) = &args.plot {
        // Before minutes of work, not after.
        std::fs::write(path, "")
            .map_err(|e| format!("{}: cannot be written: {e}", path.display()))?;
    }
    let (report, curve) = run::run(args, &graph);
    if let Some(path) = &args.plot {
        plot::draw(path, &report, &curve)
            .map_err(|e| format!("{}: cannot be drawn: {e}", path.display()))?;
    }
    let written = if args.json {
        serde_json::to_writer_pretty(&mut *out, &report)
            .map_err(Into::into)
            .and_then(|()| writeln!(out))
    } else {
        report.write_text(out)
    };
    match written.and_then(|()| out.flush()) {
        // Whoever reads may stop early.
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(format!("cannot print: {e}")),
        _ => Ok(report.converged),
    }
}
