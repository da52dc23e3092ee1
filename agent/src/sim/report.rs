//! What a simulation found.

use crate::usage::{bytes, count};
use serde::Serialize;
use std::io::{self, Write};
use std::time::Duration;

/// The JSON of `peerx sim`; its fields are described in the README.
#[derive(Serialize, Default, Debug)]
pub(crate) struct Report {
    pub(super) topology: String,
    pub(super) nodes: usize,
    pub(super) edges: usize,
    pub(super) seed: u64,
    pub(super) loss: f64,
    pub(super) duplicate: f64,
    pub(super) reorder: f64,
    pub(super) latency_ms: f64,
    pub(super) latency_spread: f64,
    pub(super) converged: bool,
    pub(super) virtual_ms: f64,
    pub(super) rounds: u64,
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) record_bytes: f64,
    pub(super) bytes_ratio: f64,
    pub(super) bytes_by_kind: ByKind,
    pub(super) records_sent: u64,
    pub(super) max_hops: usize,
    pub(super) max_forwards: u64,
    pub(super) max_askers_per_round: usize,
    pub(super) loops: Vec<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) change: Option<Change>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) steady: Option<Steady>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) leave: Option<Leave>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) crash: Option<Crash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) partition: Option<Partition>,
    /// Records that a table has room for.
    pub(super) capacity: usize,
    /// In how many other tables a node is.
    pub(super) in_degree: InDegree,
    pub(super) trace_hash: String,
    pub(super) cpu_ms: u64,
    pub(super) peak_rss_bytes: Option<u64>,
}

/// Bytes until convergence, by what takes most of each message.
#[derive(Serialize, Clone, Copy, Default, Debug)]
pub(super) struct ByKind {
    pub(super) records: u64,
    pub(super) filters: u64,
    pub(super) sketches: u64,
    pub(super) fetches: u64,
    pub(super) requests: u64,
    pub(super) unchanged: u64,
    pub(super) other: u64,
}

/// One changed record.
#[derive(Serialize, Debug)]
pub(super) struct Change {
    pub(super) converged: bool,
    pub(super) virtual_ms: f64,
    pub(super) rounds: u64,
    /// Virtual time in one-way latencies, where these are long enough to count by.
    pub(super) hops: Option<f64>,
    /// All, and those of them with news.
    pub(super) messages: u64,
    pub(super) news: u64,
    pub(super) bytes: u64,
}

/// What nothing costs.
#[derive(Serialize, Debug)]
pub(super) struct Steady {
    pub(super) messages_per_node_per_s: f64,
    pub(super) bytes_per_node_per_s: f64,
    /// Afterwards.
    pub(super) in_degree: InDegree,
}

/// Nodes that stop without a word, one after another.
#[derive(Serialize, Debug)]
pub(super) struct Crash {
    /// How many.
    pub(super) crashed: u64,
    /// (survivor, one that has stopped), of those who had it as up and then as down.
    pub(super) pairs: u64,
    /// Of these pairs; none without any.
    pub(super) median_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    pub(super) max_ms: Option<f64>,
    /// Pairs that did not get there within the limit.
    pub(super) missing: u64,
    /// Times that somebody was taken for down who was running.
    pub(super) false_downs: u64,
}

/// Two halves apart.
#[derive(Serialize, Debug)]
pub(super) struct Partition {
    /// Until each side has the other as down, and nobody else; none if not before the end.
    pub(super) down_ms: Option<f64>,
    /// From the end until all are up everywhere; none within the limit.
    pub(super) heal_ms: Option<f64>,
}

/// How a leaver is forgotten: nodes that still know it as a peer, and when.
#[derive(Serialize, Debug)]
pub(super) struct Leave {
    pub(super) known_by: u64,
    pub(super) messages: u64,
    /// Until half of those, nine tenths, and all have forgotten it; none within the limit.
    pub(super) half_ms: Option<f64>,
    pub(super) tenth_left_ms: Option<f64>,
    pub(super) all_ms: Option<f64>,
}

/// In how many other tables a node is, over all nodes.
#[derive(Serialize, Default, Debug)]
pub(super) struct InDegree {
    pub(super) min: u32,
    pub(super) percent_1: u32,
    pub(super) median: u32,
    pub(super) percent_99: u32,
    pub(super) max: u32,
    pub(super) mean: f64,
    pub(super) deviation: f64,
    /// Of as many entries drawn at random: sqrt(mean (1 - mean / (nodes - 1))).
    pub(super) deviation_at_random: f64,
}

/// Rounds of 200 ms, begun ones counted.
pub(super) fn rounds(virtual_ms: f64) -> u64 {
    (virtual_ms / 200.0).ceil() as u64
}

impl Report {
    pub(super) fn set_spread(&mut self, at: Duration, messages: u64, bytes: u64, record: f64) {
        self.virtual_ms = at.as_secs_f64() * 1000.0;
        self.rounds = rounds(self.virtual_ms);
        self.messages = messages;
        self.bytes = bytes;
        self.record_bytes = record;
        let least = self.least_bytes();
        self.bytes_ratio = if least > 0.0 {
            bytes as f64 / least
        } else {
            0.0
        };
    }

    /// Every node receives every other node's record once, as far as it has room.
    fn least_bytes(&self) -> f64 {
        let room = self.nodes.min(self.capacity).saturating_sub(1);
        self.nodes as f64 * room as f64 * self.record_bytes
    }

    pub(super) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_outcome(out)?;
        self.write_spread(out)?;
        self.write_degrees(&self.in_degree, out)?;
        self.write_walks(out)?;
        self.write_loops(out)?;
        self.write_measured(out)?;
        writeln!(
            out,
            "  this run          {} ms of CPU, {} of memory, trace {}",
            count(self.cpu_ms),
            self.peak_rss_bytes
                .map_or_else(|| "?".to_owned(), |n| bytes(n as f64)),
            self.trace_hash
        )
    }

    /// What was run, and whether it got there.
    fn write_outcome(&self, out: &mut dyn Write) -> io::Result<()> {
        let spread = match self.latency_spread {
            0.0 => String::new(),
            part => format!(" ± {} %", part * 100.0),
        };
        writeln!(
            out,
            "{} of {} nodes, {} edges, seed {}, latency {} ms{}, loss {}, duplicate {}, reorder {}",
            self.topology,
            count(self.nodes as u64),
            count(self.edges as u64),
            self.seed,
            self.latency_ms,
            spread,
            self.loss,
            self.duplicate,
            self.reorder
        )?;
        if self.converged {
            writeln!(
                out,
                "  converged         {:.1} ms of virtual time, {} rounds of 200 ms",
                self.virtual_ms, self.rounds
            )
        } else {
            writeln!(
                out,
                "  NOT converged     within {:.0} s of virtual time",
                self.virtual_ms / 1e3
            )
        }
    }

    /// What it has cost until everybody knew everybody.
    fn write_spread(&self, out: &mut dyn Write) -> io::Result<()> {
        let n = self.nodes as f64;
        writeln!(
            out,
            "  messages          {}, {:.1} a node",
            count(self.messages),
            self.messages as f64 / n
        )?;
        writeln!(
            out,
            "  bytes             {}, {} a node, {:.2} times the least possible at {:.1} B a record",
            bytes(self.bytes as f64),
            bytes(self.bytes as f64 / n),
            self.bytes_ratio,
            self.record_bytes
        )?;
        let ByKind {
            records,
            filters,
            sketches,
            fetches,
            ..
        } = self.bytes_by_kind;
        let told = filters + sketches + fetches;
        writeln!(
            out,
            "  of these          {} records, {} filters, sketches and fetches, {} the rest",
            bytes(records as f64),
            bytes(told as f64),
            bytes(self.bytes.saturating_sub(records + told) as f64)
        )
    }

    /// How far requests went, and how many came to one node.
    fn write_walks(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "  walks             at most {} hops; no request forwarded by one node more than {}",
            self.max_hops,
            match self.max_forwards {
                0 | 1 => "once".to_owned(),
                n => format!("{n} times"),
            }
        )?;
        writeln!(
            out,
            "  askers            at most {} asked one node within 200 ms",
            self.max_askers_per_round
        )
    }

    /// What was asked to be measured besides.
    fn write_measured(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(change) = &self.change {
            let all = if change.converged {
                "known everywhere"
            } else {
                "NOT known everywhere"
            };
            writeln!(
                out,
                "  one change        {all} in {:.1} ms{}, {} messages ({} with news), {}",
                change.virtual_ms,
                change
                    .hops
                    .map_or(String::new(), |hops| format!(" ({hops:.1} hops)")),
                count(change.messages),
                count(change.news),
                bytes(change.bytes as f64)
            )?;
        }
        if let Some(steady) = &self.steady {
            writeln!(
                out,
                "  nothing changing  {:.2} messages sent, {:.1} B sent and received, a node and second",
                steady.messages_per_node_per_s, steady.bytes_per_node_per_s
            )?;
            self.write_degrees(&steady.in_degree, out)?;
        }
        self.write_failures(out)?;
        if let Some(leave) = &self.leave {
            let when = |ms: Option<f64>| ms.map_or("not".to_owned(), |ms| format!("in {ms:.0} ms"));
            writeln!(
                out,
                "  one leaves        known by {}; forgotten by half {}, by nine tenths {}, by all {}",
                count(leave.known_by),
                when(leave.half_ms),
                when(leave.tenth_left_ms),
                when(leave.all_ms)
            )?;
        }
        Ok(())
    }

    /// Who was found out, and how soon.
    fn write_failures(&self, out: &mut dyn Write) -> io::Result<()> {
        let when = |ms: Option<f64>| ms.map_or("not".to_owned(), |ms| format!("after {ms:.0} ms"));
        if let Some(partition) = &self.partition {
            writeln!(
                out,
                "  halves apart      each has the other as down {}; all are up again {} of the end",
                when(partition.down_ms),
                when(partition.heal_ms)
            )?;
        }
        if let Some(crash) = &self.crash {
            writeln!(
                out,
                "  {:<16}  down for the median survivor {}, for 99 % {}, for the last {}",
                format!("{} crash", count(crash.crashed)),
                when(crash.median_ms),
                when(crash.p99_ms),
                when(crash.max_ms)
            )?;
            writeln!(
                out,
                "                    {} pairs, {} never; {} alive taken for down",
                count(crash.pairs),
                count(crash.missing),
                count(crash.false_downs)
            )?;
        }
        Ok(())
    }

    /// Who is in how many tables, where that is a question.
    fn write_degrees(&self, degrees: &InDegree, out: &mut dyn Write) -> io::Result<()> {
        if self.capacity >= self.nodes {
            return Ok(());
        }
        writeln!(
            out,
            "  tables            {} records each; a node is in {} to {} of them, median {}, deviation {:.0} (a fair draw: {:.0})",
            count(self.capacity as u64),
            degrees.min,
            degrees.max,
            degrees.median,
            degrees.deviation,
            degrees.deviation_at_random
        )
    }

    fn write_loops(&self, out: &mut dyn Write) -> io::Result<()> {
        const SHOWN: usize = 10;
        for cycle in self.loops.iter().take(SHOWN) {
            let first = cycle.first().map_or("", String::as_str);
            writeln!(out, "  cycle             {} → {first}", cycle.join(" → "))?;
        }
        match self.loops.len() {
            0 => writeln!(
                out,
                "  cycles            none reported (only up to 64 nodes long)"
            ),
            n if n > SHOWN => writeln!(out, "  cycles            {} more", n - SHOWN),
            _ => Ok(()),
        }
    }
}
