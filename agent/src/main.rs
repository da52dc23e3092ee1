//! `peerx`, the command-line companion of `peer-exchange`.
#![forbid(unsafe_code)]

mod address;
mod admin;
mod ask;
mod check;
mod config;
mod demo;
mod edges;
mod input;
mod libp2p;
mod live;
mod names;
mod peers;
mod pem;
mod run;
mod signing;
mod sim;
mod token;
mod topology;
mod usage;
mod visible;

use clap::{Parser, Subcommand};
use std::io::BufWriter;
use std::process::ExitCode;
use visible::Visible;

/// Find peers without loops: see it work, run it, simulate it, and check a cluster's configuration.
#[derive(Parser)]
#[command(
    name = "peerx",
    version,
    after_help = "\
Examples:
  peerx demo
  peerx sim --topology ring --nodes 1024
  peerx check cluster/
  peerx token > token && peerx run --config peerx.toml
  peerx peers --watch"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Sim(sim::SimArgs),
    Check(check::CheckArgs),
    Run(run::RunArgs),
    Peers(peers::PeersArgs),
    Token(token::TokenArgs),
}

/// Bad usage or bad input.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let mut out = BufWriter::new(Visible::new(std::io::stdout().lock()));
    let finding = match command {
        Command::Demo(args) => demo::run(&args, &mut out),
        Command::Sim(args) => sim::run(&args, &mut out),
        Command::Run(args) => {
            return match run::run(&args) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("{}", visible::shown(&error.to_string()));
                    ExitCode::from(BAD_INPUT)
                }
            };
        }
        Command::Peers(args) => peers::run(&args, &mut out).map(|()| true),
        Command::Token(args) => token::run(&args, &mut out).map(|()| true),
        Command::Check(args) => {
            return match check::run(&args, &mut out) {
                Ok(outcome) => outcome.exit_code(),
                Err(error) => {
                    eprintln!("{}", visible::shown(&error.to_string()));
                    error.exit_code()
                }
            };
        }
    };
    match finding {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("peerx: {}", visible::shown(&problem));
            ExitCode::from(BAD_INPUT)
        }
    }
}
