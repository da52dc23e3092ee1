//! `peerx`, the command-line companion of `peer-exchange`.
#![forbid(unsafe_code)]

mod check;
mod edges;
mod input;

use clap::{Parser, Subcommand};
use std::io::BufWriter;
use std::process::ExitCode;

/// Find peers without loops.
#[derive(Parser)]
#[command(
    name = "peerx",
    version,
    after_help = "Example:\n  peerx check cluster/"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::CheckArgs),
}

fn main() -> ExitCode {
    let Command::Check(args) = Cli::parse().command;
    let mut out = BufWriter::new(std::io::stdout().lock());
    match check::run(&args, &mut out) {
        Ok(outcome) => outcome.exit_code(),
        Err(error) => {
            eprintln!("{error}");
            error.exit_code()
        }
    }
}
