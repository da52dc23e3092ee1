//! By which names an agent may be asked: a page that a browser has loaded from elsewhere cannot read it
//! once its own name leads here.

use super::{answer, status};
use crate::harness::{Agent, Lab, eventually};
use rustix::process::Signal;

fn asked_as(agent: &Agent, path: &str, hosts: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
    let (head, body) = answer(agent, &request);
    (status(&head), body)
}

#[test]
fn other_names_than_its_own_are_told_what_to_set() {
    let lab = Lab::new();
    let mut agent = lab.agent("named");
    agent.set("admin_names", "[\"peerx.example\"]");
    agent.start();
    let own = rustix::system::uname();
    let own = own.nodename().to_str().unwrap();
    let ip = agent.ip;
    for host in [
        "127.0.0.1:7652",
        &format!("{ip}"),
        "10.1.2.3",
        "[::1]:7652",
        "localhost:7652",
        "LocalHost.",
        "named:7652",
        own,
        "peerx.example:80",
        "PEERX.example",
    ] {
        let (status, body) = asked_as(&agent, "/v1/status", &format!("Host: {host}\r\n"));
        assert_eq!(status, 200, "{host}: {body}");
    }
    for host in [
        "evil.example:7652",
        "named.evil.example",
        "x.peerx.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
    ] {
        for path in [
            "/",
            "/v1/status",
            "/metrics",
            "/id",
            "/v1-k3s/p2p",
            "/nothing",
        ] {
            let (status, body) = asked_as(&agent, path, &format!("Host: {host}\r\n"));
            assert_eq!(status, 421, "{host} {path}: {body}");
            let name = host.trim_end_matches(":7652");
            assert!(
                body.contains(&format!("admin_names = [\"{name}\"]")),
                "{body}"
            );
        }
        // Who asks whether it lives may call it as it likes.
        assert_eq!(
            asked_as(&agent, "/healthz", &format!("Host: {host}\r\n")).0,
            200
        );
    }
    for none in ["", "Host:\r\n"] {
        assert_eq!(asked_as(&agent, "/v1/status", none).0, 400);
    }
    let two = "Host: localhost\r\nHost: evil.example\r\n";
    assert_eq!(asked_as(&agent, "/v1/status", two).0, 400);
    let absolute = "http://evil.example/v1/status";
    assert_eq!(asked_as(&agent, absolute, "Host: localhost\r\n").0, 421);
    // An old client, or a balancer's check.
    let (head, _) = answer(&agent, "GET /v1/status HTTP/1.0\r\n\r\n");
    assert_eq!(status(&head), 200);
}

#[test]
fn a_name_that_is_added_is_answered_to_without_a_restart() {
    let lab = Lab::new();
    let mut agent = lab.agent("renamed");
    agent.start();
    let asked = |agent: &Agent| asked_as(agent, "/v1/status", "Host: new.example\r\n").0;
    assert_eq!(asked(&agent), 421);
    agent.set_text("admin_names", "new.example").write_config();
    agent.signal(Signal::HUP);
    eventually("it answers to the new name", || asked(&agent) == 200);
}
