//! One transport is blocked between hosts, and the other open: what most questions to operators of
//! such clusters are about. In network namespaces; what is blocked vanishes without a word.

use super::harness::network::Network;
use super::harness::{Agent, Lab, Mark, eventually};
use rustix::process::Signal;
use std::thread::sleep;
use std::time::{Duration, Instant};

const N: usize = 4;
/// Whoever is to be found out is, in this time, several times over.
const WATCHED: Duration = Duration::from_secs(15);

/// Which way packets vanish.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Ways {
    Both,
    /// From lower numbers to higher.
    One,
}

/// Whom the one at this place asks.
fn next(i: usize) -> String {
    Network::address((i + 1) % N + 1).to_string()
}

/// Starts them, and lets each ask the next once all listen. [One that is dialled a moment earlier
/// refuses TCP and answers over QUIC.]
fn start(ring: &mut [Agent]) {
    for agent in ring.iter_mut() {
        agent.ask(&[]).spawn();
    }
    for agent in ring.iter() {
        eventually("it listens", || {
            agent.log_since(Mark::default()).contains("admin interface")
        });
    }
    for (i, agent) in ring.iter_mut().enumerate() {
        agent.ask(&[&next(i)]).write_config();
        agent.signal(Signal::HUP);
    }
}

/// Agents in a ring that prefer `first`, one in each namespace.
fn ring(network: &Network, first: &str, lab: &Lab) -> Vec<Agent> {
    let second = if first == "quic" { "tcp" } else { "quic" };
    let mut ring = lab.ring(N);
    for (i, agent) in ring.iter_mut().enumerate() {
        network.host(i + 1, agent);
        agent.ask(&[&next(i)]);
        agent.set("transports", &format!("[{first:?}, {second:?}]"));
    }
    ring
}

fn pairs(ways: Ways) -> impl Iterator<Item = (usize, usize)> {
    let all = (1..=N).flat_map(|a| (1..=N).map(move |b| (a, b)));
    all.filter(move |(a, b)| a < b || (a > b && ways == Ways::Both))
}

fn block(network: &Network, protocol: &str, ways: Ways) {
    for (from, to) in pairs(ways) {
        network.block(protocol, from, to);
    }
}

fn unblock(network: &Network, protocol: &str, ways: Ways) {
    for (from, to) in pairs(ways) {
        network.unblock(protocol, from, to);
    }
}

fn protocol(transport: &str) -> &'static str {
    if transport == "quic" { "udp" } else { "tcp" }
}

fn other(transport: &str) -> &'static str {
    if transport == "quic" { "tcp" } else { "quic" }
}

fn all_know_all(network: &Network, told: &str) {
    for node in 1..=N {
        eventually(&format!("{told}: {node} knows all"), || {
            network.peers(node).len() == N - 1
        });
    }
}

/// Nobody was down for anybody, and nobody heard nobody.
fn nobody_was_down(ring: &[Agent], since: &[Mark], told: &str) {
    for (agent, mark) in ring.iter().zip(since) {
        let log = agent.log_since(*mark);
        for bad in ["is down", "nobody is heard", "panicked"] {
            assert!(!log.contains(bad), "{told}: {}: {log}", agent.name);
        }
    }
}

/// How long it takes until a new label of the first one, whose packets vanish in any case, is
/// everywhere.
fn news(network: &Network, ring: &mut [Agent], value: &str, told: &str) -> Duration {
    let begun = Instant::now();
    let first = &mut ring[0];
    first.set_text("labels.news", value).write_config();
    first.signal(Signal::HUP);
    for node in 2..=N {
        eventually(&format!("{told}: {node} hears of it"), || {
            let output = network.run(node, &[super::harness::PEERX, "peers", "--json"]);
            let said = String::from_utf8_lossy(&output.stdout);
            said.contains(&format!("{value:?}"))
        });
    }
    begun.elapsed()
}

/// Each has a link to each over this transport, by the connections over TCP that its host has.
fn all_are_linked_over(network: &Network, transport: &str, told: &str) {
    for node in 1..=N {
        let what = format!("{told}: {node} has all its links over {transport}");
        eventually(&what, || {
            let n = network.tcp_connections(node).len();
            n == if transport == "tcp" { N - 1 } else { 0 }
        });
    }
}

fn marks(ring: &[Agent]) -> Vec<Mark> {
    ring.iter().map(Agent::mark).collect()
}

/// R32: from the start, the transport that all prefer.
fn from_the_start(first: &str) {
    for ways in [Ways::Both, Ways::One] {
        let told = format!("{} blocked from the start, {ways:?}", protocol(first));
        let Some(network) = Network::new(N).filter(Network::can_block) else {
            return;
        };
        let lab = Lab::new();
        let mut ring = ring(&network, first, &lab);
        block(&network, protocol(first), ways);
        let begun = Instant::now();
        for agent in &mut ring {
            agent.spawn();
        }
        all_know_all(&network, &told);
        let known = begun.elapsed();
        sleep(WATCHED);
        all_know_all(&network, &told);
        nobody_was_down(&ring, &[Mark::default(); N], &told);
        all_are_linked_over(&network, other(first), &told);
        let heard = news(&network, &mut ring, "started", &told);
        eprintln!("{told}: all know all after {known:.1?}; news after {heard:.1?}");
        for agent in &mut ring {
            assert_eq!(agent.stop().code, Some(0));
        }
    }
}

/// R32: in the middle of things, and for a while.
fn in_the_middle(first: &str) {
    for (blocked, ways) in [
        (first, Ways::Both),
        (first, Ways::One),
        (other(first), Ways::Both),
    ] {
        let told = format!("over {first}, {} blocked {ways:?}", protocol(blocked));
        let Some(network) = Network::new(N).filter(Network::can_block) else {
            return;
        };
        let lab = Lab::new();
        let mut ring = ring(&network, first, &lab);
        start(&mut ring);
        all_know_all(&network, &told);
        all_are_linked_over(&network, first, &told);
        sleep(Duration::from_secs(5));
        let marks = marks(&ring);
        block(&network, protocol(blocked), ways);
        let begun = Instant::now();
        let heard = news(&network, &mut ring, "blocked", &told);
        eprintln!("{told}: news went round after {heard:.1?}");
        sleep(WATCHED.saturating_sub(begun.elapsed()));
        nobody_was_down(&ring, &marks, &told);
        all_know_all(&network, &told);
        let open = if blocked == first {
            other(first)
        } else {
            first
        };
        all_are_linked_over(&network, open, &told);
        let later = news(&network, &mut ring, "later", &told);
        unblock(&network, protocol(blocked), ways);
        sleep(WATCHED);
        nobody_was_down(&ring, &marks, &told);
        let open = news(&network, &mut ring, "open", &told);
        eprintln!("{told}: then after {later:.1?}; once it was open again after {open:.1?}");
        for agent in &mut ring {
            assert_eq!(agent.stop().code, Some(0));
        }
    }
}

#[test]
fn udp_is_blocked_from_the_start() {
    from_the_start("quic");
}

#[test]
fn tcp_is_blocked_from_the_start() {
    from_the_start("tcp");
}

#[test]
fn udp_or_tcp_is_blocked_while_links_are_over_quic() {
    in_the_middle("quic");
}

#[test]
fn udp_or_tcp_is_blocked_while_links_are_over_tcp() {
    in_the_middle("tcp");
}
