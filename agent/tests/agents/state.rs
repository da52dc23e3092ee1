//! What is kept across restarts, whatever has become of the file.

use super::harness::{Agent, Lab, Mark, all_know_all, eventually, start, succeeds};
use serde_json::Value;
use std::fs;

fn saves(agent: &Agent, outcome: &str) -> f64 {
    agent.metric(&format!("state_saves_total{{outcome=\"{outcome}\"}}"))
}

/// A pair that know each other and have saved that.
fn saved_pair(lab: &Lab) -> Vec<Agent> {
    let mut pair = lab.ring(2);
    start(&mut pair);
    for agent in &pair {
        eventually("it is saved", || saves(agent, "done") >= 1.0);
    }
    pair
}

#[test]
fn a_kill_costs_neither_identity_nor_peers() {
    let lab = Lab::new();
    let mut pair = saved_pair(&lab);
    let node = pair[0].json("/v1/status")["node"].clone();
    for agent in &mut pair {
        agent.kill();
    }
    // Alone, so that nobody but the file can tell.
    let mark = pair[0].mark();
    pair[0].start();
    pair[0].eventually_logs(mark, "1 peers are known from the last run");
    let peers = pair[0].json("/v1/peers");
    assert_eq!(peers["node"], node);
    assert_eq!(peers["peers"][0]["name"], "server2");
    assert_eq!(peers["peers"][0]["learned_from"], "snapshot");
    pair[1].start();
    all_know_all(&pair);
    // And nobody has taken it for a second one.
    for agent in &pair {
        assert!(
            !agent
                .log()
                .contains("announces itself under this node's key")
        );
    }
}

#[test]
fn a_damaged_file_is_put_aside_and_the_node_starts() {
    let lab = Lab::new();
    let mut pair = saved_pair(&lab);
    let node = pair[0].json("/v1/status")["node"].clone();
    pair[0].kill();
    let whole = fs::read(pair[0].state()).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    // The first bytes of a format to come, and of none.
    let mut newer = whole.clone();
    newer[11] += 1;
    let damaged: [(&str, &[u8]); 6] = [
        ("empty", b""),
        ("torn", &whole[..whole.len() / 2]),
        ("without its end", &whole[..whole.len() - 1]),
        ("with a changed bit", &flipped),
        ("newer", &newer),
        ("foreign", b"#!/bin/sh\necho this is something else\n"),
    ];
    for (what, bytes) in damaged {
        fs::write(pair[0].state(), bytes).unwrap();
        let mark = pair[0].mark();
        pair[0].start();
        pair[0].eventually_logs(mark, "state.damaged");
        let log = pair[0].log_since(mark);
        assert!(
            log.contains("WARN") && log.contains("cannot be used"),
            "{what}: {log}"
        );
        assert!(log.contains("state.damaged"), "{what}: {log}");
        let aside = fs::read(pair[0].dir.join("state/state.damaged")).unwrap();
        assert_eq!(aside, bytes, "{what}");
        assert_eq!(pair[0].json("/v1/status")["node"], node, "{what}");
        all_know_all(&pair);
        pair[0].kill();
    }
    // What a write has left unfinished is in nobody's way.
    fs::write(pair[0].state(), &whole).unwrap();
    fs::write(pair[0].dir.join("state/state.new"), &whole[..9]).unwrap();
    let mark = pair[0].mark();
    pair[0].start();
    pair[0].eventually_logs(mark, "1 peers are known from the last run");
    assert_eq!(pair[0].stop().code, Some(0));
    assert!(!pair[0].dir.join("state/state.new").exists());
}

#[test]
fn a_file_that_cannot_be_written_is_a_warning_and_no_more() {
    let lab = Lab::new();
    let mut pair = lab.ring(2);
    // In the way of the file that is written first.
    let obstacle = pair[0].dir.join("state/state.new");
    fs::create_dir_all(&obstacle).unwrap();
    start(&mut pair);
    pair[0].eventually_logs(Mark::default(), "the state cannot be saved to");
    assert!(saves(&pair[0], "failed") >= 1.0);
    all_know_all(&pair);
    // Once it is out of the way, nothing is lost.
    fs::remove_dir(&obstacle).unwrap();
    assert_eq!(pair[0].stop().code, Some(0));
    let mark = pair[0].mark();
    pair[0].start();
    pair[0].eventually_logs(mark, "1 peers are known from the last run");
}

#[test]
fn a_full_disk_is_a_warning_and_the_node_goes_on() {
    if !succeeds(
        "unshare",
        &["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
    ) {
        eprintln!("skipped: mounting in a namespace of its own is not permitted here");
        return;
    }
    let lab = Lab::new();
    let mut pair = lab.ring(2);
    let state = pair[0].dir.join("state");
    fs::create_dir(&state).unwrap();
    // One page, which the key takes.
    let script = format!(
        "mount -t tmpfs -o size=4k tmpfs '{}' && exec \"$0\" \"$@\"",
        state.display()
    );
    let runner = ["unshare", "--mount", "sh", "-c", &script];
    pair[0].runner = runner.map(str::to_owned).to_vec();
    start(&mut pair);
    pair[0].eventually_logs(Mark::default(), "the state cannot be saved to");
    assert!(
        pair[0].log().contains("No space left on device"),
        "{}",
        pair[0].log()
    );
    assert!(saves(&pair[0], "failed") >= 1.0);
    assert_eq!(pair[0].get("/healthz").unwrap().0, 200);
    // It learns and tells as before.
    let mut third = lab.agent("server3");
    third.ask(&[&pair[0].address()]).start();
    pair.push(third);
    all_know_all(&pair);
    let told = pair[0]
        .log()
        .matches("the state cannot be saved to")
        .count();
    assert_eq!(told, 1, "{}", pair[0].log());
    assert_eq!(pair[0].stop().code, Some(0));
}

#[test]
fn a_key_that_is_none_is_refused_and_kept() {
    let lab = Lab::new();
    let mut agent = lab.agent("server1");
    let key = agent.dir.join("state/node.key");
    fs::create_dir(agent.dir.join("state")).unwrap();
    fs::write(&key, "no key\n").unwrap();
    let ended = agent.run();
    assert_eq!(ended.code, Some(2), "{}", ended.log);
    assert!(
        ended.log.contains(&key.display().to_string()),
        "{}",
        ended.log
    );
    // It may be somebody's only copy.
    assert_eq!(fs::read(&key).unwrap(), b"no key\n");
    fs::remove_file(&key).unwrap();
    agent.start();
    let status: Value = agent.json("/v1/status");
    assert_eq!(status["node"].as_str().unwrap().len(), 64);
}
