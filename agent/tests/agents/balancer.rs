//! A load balancer in front of two of twenty agents, which all have its address alone.

use super::harness::relay::{Faults, Relays};
use super::harness::{Lab, Mark, all_know_all, eventually, peerx};
use std::time::Instant;

const AGENTS: usize = 20;
const NONE: Faults = Faults {
    delay_ms: 0,
    duplicated: 0,
    lost: 0,
};

fn are_one_cluster(transport: &str, test: &str) {
    let lab = Lab::new();
    let names = (1..=AGENTS).map(|n| format!("server{n}"));
    let mut agents: Vec<_> = names.map(|name| lab.agent(&name)).collect();
    let relays = Relays::new(NONE, test);
    let front = relays.balance(agents[..2].iter().map(|a| a.socket()).collect());
    for agent in &mut agents {
        agent.ask(&[&format!("{transport}://{front}")]);
        agent.set("transports", &format!("[{transport:?}]"));
    }
    let begun = Instant::now();
    for agent in &mut agents {
        agent.spawn();
    }
    all_know_all(&agents);
    eprintln!(
        "{AGENTS} agents over {transport}: one cluster after {:.1?}",
        begun.elapsed()
    );
    for agent in &agents {
        eventually("it is linked", || {
            agent.get("/readyz") == Some((200, "ready\n".into()))
        });
        assert_eq!(agent.json("/v1/status")["readiness"], "ready");
    }
}

#[test]
fn behind_a_balancer_over_two_twenty_are_one_cluster_over_quic() {
    are_one_cluster("quic", "over_quic");
}

#[test]
fn behind_a_balancer_over_two_twenty_are_one_cluster_over_tcp() {
    are_one_cluster("tcp", "over_tcp");
}

/// R37: some balancers lead what comes from a backend to that backend, always. No cluster can come of
/// it, and each says so.
fn lead_each_to_itself(transport: &str, test: &str) {
    let lab = Lab::new();
    let names = (1..=3).map(|n| format!("server{n}"));
    let mut agents: Vec<_> = names.map(|name| lab.agent(&name)).collect();
    let relays = Relays::new(NONE, test);
    for agent in &mut agents {
        let front = relays.before(agent.socket());
        agent.ask(&[&format!("{transport}://{front}")]);
        agent.set("transports", &format!("[{transport:?}]"));
        agent.spawn();
    }
    let begun = Instant::now();
    const CURE: &str = "name another upstream";
    for agent in &agents {
        agent.eventually_logs(
            Mark::default(),
            "leads to this node itself, again and again",
        );
        agent.eventually_logs(Mark::default(), CURE);
    }
    eprintln!(
        "{transport}: each has said so after {:.1?}",
        begun.elapsed()
    );
    for agent in &agents {
        // As the first of a cluster would be; but it says what is wrong.
        let (code, said) = agent.get("/readyz").unwrap();
        assert_eq!(code, 200, "{said}");
        assert!(
            said.starts_with("alone: its upstreams lead to this node itself"),
            "{said}"
        );
        assert!(said.contains(CURE), "{said}");
        assert_eq!(agent.json("/v1/status")["readiness"], "alone");
        let asked = peerx(&["peers", "--admin", &agent.admin()]);
        let said =
            String::from_utf8(asked.stdout).unwrap() + &String::from_utf8_lossy(&asked.stderr);
        assert!(said.contains("is this node itself"), "{said}");
        assert!(said.contains(CURE), "{said}");
        assert_eq!(agent.lines(Mark::default(), &["again and again"]), 1);
    }
    // The cure.
    let other = agents[0].address();
    for agent in &mut agents[1..] {
        let front = agent.address();
        agent.ask(&[
            &format!("{transport}://{front}"),
            &format!("{transport}://{other}"),
        ]);
        agent.write_config();
        agent.signal(rustix::process::Signal::HUP);
    }
    all_know_all(&agents);
}

#[test]
fn a_balancer_that_leads_each_to_itself_is_told_over_quic() {
    lead_each_to_itself("quic", "itself_is_told_over_quic");
}

#[test]
fn a_balancer_that_leads_each_to_itself_is_told_over_tcp() {
    lead_each_to_itself("tcp", "itself_is_told_over_tcp");
}
