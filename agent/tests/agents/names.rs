//! Nodes that call themselves something that is not what it seems.

use super::harness::{Agent, Lab, Mark, eventually, peerx, start};
use serde_json::json;

/// Everything that the agent has said, and that `peerx peers` prints of it, as text and as JSON.
fn said(agent: &Agent) -> [String; 3] {
    let admin = agent.admin();
    let peers = |more: &[&str]| {
        let output = peerx(&[&["peers", "--admin", &admin], more].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    [agent.log(), peers(&[]), peers(&["--json"])]
}

#[test]
fn marks_that_nobody_sees_are_spelled_out() {
    let lab = Lab::new();
    let (mut target, mut liar) = (lab.agent("server1"), lab.agent("liar"));
    // On a terminal it reads server1, and so does the second.
    liar.set("node_name", "\"\u{202e}1revres\"")
        .set("labels.zone", "\"a\u{200b}b\"")
        .ask(&[&target.address()]);
    target.start();
    liar.start();
    eventually("it is told", || {
        target.lines(Mark::default(), &["peer ", "is known"]) > 0
    });
    let [log, text, json] = said(&target);
    for said in [&log, &text, &json] {
        assert!(!said.contains(['\u{202e}', '\u{200b}']), "{said}");
    }
    for said in [&log, &text] {
        assert!(said.contains("\\u202e1revres"), "{said}");
    }
    let (_, page) = target.get("/v1/peers").unwrap();
    assert!(!page.contains(['\u{202e}', '\u{200b}']), "{page}");
    // Its own log has its own name in the same way.
    let [log, ..] = said(&liar);
    assert!(log.contains("\\u202e1revres is node"), "{log}");
}

#[test]
fn nodes_of_one_name_are_told_apart() {
    let lab = Lab::new();
    let mut agents = ["one", "two"].map(|name| lab.agent(name));
    let address = agents[0].address();
    let other = agents[1].address();
    for agent in &mut agents {
        agent.set_text("node_name", "server1");
    }
    agents[0].ask(&[&other]);
    agents[1].ask(&[&address]);
    for agent in &mut agents {
        agent.start();
    }
    eventually("the cycle is told", || {
        agents[0].lines(Mark::default(), &["CYCLE"]) > 0
    });
    let ids = agents.each_ref().map(|agent| {
        let id = agent.json("/v1/status")["node"]
            .as_str()
            .unwrap()
            .to_owned();
        id[..8].to_owned()
    });
    let log = agents[0].log();
    let cycle = log.lines().find(|line| line.contains("CYCLE")).unwrap();
    for id in &ids {
        assert!(cycle.contains(&format!("server1 ({id})")), "{cycle}");
    }
    let [_, text, _] = said(&agents[0]);
    assert!(
        text.contains(&format!("server1 (one of 2)  {}", ids[1])),
        "{text}"
    );
    assert!(text.contains(&format!("server1 ({})", ids[1])), "{text}");
    // And on the pages: beside the ID by how many have the name, elsewhere by the start of the ID.
    let peers = agents[0].json("/v1/peers");
    assert_eq!(peers["peers"][0]["one_of"], 2, "{peers}");
    let status = agents[0].json("/v1/status");
    for one in [&status, &status["upstreams"][0], &status["links"][0]] {
        assert_eq!(one["one_of"], 2, "{status}");
    }
    let map = agents[0].json("/v1/topology");
    for one in map["nodes"].as_array().unwrap() {
        assert_eq!(
            (&one["one_of"], &one["asks"][0]["one_of"]),
            (&json!(2), &json!(2)),
            "{map}"
        );
    }
    let cycles = agents[0].json("/v1/loops");
    let cycle = &cycles["loops"][0];
    for id in &ids {
        let called = format!("server1 ({id})");
        assert!(
            cycle["path"].as_array().unwrap().contains(&json!(called)),
            "{cycle}"
        );
        assert!(
            cycle["advice"].as_str().unwrap().contains(&called),
            "{cycle}"
        );
        assert!(
            text.contains(&format!("point {called}"))
                || text.contains(&format!("at {called}, and")),
            "{text}"
        );
    }
}

/// Where each has a name of its own nothing is added to it.
#[test]
fn who_has_a_name_alone_is_called_just_that() {
    let lab = Lab::new();
    let mut agents = lab.ring(2);
    start(&mut agents);
    eventually("the cycle is there", || {
        agents[0].json("/v1/loops")["loops"][0]["path"] == json!(["server1", "server2"])
    });
    for page in ["/v1/peers", "/v1/status", "/v1/topology"] {
        let page = agents[0].json(page).to_string();
        assert!(
            page.contains("server2") && !page.contains("one_of"),
            "{page}"
        );
    }
}

#[test]
fn check_spells_them_out_as_well() {
    let lab = Lab::new();
    let edges = lab.path("edges");
    std::fs::write(&edges, "a\u{202e} b\u{200b}\nb\u{200b} a\u{202e}\n").unwrap();
    let edges = edges.display().to_string();
    for format in ["text", "json", "dot"] {
        let output = peerx(&["check", &edges, "--format", format]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains(['\u{202e}', '\u{200b}']), "{text}");
        assert!(text.contains("a\\u202e"), "{text}");
    }
    let missing = lab.path("\u{202e}gone").display().to_string();
    let output = peerx(&["check", &missing]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("\\u202egone") && !text.contains('\u{202e}'),
        "{text}"
    );
}
