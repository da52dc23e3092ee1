//! The table, in Markdown. The best of each group is bold.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::case::{Candidate, Case};
use crate::cluster::Topology;
use crate::measure::{LEAST_RECORD, Outcome, Spread};
use crate::process::Measured;

/// What rows have in common over the seeds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    lossy: bool,
    pub(crate) size: u32,
    pub(crate) topology: Topology,
    pub(crate) candidate: Candidate,
    streams: bool,
}

/// All outcomes by what they have in common.
pub(crate) struct Rows(BTreeMap<Key, Vec<Outcome>>);

impl Rows {
    pub(crate) fn new(measured: &[Measured]) -> Self {
        let mut rows: BTreeMap<Key, Vec<Outcome>> = BTreeMap::new();
        for (case, outcome) in measured {
            rows.entry(Key::of(case)).or_default().push(outcome.clone());
        }
        Self(rows)
    }

    /// Of the lossless rows, this number at its median.
    pub(crate) fn lossless(
        &self,
        number: impl Fn(&Key, &Outcome) -> Option<f64>,
    ) -> impl Iterator<Item = (Key, f64)> {
        let rows = self.0.iter().filter(|(key, _)| !key.lossy);
        rows.filter_map(move |(key, outcomes)| {
            let median = median(outcomes, |outcome| number(key, outcome))?;
            Some((*key, median))
        })
    }
}

impl Key {
    fn of(case: &Case) -> Self {
        Self {
            lossy: case.loss > 0.0,
            size: case.size,
            topology: case.topology,
            candidate: case.candidate,
            streams: case.streams,
        }
    }

    fn name(&self) -> String {
        let loss = match (self.lossy, self.streams) {
            (false, _) => "",
            (true, false) => ", messages lost",
            (true, true) => ", lost and sent again",
        };
        format!("{}{loss}", self.candidate.name())
    }

    fn same_work(&self, other: &Self) -> bool {
        (self.size, self.topology) == (other.size, other.topology)
    }

    /// Bytes over the least possible: each record once to each node.
    pub(crate) fn ratio(&self, spread: &Spread) -> f64 {
        let n = u64::from(self.size);
        spread.bytes as f64 / (n * (n - 1) * LEAST_RECORD) as f64
    }

    pub(crate) fn per_node(&self, sum: f64) -> f64 {
        sum / f64::from(self.size)
    }
}

/// The median over those that have it; none if most have not.
fn median(outcomes: &[Outcome], number: impl Fn(&Outcome) -> Option<f64>) -> Option<f64> {
    let mut numbers: Vec<f64> = outcomes.iter().filter_map(number).collect();
    if numbers.len() * 2 <= outcomes.len() {
        return None;
    }
    numbers.sort_by(f64::total_cmp);
    Some(numbers[(numbers.len() - 1) / 2])
}

#[derive(Clone, Copy)]
struct Column {
    head: &'static str,
    number: fn(&Key, &Outcome) -> Option<f64>,
    shown: fn(f64) -> String,
}

const fn column(
    head: &'static str,
    number: fn(&Key, &Outcome) -> Option<f64>,
    shown: fn(f64) -> String,
) -> Column {
    Column {
        head,
        number,
        shown,
    }
}

const COLD: [Column; 8] = [
    column("all know all", |_, o| Some(o.cold.as_ref()?.all_ms), time),
    column("99 % of pairs", |_, o| Some(o.cold.as_ref()?.most_ms), time),
    column(
        "messages a node",
        |k, o| Some(k.per_node(o.cold.as_ref()?.messages as f64)),
        number,
    ),
    column(
        "bytes, ratio",
        |k, o| Some(k.ratio(o.cold.as_ref()?)),
        number,
    ),
    column(
        "connections a node",
        |k, o| o.cold.as_ref().and(Some(k.per_node(o.connections? as f64))),
        number,
    ),
    column(
        "CPU a node",
        |k, o| Some(k.per_node(o.cold.as_ref()?.cpu_ns as f64)),
        cpu,
    ),
    column(
        "CPU a message",
        |_, o| {
            o.cold
                .as_ref()
                .map(|c| c.cpu_ns as f64 / c.messages.max(1) as f64)
        },
        cpu,
    ),
    column(
        "memory",
        |_, o| o.cold.as_ref().map(|_| o.peak_bytes as f64),
        memory,
    ),
];

const AFTER: [Column; 6] = [
    column(
        "one change, known everywhere",
        |_, o| Some(o.change.as_ref()?.all_ms),
        time,
    ),
    column(
        "its messages a node",
        |k, o| Some(k.per_node(o.change.as_ref()?.messages as f64)),
        number,
    ),
    column(
        "its bytes a node",
        |k, o| Some(k.per_node(o.change.as_ref()?.bytes as f64)),
        number,
    ),
    column(
        "quiet: messages/s a node",
        |_, o| Some(o.steady.as_ref()?.messages),
        number,
    ),
    column(
        "quiet: bytes/s a node",
        |_, o| Some(o.steady.as_ref()?.bytes),
        number,
    ),
    column(
        "quiet: CPU a node and second",
        |_, o| Some(o.steady.as_ref()?.cpu * 1e9),
        cpu,
    ),
];

/// All parts of the table, the first a summary.
#[must_use]
pub fn markdown(measured: &[Measured]) -> String {
    let rows = Rows::new(measured);
    let mut out = String::new();
    let mut part = |title, wanted: fn(&Key) -> bool, columns: &[Column]| {
        if rows.0.keys().any(wanted) {
            self::part(&mut out, title, &rows, wanted, columns);
        }
    };
    let short = [COLD[0], COLD[3], COLD[5], COLD[7], AFTER[0], AFTER[4]];
    let in_short = |key: &Key| !key.lossy && key.topology == Topology::Ring && key.size >= 100;
    part("In short: rings of 100 and 1,000", in_short, &short);
    part("Cold start", |key| !key.lossy, &COLD);
    part("One change, and nothing changing", |key| !key.lossy, &AFTER);
    part(
        "Cold start, every tenth message lost",
        |key| key.lossy,
        &COLD[..6],
    );
    out
}

/// The text with the table in place of what follows [`MARK`]; `None` if there is no mark.
#[must_use]
pub fn replaced(text: &str, table: &str) -> Option<String> {
    let (before, _) = text.split_once(MARK)?;
    Some(format!("{before}{MARK}\n\n{}\n", table.trim_end()))
}

/// Where a document has the table, to its end.
pub const MARK: &str = "<!-- table -->";

fn part(
    out: &mut String,
    title: &str,
    rows: &Rows,
    wanted: impl Fn(&Key) -> bool,
    columns: &[Column],
) {
    let heads: Vec<_> = columns.iter().map(|column| column.head).collect();
    let _ = writeln!(out, "### {title}\n\n| nodes | | {} |", heads.join(" | "));
    let _ = writeln!(out, "|---|---|{}", "---|".repeat(columns.len()));
    let keys: Vec<&Key> = rows.0.keys().filter(|key| wanted(key)).collect();
    for key in &keys {
        let mut cells = Vec::new();
        for column in columns {
            let of = |key: &Key| median(&rows.0[key], |outcome| (column.number)(key, outcome));
            let best = keys.iter().filter(|other| other.same_work(key));
            let best = best.filter_map(|key| of(key)).min_by(f64::total_cmp);
            cells.push(match of(key) {
                Some(value) if Some(value) == best => format!("**{}**", (column.shown)(value)),
                Some(value) => (column.shown)(value),
                None => "–".to_owned(),
            });
        }
        if cells.iter().all(|cell| cell == "–") {
            cells[0] = stopped(&rows.0[*key]);
        }
        let (size, topology) = (grouped(u64::from(key.size)), key.topology.name());
        let _ = writeln!(
            out,
            "| {size} {topology} | {} | {} |",
            key.name(),
            cells.join(" | ")
        );
    }
    out.push('\n');
}

fn stopped(outcomes: &[Outcome]) -> String {
    let why = outcomes
        .iter()
        .find_map(|outcome| Some((outcome.stopped.as_ref()?, outcome.share)));
    why.map_or_else(
        || "–".to_owned(),
        |(why, share)| format!("{why}; {:.0} % known by then", share * 100.0),
    )
}

fn time(ms: f64) -> String {
    match ms {
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        ms if ms < 100_000.0 => format!("{:.1} s", ms / 1e3),
        ms => format!("{:.0} s", ms / 1e3),
    }
}

fn cpu(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.1} µs", ns / 1e3),
        ns if ns < 1e9 => format!("{:.1} ms", ns / 1e6),
        ns => format!("{:.1} s", ns / 1e9),
    }
}

fn memory(bytes: f64) -> String {
    match bytes {
        bytes if bytes < 1e9 => format!("{:.0} MB", bytes / 1e6),
        bytes => format!("{:.1} GB", bytes / 1e9),
    }
}

fn number(value: f64) -> String {
    match value {
        value if value < 1.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => grouped(value.round() as u64),
    }
}

fn grouped(n: u64) -> String {
    if n < 1_000 {
        return n.to_string();
    }
    format!("{},{:03}", grouped(n / 1_000), n % 1_000)
}
