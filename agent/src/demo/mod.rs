//! `peerx demo`: real nodes in one process, and the story of how they find each other.

mod memory;
mod status;
mod story;

use crate::topology::{Graph, Topology};
use clap::{Args, ValueEnum};
use std::io::Write;

/// Start real nodes in one process and watch how they find each other.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  peerx demo
  peerx demo --nodes 50 --topology line --seconds 2
  peerx demo --json

Exit codes: 0 everybody knew everybody; 1 not within a minute; 2 bad input.")]
pub(crate) struct DemoArgs {
    /// Number of nodes of a built-in topology [default: 3]
    #[arg(long, value_name = "N")]
    nodes: Option<usize>,
    /// Who asks whom: ring, line, star, tree, full, random:K, or a file with an edge list
    #[arg(long, default_value = "ring", value_name = "TOPOLOGY")]
    topology: Topology,
    /// What the nodes talk over
    #[arg(long, value_enum, default_value_t = Transport::Memory)]
    transport: Transport,
    /// How long to watch what the nodes cost once they know each other
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    seconds: u32,
    /// Print one JSON object instead of the story
    #[arg(long)]
    json: bool,
}

/// What the nodes talk over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Transport {
    /// Channels in this process
    Memory,
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
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
    let (board, told) = status::board(graph.len());
    let running = match args.transport {
        Transport::Memory => memory::start(&graph, board.clone())?,
    };
    let story = story::Story {
        graph: &graph,
        topology: args.topology.to_string(),
        transport: args.transport.name(),
        seconds: args.seconds,
        json: args.json,
        board: &board,
        ids: running.ids.clone(),
    };
    let outcome = story.tell(&told, out);
    running.stop(&board);
    match outcome {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(format!("cannot print: {e}")),
        Err(_) => Ok(true),
        Ok(converged) => Ok(converged),
    }
}
