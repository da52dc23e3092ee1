//! `peerx demo`: real nodes in one process, and the story of how they find each other, and miss one.

mod crash;
mod descriptors;
mod memory;
mod network;
mod plot;
mod status;
mod story;

use crate::signing::Signing;
use crate::topology::{Graph, Topology};
use clap::{Args, ValueEnum};
use network::Over;
use std::io::{IsTerminal, Write};

/// Start real nodes in one process and watch how they find each other, and how one that is killed is
/// missed.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  peerx demo
  peerx demo --transport tcp
  peerx demo --nodes 50 --topology line --seconds 2
  peerx demo --seconds 0 --no-crash
  peerx demo --json

The nodes listen on free ports of 127.0.0.1, with keys and a token that are made for the occasion.

Exit codes: 0 everybody knew everybody; 1 not within a minute; 2 bad input.")]
pub(crate) struct DemoArgs {
    /// Number of nodes of a built-in topology, at most 500 [default: 3]
    #[arg(long, value_name = "N")]
    nodes: Option<usize>,
    /// Who asks whom: ring, line, star, tree, full, random:K, or a file with an edge list
    #[arg(long, default_value = "ring", value_name = "TOPOLOGY")]
    topology: Topology,
    /// What the nodes talk over
    #[arg(long, value_enum, default_value_t = Transport::Quic)]
    transport: Transport,
    /// Whether records are signed by their nodes
    #[arg(long, value_enum, default_value_t)]
    signing: Signing,
    /// How long to watch what the nodes cost once they know each other
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    seconds: u32,
    /// Kill nobody: otherwise the last node is killed in the end, and brought back
    #[arg(long)]
    no_crash: bool,
    /// Print one JSON object instead of the story
    #[arg(long)]
    json: bool,
}

/// What the nodes talk over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Transport {
    /// QUIC on loopback, between authenticated nodes
    Quic,
    /// TCP and TLS on loopback, between authenticated nodes
    Tcp,
    /// Channels in this process
    Memory,
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tcp => "tcp",
            Self::Memory => "memory",
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Quic => "QUIC on loopback, each with its own key, all with one token",
            Self::Tcp => "TCP and TLS on loopback, each with its own key, all with one token",
            Self::Memory => "channels in memory, without a network",
        }
    }
}

/// More nodes than this are threads and sockets beyond what a demonstration needs.
const MOST_NODES: usize = 500;

/// Runs it; true if the nodes have converged.
///
/// # Errors
/// A message for the user: bad input.
pub(crate) fn run(args: &DemoArgs, out: &mut dyn Write) -> Result<bool, String> {
    let graph =
        Graph::build(&args.topology, args.nodes, 3, 1).map_err(|error| error.to_string())?;
    if graph.len() > MOST_NODES {
        return Err(format!(
            "{} nodes: the demo runs at most {MOST_NODES} real ones; `peerx sim` takes thousands",
            graph.len()
        ));
    }
    let signing = args.signing.into();
    let running = match args.transport {
        Transport::Quic => network::start(&graph, Over::Quic, signing)?,
        Transport::Tcp => network::start(&graph, Over::Tcp, signing)?,
        Transport::Memory => memory::start(&graph, signing)?,
    };
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let story = story::Story {
        graph: &graph,
        topology: args.topology.to_string(),
        transport: args.transport,
        seconds: args.seconds,
        no_crash: args.no_crash,
        json: args.json,
        colour,
        cluster: &*running.cluster,
        start: running.board.start,
    };
    let outcome = story.tell(&running.told, out);
    running.cluster.stop();
    match outcome {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(format!("cannot print: {e}")),
        Err(_) => Ok(true),
        Ok(converged) => Ok(converged),
    }
}
