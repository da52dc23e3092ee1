//! Processes that die or freeze, with records that live for ten seconds.

use super::harness::{Agent, Lab, Mark, all_know_all, eventually, start};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

fn short_lived_ring(lab: &Lab, n: usize) -> Vec<Agent> {
    let mut ring = lab.ring(n);
    for agent in &mut ring {
        agent.short_lived();
    }
    start(&mut ring);
    ring
}

/// What is left of a peer's life, as this agent sees it.
fn life_left(agent: &Agent, name: &str) -> Option<u64> {
    let peers = agent.json("/v1/peers");
    let peers = peers["peers"].as_array().unwrap();
    let peer = peers.iter().find(|peer| peer["name"] == name)?;
    peer["lifetime_left_s"].as_u64()
}

#[test]
fn a_killed_one_is_forgotten_everywhere_at_the_end_of_its_life() {
    let lab = Lab::new();
    let mut ring = short_lived_ring(&lab, 4);
    let marks: Vec<_> = ring.iter().map(Agent::mark).collect();
    let mut killed = ring.remove(2);
    killed.kill();
    let mut left = vec![10; ring.len()];
    eventually("everybody has forgotten it", || {
        for (agent, left) in ring.iter().zip(&mut left) {
            let now = life_left(agent, "server3").unwrap_or(0);
            // Nobody renews the dead, nor adds to their life.
            assert!(now <= *left, "{}: {now} s left after {left} s", agent.name);
            // A last renewal may have been under way, in the first look.
            *left = now;
        }
        left.iter().all(|left| *left == 0)
    });
    all_know_all(&ring);
    for (agent, mark) in ring.iter().zip([marks[0], marks[1], marks[3]]) {
        assert_eq!(agent.lines(mark, &["peer server3 ", "is forgotten"]), 1);
        // The others were renewed all the while.
        assert_eq!(agent.lines(mark, &["is forgotten"]), 1);
    }
    // And it may come back.
    killed.start();
    ring.push(killed);
    all_know_all(&ring);
}

#[test]
fn a_frozen_one_comes_back_and_raises_nobody() {
    let lab = Lab::new();
    let mut ring = short_lived_ring(&lab, 4);
    let mut dead = ring.pop().unwrap();
    ring[1].signal(Signal::STOP);
    dead.kill();
    // Longer than any life: the two that run know nobody but each other.
    for (agent, other) in [(0, "server3"), (2, "server1")] {
        ring[agent].eventually_knows(&[other.to_owned()].into());
    }
    let marks: Vec<_> = ring.iter().map(Agent::mark).collect();
    ring[1].signal(Signal::CONT);
    all_know_all(&ring);
    // Several rounds and renewals go by.
    for _ in 0..50 {
        for agent in &ring {
            let peers: BTreeSet<_> = agent.peers();
            assert!(
                !peers.contains("server4"),
                "{} has raised server4",
                agent.name
            );
        }
        sleep(Duration::from_millis(100));
    }
    for (agent, mark) in ring.iter().zip(marks) {
        assert_eq!(agent.lines(mark, &["peer server4 ", "is known"]), 0);
        assert_eq!(agent.lines(mark, &["panicked"]), 0);
    }
    // Such a line there would be: it was known once.
    assert_eq!(
        ring[0].lines(Mark::default(), &["peer server4 ", "is known"]),
        1
    );
    for agent in &mut ring {
        agent.assert_runs();
    }
}
