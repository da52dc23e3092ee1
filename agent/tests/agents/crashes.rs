//! An agent that is killed, stopped for a moment, or cut off: what the others have it as, and whom
//! they still name.

use super::harness::network::Network;
use super::harness::{Agent, Lab, all_know_all, eventually, start};
use rustix::process::Signal;
use serde_json::Value;
use std::thread::sleep;
use std::time::{Duration, Instant};

const N: usize = 4;

/// What this agent has of a peer.
fn peer(agent: &Agent, name: &str) -> Option<Value> {
    let (_, body) = agent.get("/v1/peers")?;
    let all: Value = serde_json::from_str(&body).ok()?;
    let mut peers = all["peers"].as_array()?.iter();
    peers.find(|p| p["name"] == name).cloned()
}

fn has_as(agent: &Agent, name: &str, state: &str) -> bool {
    peer(agent, name).is_some_and(|peer| peer["state"] == state)
}

/// Waits until all of these have it as that. Says how long that took.
fn all_have_as(agents: &[Agent], name: &str, state: &str) -> Duration {
    let begun = Instant::now();
    for agent in agents {
        eventually(&format!("{} has {name} as {state}", agent.name), || {
            has_as(agent, name, state)
        });
    }
    begun.elapsed()
}

fn over(transport: &str) -> (Lab, Vec<Agent>) {
    let lab = Lab::new();
    let mut ring = lab.ring(N);
    for agent in &mut ring {
        agent.set("transports", &format!("[{transport:?}]"));
    }
    (lab, ring)
}

/// R32, R35: by `kill -9`, over both transports; and by its return.
#[test]
fn one_that_is_killed_is_down_for_all_and_up_again_once_it_is_back() {
    for transport in ["quic", "tcp"] {
        let (_lab, mut ring) = over(transport);
        start(&mut ring);
        let marks: Vec<_> = ring.iter().map(Agent::mark).collect();
        ring[3].kill();
        let down = all_have_as(&ring[..3], "server4", "down");
        for (agent, mark) in ring[..3].iter().zip(&marks) {
            let peer = peer(agent, "server4").unwrap();
            assert!(!peer["accused_by"].as_array().unwrap().is_empty(), "{peer}");
            assert!(!peer["addresses"].as_array().unwrap().is_empty(), "{peer}");
            assert!(peer["since"].as_str().unwrap().ends_with('Z'), "{peer}");
            agent.eventually_logs(*mark, "is down: silent for");
            assert!(agent.metric("downs_total") >= 1.0);
            assert_eq!(agent.metric("peers_by_state{state=\"down\"}"), 1.0);
            let all = agent.metric("detection_seconds_bucket{le=\"+Inf\"}");
            assert_eq!(all, agent.metric("detection_seconds_count"));
            let status = agent.json("/v1/status");
            assert_eq!(status["peers_by_state"]["down"], 1);
            assert_eq!(
                (&status["peers"], &status["isolated"]),
                (&2.into(), &false.into())
            );
        }
        ring[3].start();
        let up = all_have_as(&ring[..3], "server4", "up");
        for (agent, mark) in ring[..3].iter().zip(&marks) {
            agent.eventually_logs(*mark, "is up again");
        }
        eprintln!("over {transport}: down at all after {down:.1?}, up again after {up:.1?}");
        for agent in &mut ring {
            assert_eq!(agent.stop().code, Some(0));
        }
    }
}

/// R34, N11: a process that stands still for a second is taken for dead by nobody, and takes nobody
/// for it.
#[test]
fn a_stop_of_a_second_is_nothing() {
    for transport in ["quic", "tcp"] {
        let (_lab, mut ring) = over(transport);
        start(&mut ring);
        // Past the first moments, in which everybody is news.
        sleep(Duration::from_secs(2));
        let marks: Vec<_> = ring.iter().map(Agent::mark).collect();
        ring[1].signal(Signal::STOP);
        sleep(Duration::from_secs(1));
        ring[1].signal(Signal::CONT);
        sleep(Duration::from_secs(5));
        for (agent, mark) in ring.iter().zip(marks) {
            let log = agent.log_since(mark);
            assert_eq!(agent.lines(mark, &["peer "]), 0, "{transport}: {log}");
            assert!(!log.contains("nobody is heard"), "{transport}: {log}");
            assert_eq!(agent.metric("downs_total"), 0.0);
        }
        all_know_all(&ring);
    }
}

/// R34: after ten seconds it is down for the others, blames nobody itself, and is back soon after it
/// goes on.
#[test]
fn a_stop_of_ten_seconds_is_a_death_and_a_return() {
    for transport in ["quic", "tcp"] {
        let (_lab, mut ring) = over(transport);
        start(&mut ring);
        let marks: Vec<_> = ring.iter().map(Agent::mark).collect();
        let stopped = ring.remove(1);
        stopped.signal(Signal::STOP);
        let begun = Instant::now();
        let down = all_have_as(&ring, "server2", "down");
        sleep(Duration::from_secs(10).saturating_sub(begun.elapsed()));
        for agent in &ring {
            assert!(has_as(agent, "server2", "down"), "{}", agent.name);
        }
        stopped.signal(Signal::CONT);
        let up = all_have_as(&ring, "server2", "up");
        eprintln!("{transport}: stopped: down at all after {down:.1?}, up after {up:.2?}");
        sleep(Duration::from_secs(5));
        ring.insert(1, stopped);
        all_know_all(&ring);
        for (agent, mark) in ring.iter().zip(marks) {
            let downs = agent.lines(mark, &["is down"]);
            let expected = usize::from(agent.name != "server2");
            assert_eq!(downs, expected, "{transport}: {}", agent.log_since(mark));
        }
    }
}

/// Agents in a ring, one in each namespace, that all know each other.
fn hosted(network: &Network, lab: &Lab, n: usize) -> Vec<Agent> {
    let mut ring = lab.ring(n);
    for (i, agent) in ring.iter_mut().enumerate() {
        network.host(i + 1, agent);
        agent.ask(&[&Network::address((i + 1) % n + 1).to_string()]);
        agent.spawn();
    }
    know_each(network, n, n - 1);
    // Nobody that was not heard is accused in the first ten seconds (R29).
    sleep(Duration::from_secs(11));
    ring
}

fn know_each(network: &Network, nodes: usize, others: usize) {
    eventually(&format!("each of {nodes} knows {others} others"), || {
        (1..=nodes).all(|node| network.peers(node).len() == others)
    });
}

/// R35, R28: halves that are apart for so long have each other as down, and are one cluster again.
fn halves_apart(apart: Duration) {
    let Some(network) = Network::new(N) else {
        return;
    };
    let lab = Lab::new();
    let mut ring = hosted(&network, &lab, N);
    network.trunk("down");
    let begun = Instant::now();
    know_each(&network, N, 1);
    let down = begun.elapsed();
    sleep(apart.saturating_sub(down));
    network.trunk("up");
    let begun = Instant::now();
    know_each(&network, N, N - 1);
    let healed = begun.elapsed();
    eprintln!("halves apart for {apart:?}: down after {down:.1?}; healed after {healed:.1?}");
    for agent in &mut ring {
        assert_eq!(agent.stop().code, Some(0));
    }
}

/// The same of one that is cut off from nine others.
fn one_of_ten_apart(apart: Duration) {
    const ALL: usize = 10;
    let Some(network) = Network::new(ALL) else {
        return;
    };
    let lab = Lab::new();
    let mut ring = hosted(&network, &lab, ALL);
    let marks: Vec<_> = ring.iter().map(Agent::mark).collect();
    network.port(ALL, "down");
    let begun = Instant::now();
    know_each(&network, ALL - 1, ALL - 2);
    let down = begun.elapsed();
    ring[ALL - 1].eventually_logs(marks[ALL - 1], "nobody is heard any more");
    sleep(apart.saturating_sub(begun.elapsed()));
    network.port(ALL, "up");
    let begun = Instant::now();
    know_each(&network, ALL, ALL - 1);
    let healed = begun.elapsed();
    eprintln!("one of ten apart for {apart:?}: down after {down:.1?}; healed after {healed:.1?}");
    for (agent, mark) in ring.iter().zip(&marks) {
        for other in 1..ALL {
            let other = format!("peer server{other} ");
            let log = agent.log_since(*mark);
            assert_eq!(agent.lines(*mark, &[&other, "is down"]), 0, "{log}");
        }
    }
    ring[ALL - 1].eventually_logs(marks[ALL - 1], "somebody is heard again");
    for agent in &mut ring {
        assert_eq!(agent.stop().code, Some(0));
    }
}

const SHORT: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(120);

#[test]
fn halves_that_were_apart_have_each_other_as_down_and_then_up() {
    halves_apart(SHORT);
}

#[test]
fn one_that_was_apart_from_nine_is_down_and_then_up() {
    one_of_ten_apart(SHORT);
}

/// `cargo test -p peerx --test agents -- --ignored --nocapture apart_for_two_minutes`
#[test]
#[ignore = "takes two minutes"]
fn halves_that_were_apart_for_two_minutes() {
    halves_apart(LONG);
}

#[test]
#[ignore = "takes two minutes"]
fn one_that_was_apart_for_two_minutes() {
    one_of_ten_apart(LONG);
}
