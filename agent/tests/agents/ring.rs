//! Three servers in a ring, the topology of the problem: what they find, and what is told of it.

use super::harness::{Agent, Lab, Mark, PEERX, eventually, peerx, start};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn ring(lab: &Lab) -> Vec<Agent> {
    let mut ring = lab.ring(3);
    start(&mut ring);
    ring
}

const CYCLE: [&str; 3] = ["server1", "server2", "server3"];

#[test]
fn it_converges_and_every_node_names_the_cycle_once() {
    let lab = Lab::new();
    let ring = ring(&lab);
    for agent in &ring {
        let line = "CYCLE in the upstreams: server1 → server2 → server3 → server1";
        agent.eventually_logs(Mark::default(), line);
        eventually("the cycle is known", || {
            agent.json("/v1/loops")["loops"].as_array().unwrap().len() == 1
        });
        let found = &agent.json("/v1/loops")["loops"][0];
        assert_eq!(found["path"], serde_json::json!(CYCLE));
        assert_eq!(found["present"], true);
        assert!(found["advice"].as_str().unwrap().contains("at server1"));
        assert_eq!(agent.json("/v1/status")["loops"], 1);
    }
    // Whatever they hear of each other meanwhile, it is told once.
    for agent in &ring {
        assert!(agent.metric("loops_detected_total") >= 1.0);
        assert_eq!(agent.metric("loops_present"), 1.0);
        assert_eq!(agent.lines(Mark::default(), &["CYCLE"]), 1);
    }
}

/// R47: the same at each of them.
#[test]
fn the_map_says_who_asks_whom() {
    let lab = Lab::new();
    let ring = ring(&lab);
    for agent in &ring {
        let asks = || -> Vec<(Value, Vec<Value>)> {
            let map = agent.json("/v1/topology");
            let nodes = map["nodes"].as_array().unwrap().iter();
            let asked = |n: &Value| n["asks"].as_array().unwrap().clone();
            let names = |n: &Value| asked(n).iter().map(|a| a["name"].clone()).collect();
            nodes.map(|n| (n["name"].clone(), names(n))).collect()
        };
        let expected: Vec<(Value, Vec<Value>)> = (0..3)
            .map(|i| (CYCLE[i].into(), vec![CYCLE[(i + 1) % 3].into()]))
            .collect();
        eventually("all are on it", || asks() == expected);
        let map = agent.json("/v1/topology");
        assert_eq!(map["complete"], true);
        let first = &map["nodes"][0];
        assert_eq!(first["asks"][0]["node"], map["nodes"][1]["node"]);
        assert_eq!(first["asks"][0]["known"], true);
        assert_eq!(first["asks_many"], false);
    }
}

#[test]
fn the_health_pages_say_that_it_is_of_use() {
    let lab = Lab::new();
    let ring = ring(&lab);
    for agent in &ring {
        assert_eq!(agent.get("/healthz"), Some((200, "ok\n".into())));
        assert_eq!(agent.get("/readyz"), Some((200, "ready\n".into())));
        assert_eq!(agent.get("/nothing").unwrap().0, 404);
        let (_, index) = agent.get("/").unwrap();
        for line in index.lines().filter(|line| line.starts_with('/')) {
            let path = line.split_whitespace().next().unwrap();
            // There is no libp2p service here that anybody could be told of.
            let nobody = path.ends_with("/p2p") || path == "/spegel/v1/id";
            let expected = if nobody { 503 } else { 200 };
            assert_eq!(agent.get(path).unwrap().0, expected, "{path}");
        }
    }
    // Alone, with somebody to ask who is not there.
    let mut lonely = lab.agent("lonely");
    let nobody = lab.agent("nobody");
    lonely.ask(&[&nobody.address()]).start();
    let (status, body) = lonely.get("/readyz").unwrap();
    assert_eq!(status, 503);
    assert!(body.starts_with("waiting: "), "{body}");
    // A first one has to be let through to others.
    super::harness::eventually("it is alone", || {
        lonely
            .get("/readyz")
            .is_some_and(|(status, body)| status == 200 && body.starts_with("alone: "))
    });
    assert_eq!(lonely.json("/v1/status")["readiness"], "alone");
}

#[test]
fn every_line_of_the_metrics_can_be_read() {
    let lab = Lab::new();
    let ring = ring(&lab);
    let (_, page) = ring[0].get("/metrics").unwrap();
    assert!(page.ends_with("# EOF\n"), "{page}");
    let mut families = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for line in page.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            match (words.next().unwrap(), words.next(), words.next()) {
                ("EOF", None, None) => {}
                ("HELP", Some(name), Some(help)) => assert!(!name.is_empty() && !help.is_empty()),
                ("TYPE", Some(name), Some(kind)) => {
                    let suffixes: &[&str] = match kind {
                        "counter" => &["_total"],
                        "gauge" => &[""],
                        "histogram" => &["_bucket", "_sum", "_count"],
                        _ => panic!("{line}"),
                    };
                    let twice = families.iter().any(|(family, _)| family == name);
                    assert!(!twice, "{name} comes twice");
                    families.push((name.to_owned(), suffixes));
                }
                _ => panic!("{line}"),
            }
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().unwrap().is_finite(), "{line}");
        let name = sample.split('{').next().unwrap();
        let (family, suffixes) = families.last().expect("a family before its samples");
        let suffix = name.strip_prefix(family.as_str());
        let fits = suffix.is_some_and(|suffix| suffixes.contains(&suffix));
        assert!(fits, "{line} in {family}");
        if let Some((_, labels)) = sample.split_once('{') {
            let labels = labels.strip_suffix('}').expect(line);
            for label in labels.split(",") {
                let (key, value) = label.split_once('=').expect(line);
                assert!(key.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
                assert!(value.len() >= 2 && value.starts_with('"') && value.ends_with('"'));
            }
        }
        assert!(seen.insert(sample.to_owned()), "{sample} comes twice");
    }
    assert_eq!(ring[0].metric("peers"), 2.0);
    assert!(ring[0].metric("cpu_seconds_total") > 0.0);
    assert!(ring[0].metric("resident_memory_bytes") > 1e6);
}

#[test]
fn peerx_peers_shows_it_in_every_form() {
    let lab = Lab::new();
    let ring = ring(&lab);
    ring[0].eventually_logs(Mark::default(), "CYCLE");
    let admin = ring[0].admin();
    let text = peerx(&["peers", "--admin", &admin]);
    assert!(text.status.success());
    let text = String::from_utf8(text.stdout).unwrap();
    for part in [
        "server1 (",
        "listening on quic://",
        "UPSTREAM",
        "PEER (2 known)",
        "server3",
        "connected",
        "CYCLE: server1 → server2 → server3 → server1",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");

    let json = peerx(&["peers", "--json", "--admin", &admin]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["name"], "server1");
    assert_eq!(json["upstreams"][0]["name"], "server2");
    assert_eq!(json["upstreams"][0]["state"], "up");
    assert_eq!(json["loops"][0]["path"], serde_json::json!(CYCLE));
    for peer in json["peers"].as_array().unwrap() {
        assert_eq!(peer["lifetime_s"], 86_400);
        assert!(peer["lifetime_left_s"].as_u64().unwrap() <= 86_400);
        assert_eq!(peer["node"].as_str().unwrap().len(), 64);
        assert!(!peer["addresses"].as_array().unwrap().is_empty());
    }

    // A frame of each kind, until the reader has seen enough.
    for arguments in [&["--watch"][..], &["--watch", "--json"]] {
        let mut command = Command::new(PEERX);
        command.args(["peers", "--admin", &admin]).args(arguments);
        let mut watch = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        assert!(first.contains("server1"), "{first}");
        drop(lines);
        // It ends by itself, with the next frame.
        assert!(watch.wait().unwrap().success());
    }
}

#[test]
fn where_no_agent_answers_it_says_what_to_do() {
    let lab = Lab::new();
    let nobody = lab.agent("nobody").admin();
    for arguments in [
        &["--admin", &nobody][..],
        &["--admin", "http://nobody.invalid:7"],
    ] {
        let asked = peerx(&[&["peers"], arguments].concat());
        assert_eq!(asked.status.code(), Some(2));
        let said = String::from_utf8(asked.stderr).unwrap();
        assert!(said.contains(arguments[1]), "{said}");
        assert!(
            said.contains("`peerx run`") && said.contains("--admin"),
            "{said}"
        );
        assert!(asked.stdout.is_empty());
    }
    // Something else answers there.
    let mut agent = lab.agent("server1");
    agent.start();
    let elsewhere = format!("{}/elsewhere", agent.admin());
    let asked = peerx(&["peers", "--admin", &elsewhere]);
    assert_eq!(asked.status.code(), Some(2));
    let said = String::from_utf8(asked.stderr).unwrap();
    assert!(
        said.contains("404") && said.contains("is a peerx agent there?"),
        "{said}"
    );
    // Nor without a scheme.
    let asked = peerx(&["peers", "--admin", &agent.admin().replace("http://", "")]);
    assert!(matches!(asked.status.code(), Some(0 | 2)), "{asked:?}");
}
