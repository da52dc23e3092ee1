//! Fifty agents at once, in a ring on one machine.

use super::harness::{Agent, Lab, all_know_all, eventually, start};

const N: usize = 50;

#[test]
fn fifty_in_a_ring_converge_and_do_so_again_after_a_kill_of_all() {
    let lab = Lab::new();
    let mut ring = lab.ring(N);
    start(&mut ring);
    let messages = |ring: &[Agent]| {
        let all: f64 = ring
            .iter()
            .map(|a| a.metric_sum("messages_total{direction=\"sent\""))
            .sum();
        all / ring.len() as f64
    };
    eprintln!(
        "fifty agents: {:.0} messages a node from cold",
        messages(&ring)
    );
    for agent in &ring {
        eventually("it is saved", || {
            agent.metric("state_saves_total{outcome=\"done\"}") >= 1.0
        });
    }
    let nodes: Vec<_> = ring
        .iter()
        .map(|a| a.json("/v1/status")["node"].clone())
        .collect();
    let marks: Vec<_> = ring.iter().map(Agent::mark).collect();
    for agent in &mut ring {
        agent.kill();
    }
    start(&mut ring);
    eprintln!(
        "fifty agents: {:.0} messages a node from their state",
        messages(&ring)
    );
    for ((agent, mark), node) in ring.iter().zip(marks).zip(nodes) {
        assert_eq!(agent.json("/v1/status")["node"], node);
        let log = agent.log_since(mark);
        assert!(log.contains("peers are known from the last run"), "{log}");
        assert!(!log.contains("under this node's key"), "{log}");
        assert!(!log.contains("panicked"), "{log}");
    }
    // One that leaves is forgotten by all.
    let left = ring.pop().unwrap().stop();
    assert_eq!(left.code, Some(0), "{}", left.log);
    all_know_all(&ring);
}
