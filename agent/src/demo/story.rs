//! The story, as it happens.

use super::Transport;
use super::crash::Crash;
use super::plot::{Plot, all_pairs};
use super::status::{Cluster, Told, Totals};
use crate::topology::Graph;
use crate::usage;
use anstyle::{AnsiColor, Style};
use peer_exchange::contract;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// After so long the nodes should have found each other.
const LIMIT: Duration = Duration::from_secs(60);
/// What goes on just after, until everything is quiet.
const SETTLING: Duration = Duration::from_millis(500);
/// Cycles are looked for when it has been calm for a second; later on a busy machine.
const LOOKING: Duration = Duration::from_secs(10);

pub(super) struct Story<'a> {
    pub(super) graph: &'a Graph,
    pub(super) topology: String,
    pub(super) transport: Transport,
    pub(super) seconds: u32,
    pub(super) no_crash: bool,
    pub(super) json: bool,
    pub(super) colour: bool,
    pub(super) cluster: &'a dyn Cluster,
    pub(super) start: Instant,
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
    /// `null` where nobody was killed.
    crash: Option<Crash>,
}

/// What nothing costs.
struct Idle {
    messages_per_node_per_s: f64,
    exchanges_per_node: f64,
    cpu_percent_per_node: f64,
}

impl Story<'_> {
    /// Tells it until the end; true if everybody knew everybody.
    pub(super) fn tell(&self, told: &Receiver<Told>, out: &mut dyn Write) -> io::Result<bool> {
        let mut plot = Plot::new(self.graph, self.cluster.ids());
        self.opening(out)?;
        let converged = self.spread(told, &mut plot, out)?;
        let at = self.cluster.totals();
        self.turning_point(converged, &at, &plot, out)?;
        self.settle(told, &mut plot, out)?;
        let idle = self.idle(told, &mut plot, out)?;
        if !self.json {
            self.cost(&idle, out)?;
        }
        let crash = match converged.is_some() && !self.no_crash {
            true => self.crash(told, out)?,
            false => None,
        };
        let summary = Summary {
            nodes: self.graph.len(),
            topology: &self.topology,
            transport: self.transport.name(),
            converged: converged.is_some(),
            converged_ms: converged.map(millis),
            loops: plot.loops.iter().cloned().collect(),
            messages: at.messages,
            bytes: at.bytes,
            messages_per_node_per_s: idle.messages_per_node_per_s,
            cpu_percent_per_node: idle.cpu_percent_per_node,
            crash,
        };
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &summary)?;
            writeln!(out)?;
        } else {
            self.ending(&plot, out)?;
        }
        out.flush()?;
        Ok(converged.is_some())
    }

    fn opening(&self, out: &mut dyn Write) -> io::Result<()> {
        let n = self.graph.len();
        let nodes = if n == 1 { "node" } else { "nodes" };
        let over = self.transport.in_words();
        self.say(
            out,
            &format!("{n} {nodes}, topology {}, over {over}.", self.topology),
        )?;
        if self.graph.is_told_by_name() {
            for (name, upstreams) in self.graph.names.iter().zip(&self.graph.upstreams) {
                let asked: Vec<_> = upstreams
                    .iter()
                    .map(|u| self.graph.names[*u].as_str())
                    .collect();
                let line = match asked.len() {
                    0 => format!("  {name} has no upstream"),
                    _ => format!("  {name} is told to ask {}", asked.join(", ")),
                };
                self.say(out, &line)?;
            }
        }
        self.say(out, "Nobody knows anybody yet. Go!\n")
    }

    /// Until all that can be known is known; when everybody has known everybody.
    fn spread(
        &self,
        told: &Receiver<Told>,
        plot: &mut Plot<'_>,
        out: &mut dyn Write,
    ) -> io::Result<Option<Duration>> {
        let mut last = Duration::ZERO;
        while !plot.is_complete() {
            let left = LIMIT.saturating_sub(self.start.elapsed());
            // An error: it takes too long.
            let Ok(event) = told.recv_timeout(left) else {
                return Ok(None);
            };
            last = last.max(event.at);
            self.tell_one(&event, plot, out)?;
        }
        Ok((!plot.falls_apart()).then_some(last))
    }

    /// A cycle may be found just after.
    fn settle(
        &self,
        told: &Receiver<Told>,
        plot: &mut Plot<'_>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let end = self.start.elapsed() + LOOKING;
        self.listen(told, plot, SETTLING, out)?;
        while plot.is_unfinished() && self.start.elapsed() < end {
            self.listen(told, plot, SETTLING / 10, out)?;
        }
        Ok(())
    }

    /// What the nodes cost while nothing changes.
    fn idle(
        &self,
        told: &Receiver<Told>,
        plot: &mut Plot<'_>,
        out: &mut dyn Write,
    ) -> io::Result<Idle> {
        if self.seconds > 0 {
            let question = format!(
                "\nNow nothing changes. What does that cost in {} s?",
                self.seconds
            );
            self.say(out, &question)?;
        }
        let before = self.cluster.totals();
        let (cpu, started) = (usage::cpu_time(), Instant::now());
        self.listen(told, plot, Duration::from_secs(self.seconds.into()), out)?;
        let (spent, seconds) = (usage::cpu_time() - cpu, started.elapsed().as_secs_f64());
        let after = self.cluster.totals();
        let n = self.graph.len() as f64;
        // In no time, nothing.
        let per_second = |x: f64| {
            if self.seconds == 0 {
                0.0
            } else {
                x / n / seconds
            }
        };
        Ok(Idle {
            messages_per_node_per_s: per_second((after.messages - before.messages) as f64),
            exchanges_per_node: (after.exchanges - before.exchanges) as f64 / n,
            cpu_percent_per_node: per_second(spent.as_secs_f64() * 100.0),
        })
    }

    /// Tells what happens within so long.
    fn listen(
        &self,
        told: &Receiver<Told>,
        plot: &mut Plot<'_>,
        time: Duration,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            if let Ok(event) = told.recv_timeout(left) {
                self.tell_one(&event, plot, out)?;
            }
        }
    }

    fn tell_one(&self, told: &Told, plot: &mut Plot<'_>, out: &mut dyn Write) -> io::Result<()> {
        let cycles = plot.loops.len();
        let Some(line) = plot.follow(told) else {
            return Ok(());
        };
        let style = if plot.loops.len() > cycles {
            AnsiColor::Yellow.on_default().bold()
        } else {
            Style::new()
        };
        self.say_at(out, told.at, style, &line)
    }

    fn turning_point(
        &self,
        converged: Option<Duration>,
        at: &Totals,
        plot: &Plot<'_>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let n = self.graph.len();
        let Some(time) = converged else {
            let (known, pairs) = (plot.pairs, all_pairs(self.graph));
            let mut line = format!(
                "\nNot everybody knows everybody after {:.0} s: {known} of {pairs} pairs.",
                self.start.elapsed().as_secs_f64()
            );
            if plot.falls_apart() {
                line += "\nThe topology is in parts that no edge joins: they can never meet.";
            }
            if let Some((times, why)) = &plot.failures {
                line += &format!("\n{times} dials have failed, the last one so: {why}");
            }
            return self.say(out, &line);
        };
        if n == 1 {
            return self.say_at(out, time, Style::new(), "There is nobody else to know.");
        }
        let line = format!(
            "Everybody knows everybody: {} messages and {} a node.",
            usage::count((at.messages as f64 / n as f64).round() as u64),
            usage::bytes(at.bytes as f64 / n as f64)
        );
        self.say_at(out, time, AnsiColor::Green.on_default().bold(), &line)
    }

    pub(super) fn say_at(
        &self,
        out: &mut dyn Write,
        at: Duration,
        style: Style,
        line: &str,
    ) -> io::Result<()> {
        let style = if self.colour { style } else { Style::new() };
        self.say(
            out,
            &format!("{:>9.1} ms  {style}{line}{style:#}", millis(at)),
        )
    }

    /// A line of the story.
    pub(super) fn say(&self, out: &mut dyn Write, line: &str) -> io::Result<()> {
        if !self.json {
            writeln!(out, "{line}")?;
        }
        out.flush()
    }

    fn cost(&self, idle: &Idle, out: &mut dyn Write) -> io::Result<()> {
        if self.seconds > 0 {
            writeln!(
                out,
                "  {:.1} exchanges a node, ever farther apart, in the end one a minute\n  \
                 {:.2} messages a node and second\n  \
                 {:.3} % of a core a node",
                idle.exchanges_per_node, idle.messages_per_node_per_s, idle.cpu_percent_per_node
            )?;
        }
        Ok(())
    }

    fn ending(&self, plot: &Plot<'_>, out: &mut dyn Write) -> io::Result<()> {
        if !plot.loops.is_empty() {
            let several = plot.loops.len() > 1;
            writeln!(
                out,
                "\n{} no harm here. A server that computes each answer by asking its upstream\n\
                 first would go round {} for ever. `peerx check` finds such cycles in configuration files.",
                if several {
                    "The cycles do"
                } else {
                    "The cycle does"
                },
                if several { "them" } else { "it" },
            )?;
        }
        if plot.has_long_cycle() {
            writeln!(
                out,
                "\nThe configuration has a cycle that is too long for the nodes to report: {} nodes are the most.\n\
                 It does no harm here. `peerx check` finds cycles of any length in configuration files.",
                contract::HOPS
            )?;
        }
        Ok(())
    }
}

pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
