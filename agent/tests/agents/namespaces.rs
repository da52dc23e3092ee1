//! In network namespaces: partitions, and lost packets.

use super::harness::network::Network;
use super::harness::{Agent, Lab, eventually, succeeds};
use std::collections::BTreeSet;

const N: usize = 4;

/// Agents in a ring, one in each namespace.
fn ring(lab: &Lab, network: &Network) -> Vec<Agent> {
    let mut ring = lab.ring(N);
    for (i, agent) in ring.iter_mut().enumerate() {
        network.host(i + 1, agent);
        let next = Network::address((i + 1) % N + 1).to_string();
        agent.ask(&[&next]);
    }
    ring
}

/// Waits until these nodes know each other, and nobody else.
fn eventually_know(network: &Network, nodes: &[usize]) {
    for node in nodes {
        let others = nodes.iter().filter(|other| *other != node);
        let others: BTreeSet<_> = others.map(|n| format!("server{n}")).collect();
        eventually(&format!("server{node} knows {others:?}"), || {
            network.peers(*node) == others
        });
    }
}

#[test]
fn a_partition_heals() {
    let Some(network) = Network::new(N) else {
        return;
    };
    let lab = Lab::new();
    let mut ring = ring(&lab, &network);
    for agent in &mut ring {
        agent.impatient().spawn();
    }
    eventually_know(&network, &[1, 2, 3, 4]);
    network.trunk("down");
    std::thread::sleep(std::time::Duration::from_secs(15));
    let marks: Vec<_> = ring.iter().map(Agent::mark).collect();
    network.trunk("up");
    eventually_know(&network, &[1, 2, 3, 4]);
    for (agent, mark) in ring.iter_mut().zip(marks) {
        agent.assert_runs();
        assert!(!agent.log_since(mark).contains("panicked"));
        assert_eq!(agent.stop().code, Some(0));
    }
}

#[test]
fn lost_packets_delay_and_no_more() {
    if !succeeds("nft", &["--version"]) {
        eprintln!("skipped: no nft (nftables) here");
        return;
    }
    for transport in ["quic", "tcp"] {
        let Some(network) = Network::new(N) else {
            return;
        };
        for node in 1..=N {
            let rules = "add table inet loss; \
                add chain inet loss in { type filter hook input priority 0; }; \
                add rule inet loss in iifname eth0 numgen random mod 100 < 15 counter drop";
            let loss = network.run(node, &["nft", rules]);
            if !loss.status.success() {
                let why = String::from_utf8_lossy(&loss.stderr);
                eprintln!("skipped: no nftables in this kernel: {why}");
                return;
            }
        }
        let lab = Lab::new();
        let mut ring = ring(&lab, &network);
        for agent in &mut ring {
            agent.set("transports", &format!("[{transport:?}]")).spawn();
        }
        eventually_know(&network, &[1, 2, 3, 4]);
        let lost: u64 = (1..=N).map(|node| lost(&network, node)).sum();
        assert!(lost > 0, "no packet was lost");
        eprintln!("over {transport}: {lost} packets lost until four knew each other");
    }
}

/// Packets that the rule has dropped.
fn lost(network: &Network, node: usize) -> u64 {
    let rules = network
        .run(node, &["nft", "list", "table", "inet", "loss"])
        .stdout;
    let rules = String::from_utf8(rules).unwrap();
    let (_, after) = rules.split_once("counter packets ").expect(&rules);
    after.split(' ').next().unwrap().parse().unwrap()
}

/// From now on what comes to this node over UDP is lost, or is not any more.
fn block_udp(network: &Network, node: usize, blocked: bool) -> bool {
    let rule = |words: &[&str]| {
        let output = network.run(node, &[&["ip", "rule"], words].concat());
        output.status.success()
    };
    let udp = ["iif", "eth0", "ipproto", "udp", "blackhole"];
    match blocked {
        true => rule(&[&["add", "pref", "1"], &udp[..]].concat()),
        false => rule(&["del", "pref", "1"]),
    }
}

/// R32: UDP is blocked in the middle of things, and TCP is open: nobody is down, the log says it once,
/// and takes it back.
#[test]
fn what_is_blocked_over_udp_is_said_once_and_taken_back() {
    let Some(network) = Network::new(N) else {
        return;
    };
    // Local addresses come first otherwise, and no rule is seen.
    for node in 1..=N {
        for words in [
            &["ip", "rule", "add", "pref", "100", "lookup", "local"][..],
            &["ip", "rule", "del", "pref", "0"][..],
        ] {
            assert!(network.run(node, words).status.success());
        }
    }
    let lab = Lab::new();
    let mut ring = ring(&lab, &network);
    for agent in &mut ring {
        agent.impatient().spawn();
    }
    eventually_know(&network, &[1, 2, 3, 4]);
    let marks: Vec<_> = ring.iter().map(Agent::mark).collect();
    if !(1..=N).all(|node| block_udp(&network, node, true)) {
        eprintln!("skipped: no rules by protocol in this kernel");
        return;
    }
    let blocked = "over QUIC (UDP) peers do not answer";
    let open = "peers answer over QUIC (UDP) again";
    // Whoever has not dialled anybody since cannot know it: its links have come over TCP.
    let said = |what: &str| -> Vec<usize> {
        let agents = ring.iter().zip(&marks);
        agents
            .map(|(agent, mark)| agent.lines(*mark, &[what]))
            .collect()
    };
    eventually("two of them say so", || {
        said(blocked).iter().filter(|lines| **lines > 0).count() >= 2
    });
    // It is tried again once a minute.
    std::thread::sleep(std::time::Duration::from_secs(75));
    for node in 1..=N {
        assert!(block_udp(&network, node, false));
    }
    std::thread::sleep(std::time::Duration::from_secs(60));
    eventually("it is taken back by whoever has said it", || {
        said(open) == said(blocked)
    });
    assert!(said(blocked).iter().all(|lines| *lines <= 1), "once");
    assert_eq!(said("is down"), [0; N]);
    eventually_know(&network, &[1, 2, 3, 4]);
    for agent in &mut ring {
        assert_eq!(agent.stop().code, Some(0));
    }
}
