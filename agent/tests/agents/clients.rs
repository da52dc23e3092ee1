//! Peers in the formats of Spegel, K3s and RKE2, as those clients ask for them.

use crate::harness::{Agent, Lab, eventually};
use crate::spegel::{Service, new_id};

/// Ed25519 keys as libp2p writes them.
const IDS: [&str; 3] = [
    "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
    "12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5",
    "12D3KooW9xCm2jWjNVrwh51SWCQBMYdMyeU3NpT85QhLVkF6PcNM",
];

/// Three agents in a ring, each with a service beside it.
fn services(lab: &Lab) -> Vec<Agent> {
    let mut agents = lab.ring(3);
    for (i, agent) in agents.iter_mut().enumerate() {
        let service = format!("[\"/ip4/10.1.2.{}/tcp/5001/p2p/{}\"]", i + 1, IDS[i]);
        agent.set("libp2p.advertise", &service);
        agent.start();
    }
    for agent in &agents {
        eventually("all are known", || agent.peers().len() == 2);
    }
    agents
}

/// Status, content type and body.
fn ask(agent: &Agent, path: &str, accept: Option<&str>) -> (u16, String, String) {
    let mut request = ureq::get(format!("{}{path}", agent.admin()));
    if let Some(accept) = accept {
        request = request.header("Accept", accept);
    }
    let answer = request.config().http_status_as_error(false).build();
    let mut answer = answer.call().unwrap();
    let kind = answer.headers().get("content-type").unwrap();
    let kind = kind.to_str().unwrap().to_owned();
    let body = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), kind, body)
}

/// R35: once a node is down, no format names its service; a cluster of one has nobody to name.
#[test]
fn the_service_of_a_node_that_is_down_is_in_no_format() {
    let lab = Lab::new();
    let mut agents = services(&lab);
    let all = |agent: &Agent| {
        let mut said = Vec::new();
        for path in ["/id", "/spegel/v1/id", "/v1-k3s/p2p", "/v1-rke2/p2p"] {
            // Each asks twice: one at a time is another one each time.
            for _ in 0..2 {
                said.push((path, ask(agent, path, Some("application/json")).2));
            }
        }
        said
    };
    let named = |said: &[(&str, String)], i: usize| {
        let mut paths: Vec<_> = said.iter().filter(|(_, b)| b.contains(IDS[i])).collect();
        paths.dedup_by_key(|(path, _)| *path);
        paths.len()
    };
    assert_eq!(named(&all(&agents[0]), 2), 4, "{:?}", all(&agents[0]));
    agents[2].kill();
    for agent in &agents[..2] {
        eventually("it is down", || agent.peers().len() == 1);
    }
    // One answer serves everybody who asks within a second.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    for (agent, other) in [(&agents[0], 1), (&agents[1], 0)] {
        let said = all(agent);
        assert_eq!(named(&said, 2), 0, "{said:?}");
        assert_eq!(named(&said, other), 4, "{said:?}");
    }
}

#[test]
fn spegel_gets_everybody_but_itself() {
    let lab = Lab::new();
    let agents = services(&lab);
    let entry = |i: usize| {
        format!(
            r#"{{"ID":"{}","Addrs":["/ip4/10.1.2.{}/tcp/5001"]}}"#,
            IDS[i],
            i + 1
        )
    };
    for (i, agent) in agents.iter().enumerate() {
        let (status, kind, body) = ask(agent, "/id", None);
        assert_eq!((status, kind.as_str()), (200, "application/json"));
        let others: Vec<_> = (0..3).filter(|other| *other != i).map(entry).collect();
        let [a, b] = [&others[0], &others[1]];
        let either = [format!("[{a},{b}]"), format!("[{b},{a}]")];
        assert!(either.contains(&body), "{body}");
    }
}

/// One service a member, whatever it announces: another's ID as its own, at other addresses, and made-up
/// IDs at the addresses of others.
#[test]
fn a_member_that_announces_many_services_is_told_of_once() {
    let lab = Lab::new();
    let mut agents = lab.ring(3);
    let honest = format!("/ip4/10.1.2.2/tcp/5001/p2p/{}", IDS[1]);
    agents[1].set("libp2p.advertise", &format!("[{honest:?}]"));
    let mut lies: Vec<_> = (3..10)
        .map(|n| format!("/ip4/10.1.2.{n}/tcp/5001/p2p/{}", new_id()))
        .collect();
    lies.insert(0, format!("/ip4/10.1.2.66/tcp/5001/p2p/{}", IDS[1]));
    lies.insert(1, format!("/ip4/10.1.2.2/tcp/5001/p2p/{}", IDS[2]));
    agents[2].set("libp2p.advertise", &format!("{lies:?}"));
    agents.iter_mut().for_each(Agent::start);
    eventually("all are known", || agents[0].peers().len() == 2);
    let json = Some("application/json");
    let honest = format!(
        r#"{{"ID":"{}","Addrs":["/ip4/10.1.2.2/tcp/5001"]}}"#,
        IDS[1]
    );
    eventually("both are told of", || {
        let told = ask(&agents[0], "/id", None).2;
        told.contains(&honest) && told.matches("\"Addrs\"").count() == 2
    });
    let (_, _, told) = ask(&agents[0], "/v1-rke2/p2p", json);
    let told: Vec<String> = serde_json::from_str(&told).unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    // Each of the two in its turn.
    let turns: Vec<_> = (0..4)
        .map(|_| ask(&agents[0], "/spegel/v1/id", None).2)
        .collect();
    assert!(turns[..2].contains(&honest), "{turns:?}");
    assert!(
        turns[0] != turns[1] && turns[..2] == turns[2..],
        "{turns:?}"
    );
}

#[test]
fn k3s_and_rke2_get_a_list_or_one() {
    let lab = Lab::new();
    let agents = services(&lab);
    let address = |i: usize| format!("/ip4/10.1.2.{}/tcp/5001/p2p/{}", i + 1, IDS[i]);
    let [one, two] = [address(1), address(2)];
    for path in ["/v1-k3s/p2p", "/v1-rke2/p2p"] {
        let (status, kind, body) = ask(&agents[0], path, Some("application/json"));
        assert_eq!((status, kind.as_str()), (200, "application/json"));
        let either = [
            format!(r#"["{one}","{two}"]"#),
            format!(r#"["{two}","{one}"]"#),
        ];
        assert!(either.contains(&body), "{body}");
        let (status, kind, body) = ask(&agents[0], path, None);
        assert_eq!((status, kind.as_str()), (200, "text/plain"));
        assert!([&one, &two].contains(&&body), "{body}");
    }
}

#[test]
fn with_nobody_to_offer_each_client_comes_again() {
    let lab = Lab::new();
    let mut agent = lab.agent("alone");
    agent.set(
        "libp2p.advertise",
        &format!("[\"/ip4/10.1.2.1/tcp/5001/p2p/{}\"]", IDS[0]),
    );
    agent.start();
    let (status, kind, body) = ask(&agent, "/id", None);
    assert_eq!(
        (status, kind.as_str(), body.as_str()),
        (200, "application/json", "[]")
    );
    for accept in [None, Some("application/json")] {
        assert_eq!(ask(&agent, "/v1-k3s/p2p", accept).0, 503);
    }
}

#[test]
fn an_agent_learns_of_the_service_beside_it_and_of_its_end() {
    let lab = Lab::new();
    let mut agents = lab.ring(2);
    let own = format!(
        r#"[{{"ID":"{}","Addrs":["/ip4/{}/tcp/5001"]}}]"#,
        IDS[0], agents[0].ip
    );
    let service = Service::start(agents[0].ip.into(), &own);
    let url = format!("http://{}/id", service.at);
    agents[0].set_text("libp2p.learn_from", &url);
    agents[0].set_text("libp2p.interval", "1s");
    agents.iter_mut().for_each(Agent::start);
    let named = |agent: &Agent| ask(agent, "/id", None).2.contains(IDS[0]);
    eventually("the other agent names it", || named(&agents[1]));
    service.answer("[]");
    eventually("nobody names it any more", || !named(&agents[1]));
}

/// The file may have the ID that it had before it started anew.
#[test]
fn what_the_service_says_itself_counts_more_than_the_file() {
    let lab = Lab::new();
    let mut agents = lab.ring(2);
    let ip = agents[0].ip;
    let own = format!(r#"[{{"ID":"{}","Addrs":["/ip4/{ip}/tcp/5001"]}}]"#, IDS[1]);
    let service = Service::start(ip.into(), &own);
    let old = format!("[\"/ip4/{ip}/tcp/5001/p2p/{}\"]", IDS[0]);
    agents[0].set("libp2p.advertise", &old);
    agents[0].set_text("libp2p.learn_from", &format!("http://{}/id", service.at));
    agents.iter_mut().for_each(Agent::start);
    eventually("its new ID is told, and the old one is not", || {
        let told = ask(&agents[1], "/id", None).2;
        told.contains(IDS[1]) && !told.contains(IDS[0])
    });
}

/// With or without a slash at the end, and the head alone.
#[test]
fn every_path_has_a_slash_or_none_and_a_head() {
    let lab = Lab::new();
    let agents = services(&lab);
    for path in ["/id", "/spegel/v1/id", "/v1-k3s/p2p", "/v1-rke2/p2p"] {
        for path in [path.to_owned(), format!("{path}/")] {
            let (status, kind, body) = ask(&agents[0], &path, Some("application/json"));
            assert_eq!((status, kind.as_str()), (200, "application/json"), "{path}");
            let mut head = ureq::head(format!("{}{path}", agents[0].admin()))
                .header("Accept", "application/json")
                .call()
                .unwrap();
            assert_eq!(head.headers()["content-type"], "application/json", "{path}");
            assert_eq!(
                head.headers()["content-length"],
                body.len().to_string().as_str()
            );
            assert_eq!(head.body_mut().read_to_string().unwrap(), "");
        }
    }
    // BASE/id, with a slash at the end of BASE.
    assert_eq!(ask(&agents[0], "/spegel/v1//id", None).0, 200);
    let posted = ureq::post(format!("{}/id", agents[0].admin())).send_empty();
    assert!(
        matches!(posted, Err(ureq::Error::StatusCode(405))),
        "{posted:?}"
    );
}

#[test]
fn json_with_the_weight_nothing_is_not_wanted() {
    let lab = Lab::new();
    let agents = services(&lab);
    for (accept, expected) in [
        ("application/json;q=0", "text/plain"),
        ("application/json; q=0.0, text/plain", "text/plain"),
        ("*/*", "text/plain"),
        (
            "text/plain;q=0.5, application/json;q=0.1",
            "application/json",
        ),
    ] {
        for path in ["/v1-k3s/p2p", "/v1-rke2/p2p"] {
            assert_eq!(ask(&agents[0], path, Some(accept)).1, expected, "{accept}");
        }
    }
}
