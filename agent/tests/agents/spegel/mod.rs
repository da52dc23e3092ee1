//! Spegel beside the agents: the versions that are released and the one after them, as they really
//! ask and answer.

mod service;
mod standin;

use super::harness::{Agent, Lab, Mark, eventually, private};
use peer_exchange_scenarios::Authority;
pub(crate) use service::Service;
pub(crate) use standin::new_id;
use standin::{Info, Spegel, Version, World};
use std::collections::BTreeSet;
use std::net::IpAddr;

const VERSIONS: [Version; 2] = [Version::Released, Version::Main];

/// Where a Spegel of this version asks an agent.
fn ask_at(version: Version, agent: &Agent) -> String {
    match version {
        Version::Released => format!("{}/spegel/v1", agent.admin()),
        Version::Main => format!("{}/id", agent.admin()),
    }
}

/// A Spegel beside an agent, which asks it where it is.
fn beside(agent: &mut Agent, version: Version) -> (Spegel, Service) {
    let spegel = Spegel::new(version, agent.ip.into(), &ask_at(version, agent));
    let service = Service::start(agent.ip.into(), &spegel.own_answer());
    learn(agent, &format!("http://{}/id", service.at));
    (spegel, service)
}

fn learn(agent: &mut Agent, url: &str) {
    agent
        .set_text("libp2p.learn_from", url)
        .set_text("libp2p.interval", "1s");
}

/// The ID and the addresses that `/spegel/v1/id` gives, if any.
fn one(agent: &Agent) -> Option<String> {
    let (status, body) = agent.get("/spegel/v1/id")?;
    let answer: Option<serde_json::Value> =
        (status == 200).then(|| serde_json::from_str(&body).unwrap());
    answer.map(|object| object["ID"].as_str().unwrap().to_owned())
}

#[test]
fn spegels_of_both_versions_find_each_other_from_cold() {
    for version in VERSIONS {
        let lab = Lab::new();
        let mut agents = lab.ring(3);
        let world = World::default();
        let services: Vec<_> = agents.iter_mut().map(|a| beside(a, version)).collect();
        // All at once, and the agents last: each has to try again.
        let found = std::thread::scope(|scope| {
            let run = |(spegel, _): &(Spegel, Service)| {
                world.listen(spegel);
                let (spegel, world) = (spegel.clone(), world.clone());
                scope.spawn(move || spegel.run(&world))
            };
            let running: Vec<_> = services.iter().map(run).collect();
            agents.iter_mut().for_each(Agent::spawn);
            let ends = running.into_iter().map(|thread| thread.join().unwrap());
            ends.collect::<Vec<_>>()
        });
        for ((spegel, _), (_, connected)) in services.iter().zip(found) {
            assert!(!connected.is_empty() && !connected.contains(&spegel.id));
        }
    }
}

#[test]
fn a_released_one_is_told_of_another_each_time() {
    let lab = Lab::new();
    let mut agents = lab.ring(3);
    let spegels: Vec<_> = agents
        .iter_mut()
        .map(|a| beside(a, Version::Released))
        .collect();
    agents.iter_mut().for_each(Agent::start);
    let others: BTreeSet<_> = spegels[1..].iter().map(|(s, _)| s.id.clone()).collect();
    eventually("both others are known", || {
        let told: BTreeSet<_> = [one(&agents[0]), one(&agents[0])]
            .into_iter()
            .flatten()
            .collect();
        told == others
    });
    let mut last = one(&agents[0]).unwrap();
    for _ in 0..10 {
        // A look at the head is no turn.
        let head = ureq::head(format!("{}/spegel/v1/id", agents[0].admin())).call();
        assert_eq!(head.unwrap().status(), 200);
        let next = one(&agents[0]).unwrap();
        assert_ne!(next, last);
        last = next;
    }
}

#[test]
fn an_empty_answer_makes_them_come_again() {
    for version in VERSIONS {
        let lab = Lab::new();
        let mut agents = lab.ring(2);
        let world = World::default();
        let spegels: Vec<_> = agents.iter_mut().map(|a| beside(a, version)).collect();
        spegels.iter().for_each(|(spegel, _)| world.listen(spegel));
        agents[0].start();
        let (first, _) = &spegels[0];
        let (failures, connected) = std::thread::scope(|scope| {
            let running = scope.spawn(|| first.run(&world));
            // It has been told of nobody, and not of itself.
            eventually("it learns of its Spegel", || {
                agents[0].json("/v1/status").to_string().contains(&first.id)
            });
            assert!(first.bootstrap(&world).is_err());
            match version {
                Version::Released => assert_eq!(agents[0].get("/spegel/v1/id").unwrap().0, 503),
                Version::Main => assert_eq!(first.get(), Ok(Vec::new())),
            }
            agents[1].start();
            running.join().unwrap()
        });
        assert!(failures > 0);
        assert_eq!(connected, [spegels[1].0.id.clone()]);
    }
}

#[test]
fn a_new_id_at_a_new_start_is_told_and_the_old_one_no_more() {
    let lab = Lab::new();
    let mut agents = lab.ring(2);
    let spegels: Vec<_> = agents
        .iter_mut()
        .map(|a| beside(a, Version::Released))
        .collect();
    agents.iter_mut().for_each(Agent::start);
    let (mut spegel, service) = spegels[1].clone();
    eventually("it is known", || {
        one(&agents[0]).as_ref() == Some(&spegel.id)
    });
    let old = std::mem::replace(&mut spegel.id, new_id());
    service.answer(&spegel.own_answer());
    eventually("its new ID is known", || {
        one(&agents[0]).as_ref() == Some(&spegel.id)
    });
    let (status, body) = agents[0].get("/id").unwrap();
    assert!(
        status == 200 && body.contains(&spegel.id) && !body.contains(&old),
        "{body}"
    );
}

#[test]
fn it_is_learned_over_https_with_a_client_certificate_and_not_without() {
    let lab = Lab::new();
    let authority = Authority::new();
    let (key, certificate) = authority.member_pem();
    for version in VERSIONS {
        let mut agents = lab.ring_named(3, &format!("{version:?}"));
        let mut ids = Vec::new();
        for agent in &mut agents[..2] {
            let spegel = Spegel::new(version, agent.ip.into(), "");
            let service = Service::start_tls(agent.ip.into(), &spegel.own_answer(), &authority);
            learn(agent, &format!("https://{}/id", service.at));
            ids.push(spegel.id);
            for (file, content) in [
                ("ca.pem", authority.pem()),
                ("client.pem", certificate.clone()),
                ("client.key", key.clone()),
            ] {
                std::fs::write(agent.dir.join(file), content).unwrap();
            }
            private(&agent.dir.join("client.key"));
            agent.set_text("libp2p.ca_file", "ca.pem");
        }
        agents[0]
            .set_text("libp2p.certificate_file", "client.pem")
            .set_text("libp2p.key_file", "client.key");
        agents.iter_mut().for_each(Agent::start);
        eventually("the one with a certificate is told", || {
            one(&agents[2]).as_ref() == Some(&ids[0])
        });
        agents[1].eventually_logs(Mark::default(), "does not tell its addresses");
        assert!(!agents[2].get("/id").unwrap().1.contains(&ids[1]));
    }
}

#[test]
fn an_answer_about_others_is_never_taken_for_ones_own() {
    let lab = Lab::new();
    let (a, b) = (new_id(), new_id());
    for (i, answer) in [
        format!(r#"{{"ID":"{a}","Addrs":["/ip4/10.1.2.4/tcp/5001"]}}"#),
        format!(r#"[{{"ID":"{a}","Addrs":["/ip4/10.1.2.4/tcp/5001"]}},{{"ID":"{b}","Addrs":["/ip4/10.1.2.5/tcp/5001"]}}]"#),
        // K3s and RKE2 list the others.
        format!(r#"["/ip4/10.1.2.4/tcp/5001/p2p/{a}","/ip4/10.1.2.5/tcp/5001/p2p/{b}"]"#),
        format!("/ip4/10.1.2.4/tcp/5001/p2p/{a}"),
    ]
    .iter()
    .enumerate()
    {
        let mut agent = lab.agent(&format!("agent{i}"));
        let service = Service::start(agent.ip.into(), answer);
        learn(&mut agent, &format!("http://{}/id", service.at));
        agent.start();
        agent.eventually_logs(Mark::default(), "it is about others");
        let status = agent.json("/v1/status").to_string();
        assert!(!status.contains("10.1.2.4") && !status.contains(&a), "{status}");
        // With an ID that the configuration has, it is the one beside this agent.
        agent.stop();
        let own = format!("/ip4/10.1.2.9/tcp/5001/p2p/{a}");
        agent.set("libp2p.advertise", &format!("[{own:?}]")).start();
        eventually("the known ID is believed", || {
            agent.json("/v1/status").to_string().contains("10.1.2.4")
        });
        assert!(!agent.json("/v1/status").to_string().contains("10.1.2.5"));
    }
}

#[test]
fn a_peer_without_an_id_is_told_where_the_format_allows() {
    let lab = Lab::new();
    let mut agents = lab.ring(2);
    let world = World::default();
    let nameless = Spegel::new(Version::Main, agents[1].ip.into(), "");
    world.listen(&nameless);
    let address = format!("/ip4/{}/tcp/5001", nameless.ip);
    agents[1].set("libp2p.advertise", &format!("[{address:?}]"));
    agents.iter_mut().for_each(Agent::start);
    let asker = Spegel::new(
        Version::Main,
        agents[0].ip.into(),
        &ask_at(Version::Main, &agents[0]),
    );
    let (_, connected) = asker.run(&world);
    assert_eq!(connected, [nameless.id]);
    let (_, array) = agents[0].get("/id").unwrap();
    assert_eq!(array, format!(r#"[{{"Addrs":["{address}"]}}]"#));
    for path in ["/spegel/v1/id", "/v1-k3s/p2p", "/v1-rke2/p2p"] {
        assert_eq!(agents[0].get(path).unwrap().0, 503, "{path}");
    }
    // No agent takes it for one of its own kind.
    assert_eq!(agents[0].peers().len(), 1);
    assert!(!agents[0].log().contains(":5001"), "{}", agents[0].log());
}

#[test]
fn the_first_three_of_many_are_others_at_their_own_ports() {
    let lab = Lab::new();
    let mut agents = lab.ring(6);
    for (i, agent) in agents.iter_mut().enumerate() {
        let address = format!("/ip4/10.1.2.{}/tcp/500{i}/p2p/{}", i + 1, new_id());
        agent.set("libp2p.advertise", &format!("[{address:?}]"));
    }
    super::harness::start(&mut agents);
    let asker = Spegel::new(
        Version::Main,
        agents[0].ip.into(),
        &ask_at(Version::Main, &agents[0]),
    );
    let mut told = BTreeSet::new();
    eventually("everybody is named", || {
        let infos = asker.get().unwrap();
        assert_eq!(infos.len(), 3);
        for info in infos {
            let [(IpAddr::V4(ip), port)] = info.addresses[..] else {
                panic!("{info:?}");
            };
            let i = ip.octets()[3] - 1;
            assert_ne!(i, 0, "the asker itself");
            assert_eq!(port, Some(5000 + u16::from(i)));
            told.insert(i);
        }
        told.len() == 5
    });
}

/// The stand-in is as strict as what it stands for.
#[test]
fn the_stand_in_takes_what_the_real_ones_take() {
    let ip = IpAddr::from([10, 0, 0, 1]);
    let [released, main] = VERSIONS.map(|version| Spegel::new(version, ip, ""));
    let id = new_id();
    let entry = |address: &str| format!(r#"{{"ID":"{id}","Addrs":["{address}"]}}"#);
    let good = entry("/ip4/10.0.0.2/tcp/5001");
    let info = Info {
        id: id.clone(),
        addresses: vec![([10, 0, 0, 2].into(), Some(5001))],
    };
    assert_eq!(released.parse(&good), Ok(vec![info]));
    for refused in [
        &format!("[{good}]"),
        r#"{"Addrs":["/ip4/10.0.0.2/tcp/5001"]}"#,
        "[]",
        &entry("10.0.0.2:5001"),
    ] {
        assert!(released.parse(refused).is_err(), "{refused}");
    }
    let nameless = r#"{"Addrs":["/ip4/10.0.0.2/tcp/5001"]}"#;
    for (list, taken) in [
        (vec![], Some(0)),
        (vec![nameless, &good], Some(2)),
        (vec![&*good; 5], Some(3)),
        // One that is bad spoils all, unless it is the fourth.
        (vec![&good, &good, r#"{"ID":"x","Addrs":[]}"#], None),
        (
            vec![&good, &good, &good, r#"{"ID":"x","Addrs":[]}"#],
            Some(3),
        ),
    ] {
        let list = format!("[{}]", list.join(","));
        assert_eq!(
            main.parse(&list).ok().map(|infos| infos.len()),
            taken,
            "{list}"
        );
    }
    assert!(main.parse(&good).is_err());
    // An address of one component is one at the client's own port.
    let world = World::default();
    let mut other = Spegel::new(Version::Main, [10, 0, 0, 2].into(), "");
    let service = Service::start(
        [127, 0, 0, 1].into(),
        &format!("[{}]", entry("/ip4/10.0.0.2")),
    );
    let mut asker = Spegel::new(Version::Main, ip, &format!("http://{}/id", service.at));
    asker.port = 5009;
    other.id = id;
    world.listen(&other);
    assert!(asker.bootstrap(&world).is_err());
    other.port = 5009;
    world.listen(&other);
    assert_eq!(asker.bootstrap(&world), Ok(vec![other.id]));
}
