//! The story, as it happens.

use super::status::{Board, Told, Totals};
use crate::topology::{Graph, canonical};
use crate::usage;
use peer_exchange::{Event, NodeId};
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// After so long the nodes should have found each other.
const LIMIT: Duration = Duration::from_secs(60);
/// With more nodes than this, the story is told in numbers.
const BY_NAME: usize = 5;
const TICK: Duration = Duration::from_millis(20);

pub(super) struct Story<'a> {
    pub(super) graph: &'a Graph,
    pub(super) topology: String,
    pub(super) transport: &'static str,
    pub(super) seconds: u32,
    pub(super) json: bool,
    pub(super) board: &'a Board,
    pub(super) ids: Vec<NodeId>,
}

/// The JSON of `peerx demo`.
#[derive(Serialize)]
struct Summary<'a> {
    nodes: usize,
    topology: &'a str,
    transport: &'a str,
    converged: bool,
    converged_ms: Option<f64>,
    loops: Vec<Vec<String>>,
    messages: u64,
    bytes: u64,
    messages_per_node_per_s: f64,
    cpu_percent_per_node: f64,
}

/// What has happened so far.
#[derive(Default)]
struct Plot {
    loops: BTreeSet<Vec<String>>,
    known: Vec<usize>,
    quarters: u64,
}

impl Story<'_> {
    /// Tells it until the end; true if everybody knew everybody.
    pub(super) fn tell(&self, told: &Receiver<Told>, out: &mut dyn Write) -> io::Result<bool> {
        let mut plot = Plot {
            known: vec![0; self.graph.len()],
            ..Plot::default()
        };
        self.opening(out)?;
        let (converged, later) = self.spread(told, &mut plot, out)?;
        let at = self.board.totals();
        self.turning_point(converged, &at, out)?;
        for event in &later {
            self.tell_one(event, &mut plot, out)?;
        }
        // A cycle may be found just after.
        self.listen(told, &mut plot, Duration::from_millis(500), out)?;
        self.say(
            out,
            &format!(
                "\nNow nothing changes. What does that cost in {} s?",
                self.seconds
            ),
        )?;
        let before = self.board.totals();
        let cpu = usage::cpu_time();
        let watched = Duration::from_secs(self.seconds.into());
        self.listen(told, &mut plot, watched, out)?;
        let idle = self.board.totals();
        let spent = usage::cpu_time() - cpu;
        let n = self.graph.len() as f64;
        let seconds = f64::from(self.seconds.max(1));
        let summary = Summary {
            nodes: self.graph.len(),
            topology: &self.topology,
            transport: self.transport,
            converged: converged.is_some(),
            converged_ms: converged.map(millis),
            loops: plot.loops.iter().cloned().collect(),
            messages: at.messages,
            bytes: at.bytes,
            messages_per_node_per_s: (idle.messages - before.messages) as f64 / n / seconds,
            cpu_percent_per_node: spent.as_secs_f64() / seconds / n * 100.0,
        };
        self.ending(&summary, out)?;
        Ok(converged.is_some())
    }

    fn opening(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let n = self.graph.len();
        writeln!(
            out,
            "{n} nodes, topology {}, over {}, in this process.",
            self.topology, self.transport
        )?;
        if n <= BY_NAME {
            for (name, upstreams) in self.graph.names.iter().zip(&self.graph.upstreams) {
                let asked: Vec<_> = upstreams
                    .iter()
                    .map(|u| self.graph.names[*u].as_str())
                    .collect();
                match asked.len() {
                    0 => writeln!(out, "  {name} has no upstream")?,
                    _ => writeln!(out, "  {name} is told to ask {}", asked.join(", "))?,
                }
            }
        }
        writeln!(out, "Nobody knows anybody yet. Go!\n")?;
        out.flush()
    }

    /// Until everybody knows everybody; when that was, and what has happened since.
    fn spread(
        &self,
        told: &Receiver<Told>,
        plot: &mut Plot,
        out: &mut dyn Write,
    ) -> io::Result<(Option<Duration>, Vec<Told>)> {
        let n = self.graph.len() as u64;
        let mut last = Duration::ZERO;
        while self.board.start.elapsed() < LIMIT {
            if self.board.totals().pairs >= n * (n - 1) && n > 1 || n == 1 {
                let rest: Vec<_> = told.try_iter().collect();
                let is_up = |t: &Told| matches!(t.event, Event::PeerUp { .. });
                let last_up = rest.iter().rposition(is_up).map_or(0, |i| i + 1);
                let mut rest = rest.into_iter();
                for event in rest.by_ref().take(last_up) {
                    last = event.at;
                    self.tell_one(&event, plot, out)?;
                }
                return Ok((Some(last), rest.collect()));
            }
            match told.recv_timeout(TICK) {
                Ok(event) => {
                    if matches!(event.event, Event::PeerUp { .. }) {
                        last = event.at;
                    }
                    self.tell_one(&event, plot, out)?;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok((None, Vec::new()))
    }

    /// Tells what happens within so long.
    fn listen(
        &self,
        told: &Receiver<Told>,
        plot: &mut Plot,
        time: Duration,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let end = self.board.start.elapsed() + time;
        loop {
            let left = end.saturating_sub(self.board.start.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            if let Ok(event) = told.recv_timeout(left) {
                self.tell_one(&event, plot, out)?;
            }
        }
    }

    fn tell_one(&self, told: &Told, plot: &mut Plot, out: &mut dyn Write) -> io::Result<()> {
        let n = self.graph.len();
        let name = &self.graph.names[told.node];
        let line = match &told.event {
            Event::UpstreamUp { node, .. } if n <= BY_NAME => {
                format!("{name} is connected to its upstream {}", self.name(node))
            }
            Event::PeerUp { node } => {
                plot.known[told.node] += 1;
                let known = plot.known[told.node];
                if n <= BY_NAME {
                    format!("{name} knows {} ({known} of {})", self.name(node), n - 1)
                } else {
                    match self.quarter(plot) {
                        Some(percent) => format!("{percent} % of all there is to know is known"),
                        None => return Ok(()),
                    }
                }
            }
            Event::LoopDetected { path } => {
                let cycle = canonical(path.iter().map(|node| self.name(node)).collect());
                if !plot.loops.insert(cycle.clone()) {
                    return Ok(());
                }
                let first = cycle.first().cloned().unwrap_or_default();
                let shown = if cycle.len() > 12 {
                    format!(
                        "{} → … → {} ({} nodes)",
                        cycle[..3].join(" → "),
                        first,
                        cycle.len()
                    )
                } else {
                    format!("{} → {first}", cycle.join(" → "))
                };
                format!("CYCLE in the configuration: {shown}   (an arrow reads \"asks\")")
            }
            Event::UpstreamDown { retry_in, .. } if n <= BY_NAME => {
                format!("{name} has lost its upstream, and tries again in {retry_in:.1?}")
            }
            Event::PeerExpired { node } | Event::PeerLeft { node } => {
                format!("{name} has lost {}", self.name(node))
            }
            _ => return Ok(()),
        };
        self.say(out, &format!("{:>9.1} ms  {line}", millis(told.at)))
    }

    /// The quarter of all knowledge that has just been reached.
    fn quarter(&self, plot: &mut Plot) -> Option<u64> {
        let n = self.graph.len() as u64;
        let known: usize = plot.known.iter().sum();
        let quarter = known as u64 * 4 / (n * (n - 1)).max(1);
        (quarter > plot.quarters).then(|| {
            plot.quarters = quarter;
            quarter * 25
        })
    }

    fn name(&self, node: &NodeId) -> String {
        match self.ids.iter().position(|id| id == node) {
            Some(i) => self.graph.names[i].clone(),
            None => format!("{node:?}"),
        }
    }

    fn turning_point(
        &self,
        converged: Option<Duration>,
        at: &Totals,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let n = self.graph.len();
        match converged {
            Some(time) => writeln!(
                out,
                "{:>9.1} ms  Everybody knows everybody: {} messages and {} a node.",
                millis(time),
                usage::count((at.messages as f64 / n as f64).round() as u64),
                usage::bytes(at.bytes as f64 / n as f64)
            )?,
            None => writeln!(
                out,
                "\nNot everybody knows everybody after {} s: {} of {} pairs.",
                LIMIT.as_secs(),
                at.pairs,
                n * (n - 1)
            )?,
        }
        out.flush()
    }

    /// A line of the story.
    fn say(&self, out: &mut dyn Write, line: &str) -> io::Result<()> {
        if !self.json {
            writeln!(out, "{line}")?;
        }
        out.flush()
    }

    fn ending(&self, summary: &Summary<'_>, out: &mut dyn Write) -> io::Result<()> {
        if self.json {
            serde_json::to_writer_pretty(&mut *out, summary)?;
            return writeln!(out);
        }
        writeln!(
            out,
            "  {:.2} messages a node and second",
            summary.messages_per_node_per_s
        )?;
        writeln!(
            out,
            "  {:.3} % of a core a node",
            summary.cpu_percent_per_node
        )?;
        if !summary.loops.is_empty() {
            writeln!(
                out,
                "\nThe cycle does no harm here. A server that computes each answer by asking its upstream\n\
                 first would go round it for ever. `peerx check` finds such cycles in configuration files."
            )?;
        }
        out.flush()
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
