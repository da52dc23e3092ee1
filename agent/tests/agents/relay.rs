//! A network that delays, reorders and duplicates, between agents: every address that an agent is
//! known by is that of a relay in front of it.

use super::harness::relay::{Faults, Relays};
use super::harness::{Agent, Lab, Mark, all_know_all, eventually, start};

/// Agents in a ring, each behind a relay.
fn ring(lab: &Lab, relays: &Relays, transport: &str, n: usize) -> Vec<Agent> {
    let mut ring: Vec<_> = (1..=n).map(|i| lab.agent(&format!("server{i}"))).collect();
    let fronts: Vec<_> = ring
        .iter()
        .map(|agent| relays.before(agent.socket()).to_string())
        .collect();
    for (i, agent) in ring.iter_mut().enumerate() {
        agent
            .set("transports", &format!("[{transport:?}]"))
            .set("advertise", &format!("[{:?}]", fronts[i]))
            .ask(&[&fronts[(i + 1) % n]]);
    }
    ring
}

fn converges(transport: &str, test: &str, faults: Faults) -> Relays {
    let relays = Relays::new(faults, &format!("relay::{test}"));
    let lab = Lab::new();
    let mut ring = ring(&lab, &relays, transport, 5);
    start(&mut ring);
    for agent in &ring {
        agent.eventually_logs(Mark::default(), "CYCLE in the upstreams: server1 → ");
    }
    // News gets through as well.
    ring[0].set_text("labels.zone", "new").write_config();
    ring[0].signal(rustix::process::Signal::HUP);
    for agent in &ring[1..] {
        eventually("the label has come", || {
            let peers = agent.json("/v1/peers");
            let peers = peers["peers"].as_array().unwrap();
            peers.iter().any(|peer| peer["labels"]["zone"] == "new")
        });
    }
    let left = ring.pop().unwrap().stop();
    assert_eq!(left.code, Some(0), "{}", left.log);
    all_know_all(&ring);
    relays
}

#[test]
fn quic_over_delay_reordering_duplication_and_loss() {
    let faults = Faults {
        delay_ms: 30,
        duplicated: 10,
        lost: 5,
    };
    let test = "quic_over_delay_reordering_duplication_and_loss";
    let happened = converges("quic", test, faults).happened();
    assert!(happened.passed > 100, "{happened:?}");
    assert!(happened.reordered > 0, "{happened:?}");
    assert!(happened.duplicated > 0 && happened.lost > 0, "{happened:?}");
}

#[test]
fn tcp_over_delay() {
    let faults = Faults {
        delay_ms: 30,
        duplicated: 0,
        lost: 0,
    };
    let happened = converges("tcp", "tcp_over_delay", faults).happened();
    assert!(happened.passed > 50, "{happened:?}");
}
