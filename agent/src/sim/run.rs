//! The run itself.

use super::SimArgs;
use super::failures;
use super::report::{Change, Report, Steady};
use super::watch::Watch;
use crate::topology::{Graph, canonical, natural};
use crate::usage;
use indicatif::{ProgressBar, ProgressStyle};
use peer_exchange::{Config, Input, Multiaddr};
use peer_exchange_memory::{Faults, HostId, Network, Setup};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Between convergence and `--change`: the first rounds without news are over.
const SETTLE: Duration = Duration::from_secs(5);

/// From this latency on, virtual time is told in latencies, too.
const LEAST_LATENCY_MS: f64 = 20.0;

/// For so long after convergence a node may still look for cycles (R47).
const LOOK: Duration = Duration::from_secs(4);

/// A point of the curve: virtual time, pairs known, bytes sent.
pub(super) type Point = (Duration, u64, u64);

/// How knowledge spread, and how it was asked for.
pub(super) struct Curve {
    pub(super) points: Vec<Point>,
    pub(super) askers: Vec<usize>,
    /// In how many other tables each node is.
    pub(super) degrees: Vec<u32>,
    /// What there is to know.
    pub(super) pairs: u64,
}

pub(super) fn run(args: &SimArgs, graph: &Graph) -> (Report, Curve) {
    let cpu = usage::cpu_time();
    let mut net = build(args, graph);
    let limit = Duration::from_secs(args.limit_s.into());
    let capacity = args.capacity.map_or(usize::MAX, |n| n as usize);
    let room = graph.len().min(capacity).saturating_sub(1);
    let pairs = graph.len() as u64 * room as u64;
    let bounded = capacity < graph.len();
    let done = move |net: &Network<Watch>| {
        if bounded {
            net.known_pairs() >= pairs
        } else {
            net.converged()
        }
    };
    let points = converge(&mut net, limit, pairs, &done);
    let mut report = Report {
        topology: args.topology.to_string(),
        nodes: graph.len(),
        edges: graph.edges(),
        seed: args.seed,
        loss: args.loss,
        duplicate: args.duplicate,
        reorder: args.reorder,
        latency_ms: args.latency_ms,
        latency_spread: args.latency_spread,
        converged: done(&net),
        capacity: capacity.min(graph.len() + 1),
        ..Report::default()
    };
    report.set_spread(net.now(), net.messages(), net.bytes(), record_bytes(&net));
    report.bytes_by_kind = net.observer().by_kind;
    report.records_sent = net.observer().records;
    if report.converged {
        // The last upstreams come up, and each node looks for cycles; nothing of it counts above.
        net.run_for(LOOK);
    }
    let degrees = super::sample::in_degrees(&net);
    report.in_degree = super::sample::summary(&degrees);
    let askers = net.observer().askers();
    report.max_askers_per_round = net.observer().max_askers();
    measure(args, &mut net, limit, &mut report);
    report.max_hops = net.observer().max_hops;
    report.max_forwards = net.observer().max_forwards;
    report.loops = loops(&net, graph, args.seed);
    report.trace_hash = format!("{:016x}", net.trace_hash());
    report.cpu_ms = (usage::cpu_time() - cpu).as_millis() as u64;
    report.peak_rss_bytes = usage::peak_rss_bytes();
    let curve = Curve {
        points,
        askers,
        degrees,
        pairs,
    };
    (report, curve)
}

/// What was asked for besides, one after the other on the same network.
fn measure(args: &SimArgs, net: &mut Network<Watch>, limit: Duration, report: &mut Report) {
    if args.change && report.converged {
        report.change = Some(change(net, args, limit));
    }
    if let Some(seconds) = args.steady {
        report.steady = Some(steady(net, seconds));
    }
    if let Some(seconds) = args.partition.filter(|_| report.converged) {
        let time = Duration::from_secs(seconds.into());
        report.partition = Some(failures::partition(net, time, args.seed, limit));
    }
    if let Some(n) = args.crash.filter(|_| report.converged) {
        report.crash = Some(failures::crash(net, n as usize, args.seed, limit));
    }
    if args.leave {
        report.leave = Some(super::sample::leave(net, args.seed, limit));
    }
}

fn build(args: &SimArgs, graph: &Graph) -> Network<Watch> {
    let faults = Faults {
        latency: Duration::from_secs_f64(args.latency_ms / 1000.0),
        spread: args.latency_spread,
        loss: args.loss,
        duplicate: args.duplicate,
        reorder: args.reorder,
        ..Faults::default()
    };
    let mut config = Config::default()
        .with_signing(args.signing.into())
        .with_detection(args.detection.0);
    config.capacity = match args.capacity {
        Some(n) => n as usize,
        // Every node has room for all.
        None => config.capacity.max(graph.len() + 1),
    };
    if let Some(seconds) = args.lifetime {
        config.lifetime = Duration::from_secs(seconds);
    }
    let mut net = Network::with_observer(
        Setup {
            seed: args.seed,
            faults,
            config,
        },
        Watch::default(),
    );
    for upstreams in &graph.upstreams {
        let upstreams: Vec<_> = upstreams.iter().copied().map(HostId).collect();
        net.add_host(&upstreams);
    }
    net.start_all();
    net
}

fn converge(
    net: &mut Network<Watch>,
    limit: Duration,
    pairs: u64,
    done: &dyn Fn(&Network<Watch>) -> bool,
) -> Vec<Point> {
    const MOST_POINTS: usize = 2_000;
    let bar = ProgressBar::new(pairs);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent}% known  {msg}") {
        bar.set_style(style);
    }
    let mut points: Vec<Point> = vec![(Duration::ZERO, 0, 0)];
    let mut step = Duration::from_micros(100);
    let mut next = Duration::ZERO;
    net.run_until(limit, |net| {
        if net.now() >= next {
            next = net.now() + step;
            points.push((net.now(), net.known_pairs(), net.bytes()));
            bar.set_position(net.known_pairs());
            bar.set_message(format!("virtual {:.1?}", net.now()));
            if points.len() > MOST_POINTS {
                let mut nth = 0;
                points.retain(|_| {
                    nth += 1;
                    nth % 2 == 1
                });
                step *= 2;
            }
        }
        done(net)
    });
    points.push((net.now(), net.known_pairs(), net.bytes()));
    bar.finish_and_clear();
    points
}

/// The mean encoded size of a record, in the largest table there is.
fn record_bytes(net: &Network<Watch>) -> f64 {
    let nodes = (0..net.host_count()).filter_map(|i| net.node(HostId(i)));
    let Some(node) = nodes.max_by_key(|node| node.peer_count()) else {
        return 0.0;
    };
    let (records, bytes) = node.encoded_table();
    bytes as f64 / records.max(1) as f64
}

fn change(net: &mut Network<Watch>, args: &SimArgs, limit: Duration) -> Change {
    net.run_for(SETTLE);
    let host = HostId(args.seed as usize % net.host_count());
    let (start, messages, bytes) = (net.now(), net.messages(), net.bytes());
    let news = net.observer().news;
    let mut moved: SocketAddr = host.socket();
    moved.set_port(7001);
    net.add_balancer(moved, vec![host]);
    net.input(host, Input::SetAddresses(vec![Multiaddr::tcp(moved)]));
    let converged = net.run_until(start + limit, Network::converged);
    let virtual_ms = (net.now() - start).as_secs_f64() * 1000.0;
    Change {
        converged,
        virtual_ms,
        rounds: super::report::rounds(virtual_ms),
        hops: (args.latency_ms >= LEAST_LATENCY_MS).then(|| virtual_ms / args.latency_ms),
        messages: net.messages() - messages,
        news: net.observer().news - news,
        bytes: net.bytes() - bytes,
    }
}

fn steady(net: &mut Network<Watch>, seconds: u32) -> Steady {
    let (messages, bytes) = (net.messages(), net.bytes());
    net.run_for(Duration::from_secs(seconds.into()));
    let per = |n: u64| n as f64 / net.host_count() as f64 / f64::from(seconds.max(1));
    Steady {
        messages_per_node_per_s: per(net.messages() - messages),
        // What one node sends another receives: both count (N9).
        bytes_per_node_per_s: 2.0 * per(net.bytes() - bytes),
        in_degree: super::sample::summary(&super::sample::in_degrees(net)),
    }
}

fn loops(net: &Network<Watch>, graph: &Graph, seed: u64) -> Vec<Vec<String>> {
    // Also of those that have stopped meanwhile.
    let ids = (0..net.host_count()).map(|i| HostId(i).node_id(seed));
    let hosts: BTreeMap<_, _> = ids.zip(&graph.names).collect();
    let name = |node| {
        hosts
            .get(node)
            .map_or_else(|| "?".to_owned(), |name| (*name).clone())
    };
    let cycles = net.observer().cycles.iter();
    let mut loops: Vec<Vec<String>> = cycles
        .map(|path| canonical(path.iter().map(name).collect()))
        .collect();
    loops.sort_by(|a, b| {
        a.iter()
            .map(|n| natural(n))
            .cmp(b.iter().map(|n| natural(n)))
    });
    loops
}
