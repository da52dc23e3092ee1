//! `peerx check`: reads the configurations of a whole cluster and finds the cycles in them.
//!
//! Inputs are walked and taken for what they hold (`read`), each setting with the place that it comes from (`places`);
//! names and addresses are matched by graded evidence (`names`, `declared`); the graph of who asks whom is searched
//! (`graph`, `findings`, `possible`), and told with what to do (`advice`, `hints`, `report`).

mod advice;
mod declared;
mod findings;
mod graph;
mod hints;
mod model;
mod names;
mod peerx;
mod places;
mod possible;
mod read;
mod report;
mod yaml;

use crate::input::{self, InputError};
use declared::Declared;
use findings::{Findings, Verdict};
use read::Inputs;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Find the cycles in a cluster's configuration before they run.
///
/// Reads RKE2 and K3s hosts (one file or directory each: config.yaml and config.yaml.d, systemd units and OpenRC
/// services with their environment files, install scripts, cloud-config, compose files), what `kubectl get nodes
/// -o json` or `-o yaml` prints, peerx's own configuration files, and edge lists (FROM TO on each line). Every file
/// is taken for what it holds; what is no host is named as skipped. Where `server` is set in several places, flags
/// count first, then the environment, then config.yaml.d, then config.yaml.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit codes: 0 OK: every upstream leads to a host given, or outside, and there is no cycle;
1 a cycle, or a host that asks itself; 2 bad input; 3 undecided: an upstream could not be
resolved, or a balancer stands between.

Examples:
  peerx check server1/config.yaml server2/config.yaml server3/config.yaml
  peerx check cluster/                  one file or directory per host in it
  kubectl get nodes -o json | peerx check -
  peerx check cluster/ --hosts /etc/hosts --explain
  peerx check cluster/ --vip 10.0.0.100=server1,server2 --outside registry.example
  peerx check --json cluster/ | jq .cycles
  peerx check --format dot edges.txt | dot -Tsvg > cluster.svg")]
pub(crate) struct CheckArgs {
    /// Configuration files or directories, lists of nodes, or edge lists; `-` is standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Addresses and names of hosts, in the format of /etc/hosts.
    #[arg(long, value_name = "FILE")]
    hosts: Vec<PathBuf>,
    /// A balancer or virtual address, and the hosts behind it.
    #[arg(long, value_name = "NAME=HOST,...")]
    vip: Vec<String>,
    /// An upstream that is none of the hosts given, and asks none of them.
    #[arg(long, value_name = "NAME")]
    outside: Vec<String>,
    /// Show for each host which place sets its upstream and what that overrides, and every file that was skipped.
    #[arg(long)]
    explain: bool,
    /// peerx's own files are copies from other machines: the tokens, keys and certificates that they name are not
    /// looked for here. So it is with a directory and with several paths; one FILE is judged as `peerx run` would.
    #[arg(long)]
    copied: bool,
    /// How to report.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// For people.
    Text,
    /// One object for scripts.
    Json,
    /// For Graphviz: cycles red, what may be one orange, unknown upstreams dashed.
    Dot,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome(Verdict);

impl Outcome {
    /// The exit code that scripts rely on.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(match self.0 {
            Verdict::Ok => 0,
            Verdict::Cycle | Verdict::AsksItself => 1,
            Verdict::Undecided => 3,
        })
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum CheckError {
    /// Each bad file.
    Input(Vec<InputError>),
    /// The report could not be written.
    Output(io::Error),
}

impl CheckError {
    /// Bad input, and a report that nobody got, are no answer.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(2)
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(error) => write!(f, "the report cannot be written: {error}"),
            Self::Input(problems) => f.write_str(&input::listed(problems)),
        }
    }
}

impl std::error::Error for CheckError {}

/// Checks what `args` name and writes the report to `out`.
pub(crate) fn run(args: &CheckArgs, out: &mut dyn Write) -> Result<Outcome, CheckError> {
    let declared =
        Declared::read(&args.hosts, &args.vip, &args.outside).map_err(CheckError::Input)?;
    let inputs = Inputs::read(&args.paths, args.copied).map_err(CheckError::Input)?;
    let cluster = names::cluster(inputs, &declared);
    let findings = Findings::of(&cluster);
    let format = if args.json { Format::Json } else { args.format };
    let written = match format {
        Format::Json => report::json::write(&cluster, &findings, out),
        Format::Text => report::text::write(&cluster, &findings, args.explain, out),
        Format::Dot => report::dot::write(&cluster, &findings, out),
    };
    match written.and_then(|()| out.flush()) {
        // A reader that has seen enough, such as `head`, still wants the exit code.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CheckError::Output(error)),
        _ => Ok(Outcome(findings.verdict)),
    }
}
