//! `peerx check`: reads the configurations of a whole cluster and finds the cycles in them.

mod advice;
mod analysis;
mod component;
mod cycles;
mod feedback;
mod inputs;
mod model;
mod peerx;
mod rancher;
mod report;
mod resolve;
mod shortest;
#[cfg(test)]
mod testing;
mod yaml;

use crate::input::{self, InputError};
use analysis::Findings;
use inputs::Inputs;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Find the cycles in a cluster's configuration before they run.
///
/// Reads RKE2 and K3s configurations, peerx's own configuration files (NAME.toml), or an edge list (any other
/// file: FROM TO on each line). Give one file or directory per host, or one directory that holds them all.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit codes: 0 no cycle; 1 a cycle, or a host that asks itself; 2 bad input.

Examples:
  peerx check server1/config.yaml server2/config.yaml server3/config.yaml
  peerx check cluster/                  one file or directory per host in it
  peerx check --json cluster/ | jq .cycles
  peerx check --format dot edges.txt | dot -Tsvg > cluster.svg")]
pub(crate) struct CheckArgs {
    /// Configuration files or directories, or edge lists.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
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
    /// For Graphviz: cycles red, unknown upstreams dashed.
    Dot,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// No cycle.
    Fine,
    /// A cycle, or a host that asks itself.
    Finding,
}

impl Outcome {
    /// The exit code that scripts rely on.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(u8::from(self == Self::Finding))
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
    let inputs = Inputs::read(&args.paths, args.copied).map_err(CheckError::Input)?;
    let cluster = resolve::cluster(inputs);
    let findings = Findings::of(&cluster);
    let written = match args.format {
        _ if args.json => report::json::write(&cluster, &findings, out),
        Format::Json => report::json::write(&cluster, &findings, out),
        Format::Text => report::text::write(&cluster, &findings, out),
        Format::Dot => report::dot::write(&cluster, &findings, out),
    };
    match written.and_then(|()| out.flush()) {
        // A reader that has seen enough, such as `head`, still wants the exit code.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(CheckError::Output(error));
        }
        _ => {}
    }
    Ok(if findings.any() {
        Outcome::Finding
    } else {
        Outcome::Fine
    })
}
