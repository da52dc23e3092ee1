//! What an operator's signals do.

use super::harness::{Agent, Lab, Mark, all_know_all, eventually, start};
use rustix::process::Signal;

fn server(name: &str) -> std::collections::BTreeSet<String> {
    [name.to_owned()].into()
}

#[test]
fn whoever_leaves_is_forgotten_at_once() {
    let lab = Lab::new();
    let mut ring = lab.ring(3);
    start(&mut ring);
    let marks = [ring[0].mark(), ring[1].mark()];
    let ended = ring[2].stop();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(
        ended.log.contains("SIGTERM: saying goodbye"),
        "{}",
        ended.log
    );
    assert!(ended.log.contains("done"), "{}", ended.log);
    // Its record would live for half an hour.
    for (agent, mark, other) in [(0, 0, "server2"), (1, 1, "server1")] {
        eventually("it is told", || {
            ring[agent].lines(marks[mark], &["peer server3 ", "has left"]) == 1
        });
        ring[agent].eventually_knows(&server(other));
    }
    // Having left is no reason to be refused.
    ring[2].start();
    all_know_all(&ring);
}

#[test]
fn whoever_pauses_is_remembered() {
    let lab = Lab::new();
    let mut ring = lab.ring(3);
    ring[2].set_text("on_stop", "pause");
    start(&mut ring);
    let marks = [ring[0].mark(), ring[1].mark()];
    ring[2].signal(Signal::INT);
    let ended = ring[2].stop();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    for agent in &ring[..2] {
        eventually("the link is gone", || {
            let peers = agent.json("/v1/peers");
            let peers = peers["peers"].as_array().unwrap();
            let paused = peers.iter().find(|p| p["name"] == "server3");
            paused.expect("it is remembered")["linked"] == false
        });
    }
    let mark = ring[2].mark();
    ring[2].start();
    let log = ring[2].log_since(mark);
    assert!(log.contains("2 peers are known from the last run"), "{log}");
    all_know_all(&ring);
    for (agent, mark) in ring.iter().zip(marks) {
        assert_eq!(agent.lines(mark, &["has left"]), 0);
        assert_eq!(agent.lines(mark, &["is forgotten"]), 0);
    }
}

fn reload(agent: &Agent, says: &str) -> String {
    let mark = agent.mark();
    agent.write_config();
    agent.signal(Signal::HUP);
    agent.eventually_logs(mark, says);
    agent.log_since(mark)
}

const READ: &str = "the configuration was read again";

#[test]
fn upstreams_labels_and_the_name_change_while_it_runs() {
    let lab = Lab::new();
    let mut pair = [lab.agent("server1"), lab.agent("server2")];
    pair[0].start();
    pair[1].start();
    let upstream = pair[1].address();
    pair[0].ask(&[&upstream]).set_text("labels.zone", "a");
    reload(&pair[0], READ);
    all_know_all(&pair);
    pair[0].eventually_logs(Mark::default(), "is server2");
    let label =
        |agent: &Agent, key: &str| agent.json("/v1/peers")["peers"][0]["labels"][key].clone();
    eventually("the label has come", || label(&pair[1], "zone") == "a");
    pair[0]
        .set_text("labels.zone", "b")
        .set_text("node_name", "renamed");
    reload(&pair[0], READ);
    pair[1].eventually_knows(&server("renamed"));
    assert_eq!(label(&pair[1], "zone"), "b");
    assert_eq!(pair[0].json("/v1/status")["name"], "renamed");
    // Nobody to ask any more: the peer is known all the same.
    pair[0].unset("upstreams");
    reload(&pair[0], READ);
    eventually("there are no upstreams", || {
        pair[0].json("/v1/status")["upstreams"]
            .as_array()
            .unwrap()
            .is_empty()
    });
    pair[0].eventually_knows(&server("server2"));
}

#[test]
fn a_broken_file_changes_nothing() {
    let lab = Lab::new();
    let mut pair = lab.ring(2);
    start(&mut pair);
    pair[0].set("zzz", "1");
    let log = reload(&pair[0], "the configuration stays as it is");
    assert!(
        log.contains("WARN") && log.contains("unknown key `zzz`"),
        "{log}"
    );
    std::fs::remove_file(pair[0].config()).unwrap();
    let mark = pair[0].mark();
    pair[0].signal(Signal::HUP);
    pair[0].eventually_logs(mark, "no such file");
    all_know_all(&pair);
    // The other may have connected first, while the own dial is still under way.
    eventually("the upstream is up", || {
        pair[0].json("/v1/status")["upstreams"][0]["state"] == "up"
    });
    // And a whole one is read again.
    pair[0].unset("zzz");
    reload(&pair[0], READ);
}

#[test]
fn what_needs_a_restart_is_named_until_there_is_one() {
    let lab = Lab::new();
    let mut agent = lab.agent("server1");
    agent.start();
    agent
        .set_text("pace.lifetime", "11m")
        .set_text("log.level", "debug")
        .set("transports", "[\"tcp\"]");
    for _ in 0..2 {
        let log = reload(&agent, READ);
        for key in [
            "only after a restart",
            "transports",
            "[log]",
            "[pace], [limits]",
        ] {
            assert!(log.contains(key), "{key} in {log}");
        }
        assert!(!log.contains("listen,"), "{log}");
    }
    agent.stop();
    agent.start();
    assert!(!reload(&agent, READ).contains("after a restart"));
}
