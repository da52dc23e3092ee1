//! Where agents can be reached: found out by others, tried, shown, and told where nobody reaches it.

use super::harness::network::Network;
use super::harness::{Agent, Lab, all_know_all, eventually};
use serde_json::Value;
use std::net::{TcpListener, UdpSocket};

/// A port that is free at every address, over UDP and TCP.
fn free_port() -> u16 {
    loop {
        let udp = UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = udp.local_addr().unwrap().port();
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}

/// The own addresses of an agent that have this state, and are told to others or not.
fn own(status: &Value, state: &str, told: bool) -> Vec<String> {
    let all = status["own_addresses"].as_array().unwrap().iter();
    let of = all.filter(|own| own["state"] == state && own["advertised"] == told);
    of.map(|own| own["address"].as_str().unwrap().to_owned())
        .collect()
}

fn status(network: &Network, node: usize) -> Value {
    let words = [super::harness::PEERX, "peers", "--json"];
    let output = network.run(node, &words);
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

/// R38: nobody is told where it is, and each knows one address at most.
#[test]
fn without_any_address_configured_all_find_all_at_addresses_that_were_tried() {
    let lab = Lab::new();
    let mut agents: Vec<Agent> = (1..=3).map(|n| lab.agent(&format!("server{n}"))).collect();
    let ports: Vec<u16> = agents.iter().map(|_| free_port()).collect();
    for (agent, port) in agents.iter_mut().zip(&ports) {
        agent.set("listen", &format!("[\"0.0.0.0:{port}\"]"));
    }
    let at = |n: usize| format!("127.0.0.1:{}", ports[n]);
    agents[1].ask(&[&at(0)]);
    agents[2].ask(&[&at(1)]);
    agents.iter_mut().for_each(Agent::spawn);
    all_know_all(&agents);
    for (agent, port) in agents.iter().zip(&ports) {
        let mut expected = vec![
            format!("/ip4/127.0.0.1/tcp/{port}"),
            format!("/ip4/127.0.0.1/udp/{port}/quic-v1"),
        ];
        eventually("its addresses are proven", || {
            let mut proven = own(&agent.json("/v1/status"), "proven", true);
            proven.sort();
            expected.sort();
            proven == expected
        });
        let status = agent.json("/v1/status");
        assert_eq!(own(&status, "unproven", true), Vec::<String>::new());
        assert_eq!(own(&status, "unreachable", true), Vec::<String>::new());
        assert_eq!(agent.metric("own_addresses{state=\"proven\"}"), 2.0);
        agent.eventually_logs(Default::default(), "others reach this node there: ");
        // Nothing else was told, to anybody.
        for other in agents.iter().filter(|other| other.name != agent.name) {
            eventually("both transports are known", || {
                let peers = other.json("/v1/peers");
                let mut peers = peers["peers"].as_array().unwrap().iter();
                let of = peers.find(|p| p["name"] == *agent.name).unwrap();
                let told = of["addresses"].as_array().unwrap();
                assert!(told.iter().all(|a| expected.iter().any(|e| a == e)), "{of}");
                told.len() == 2
            });
        }
    }
}

/// R38: of two interfaces one leads nowhere for the others.
#[test]
fn an_address_that_nobody_reaches_is_told_by_its_own_node() {
    let Some(network) = Network::new(3) else {
        return;
    };
    for words in [
        &["ip", "link", "add", "eth1", "type", "bridge"][..],
        &["ip", "addr", "add", "10.88.0.1/24", "dev", "eth1"],
        &["ip", "link", "set", "eth1", "up"],
    ] {
        assert!(network.run(1, words).status.success(), "{words:?}");
    }
    let lab = Lab::new();
    let mut agents: Vec<Agent> = (1..=3).map(|n| lab.agent(&format!("server{n}"))).collect();
    for (i, agent) in agents.iter_mut().enumerate() {
        network.host(i + 1, agent);
    }
    let (dead, good) = ("10.88.0.1:7651", "10.77.0.1:7651");
    agents[0].set("advertise", &format!("[{dead:?}, {good:?}]"));
    for agent in &mut agents[1..] {
        agent.ask(&[good]);
    }
    agents.iter_mut().for_each(Agent::spawn);
    agents[0].eventually_logs(
        Default::default(),
        "nobody reaches this node there that has tried (",
    );
    eventually("both transports are found out", || {
        let status = status(&network, 1);
        let lost = own(&status, "unreachable", true);
        lost.len() == 2 && lost.iter().all(|a| a.starts_with("/ip4/10.88.0.1/"))
    });
    // The others, which have no address configured, are found, and try the good one first.
    eventually("the good one comes first", || {
        let peers = status(&network, 2);
        let peers = peers["peers"].as_array().cloned().unwrap_or_default();
        let found = |name: &str| peers.iter().find(|p| p["name"] == name).cloned();
        let (Some(first), Some(third)) = (found("server1"), found("server3")) else {
            return false;
        };
        let text = |p: &Value| p["addresses"][0].as_str().unwrap_or_default().to_owned();
        text(&first).starts_with("/ip4/10.77.0.1/") && text(&third).starts_with("/ip4/10.77.0.3/")
    });
    let page = network.run(1, &[super::harness::PEERX, "peers"]).stdout;
    let page = String::from_utf8(page).unwrap();
    assert!(
        page.contains("unreachable") && page.contains("missed by server"),
        "{page}"
    );
}
