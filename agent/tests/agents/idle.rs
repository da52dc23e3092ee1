//! What an agent costs while nothing changes, beats included (N5): CPU time of each process.

use super::harness::{Agent, Lab, start};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Until a cluster is at rest.
const AT_REST: Duration = Duration::from_secs(90);

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |n| n.parse().expect("a number"))
}

/// CPU time that the process has had, in ticks of a hundredth of a second (proc(5)).
fn cpu(agent: &Agent) -> u64 {
    let pid = agent.pid().as_raw_nonzero();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    // The name before may have spaces.
    let (_, rest) = stat.rsplit_once(')').expect("the format of Linux");
    let fields = rest.split_whitespace().skip(11).take(2);
    fields.map(|n| n.parse::<u64>().expect("a number")).sum()
}

/// How often its threads have waited and were woken (proc(5)): this does not grow with what else the
/// machine has to do.
fn wakes(agent: &Agent) -> u64 {
    let pid = agent.pid().as_raw_nonzero();
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let status = threads.map(|t| std::fs::read_to_string(t.unwrap().path().join("status")));
    let of = |status: String| -> u64 {
        let mut lines = status.lines();
        let line = lines.find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"));
        line.map_or(0, |n| n.trim().parse().expect("a number"))
    };
    status.flatten().map(of).sum()
}

/// `NODES=3 SECONDS=300 TRANSPORT=quic cargo test -p peerx --test agents -- --ignored --nocapture
/// what_an_idle_agent_costs`
#[test]
#[ignore = "a measurement of minutes"]
fn what_an_idle_agent_costs() {
    let (nodes, seconds) = (number("NODES", 3), number("SECONDS", 300));
    let transport = std::env::var("TRANSPORT").unwrap_or_else(|_| "quic".to_owned());
    let lab = Lab::new();
    let mut ring = lab.ring(usize::try_from(nodes).unwrap());
    for agent in &mut ring {
        agent.set("transports", &format!("[{transport:?}]"));
    }
    start(&mut ring);
    sleep(AT_REST);
    let (begun, before) = (Instant::now(), ring.iter().map(cpu).collect::<Vec<_>>());
    let woken_before: u64 = ring.iter().map(wakes).sum();
    sleep(Duration::from_secs(seconds));
    let woken = ring.iter().map(wakes).sum::<u64>() - woken_before;
    let (past, after) = (begun.elapsed().as_secs_f64(), ring.iter().map(cpu));
    // Hundredths of a second are percent of one.
    let used = after
        .zip(&before)
        .map(|(after, before)| (after - before) as f64 / past);
    let used: Vec<f64> = used.collect();
    let mean = used.iter().sum::<f64>() / used.len() as f64;
    let most = used.iter().copied().fold(0.0, f64::max);
    eprintln!(
        "{nodes} over {transport}, {past:.0} s: {mean:.3} % of a core each, {most:.3} % at most, \
         {:.1} wakes a second",
        woken as f64 / past / nodes as f64
    );
}
