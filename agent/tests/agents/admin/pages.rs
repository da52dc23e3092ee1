//! A page is made once a second, whoever asks; long ones come in parts.

use super::crowd;
use crate::harness::{Agent, Lab};
use serde_json::Value;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What `/metrics` says is a second old at most.
const STALE: Duration = Duration::from_millis(1_100);

fn renderings(agent: &Agent, page: &str) -> f64 {
    sleep(STALE);
    agent.metric(&format!("admin_renderings_total{{page=\"{page}\"}}"))
}

/// Asserts that a page is not made oftener than once a second meanwhile.
fn made_once_a_second(agent: &Agent, page: &str, ask: impl FnOnce()) {
    let (before, begun) = (renderings(agent, page), Instant::now());
    ask();
    let (made, took) = (renderings(agent, page) - before, begun.elapsed());
    assert!(made >= 1.0, "{page} was not made at all");
    let most = took.as_secs_f64() + 1.0;
    assert!(made <= most, "{page} was made {made} times in {took:?}");
}

#[test]
fn a_thousand_questions_cost_one_rendering_a_second() {
    let lab = Lab::new();
    let mut agent = lab.agent("asked");
    agent.start();
    let client = ureq::agent();
    for page in ["peers", "topology", "loops", "status", "metrics"] {
        let url = match page {
            "metrics" => format!("{}/metrics", agent.admin()),
            page => format!("{}/v1/{page}", agent.admin()),
        };
        made_once_a_second(&agent, page, || {
            for _ in 0..1_000 {
                let mut answer = client.get(&url).call().unwrap();
                assert!(!answer.body_mut().read_to_vec().unwrap().is_empty());
            }
        });
    }
}

/// All items of a list, part by part.
fn follow(agent: &Agent, path: &str, list: &str, limit: usize) -> Vec<Value> {
    let mut items = Vec::new();
    let mut next = Some(format!("{path}?limit={limit}"));
    while let Some(path) = next {
        let part = agent.json(&path);
        let some = part[list].as_array().unwrap();
        assert!(some.len() <= limit);
        items.extend(some.iter().map(|item| item["node"].clone()));
        next = part
            .get("next")
            .map(|next| next.as_str().unwrap().to_owned());
    }
    items
}

#[test]
fn lists_come_whole_or_in_parts() {
    const PEERS: usize = 500;
    let lab = Lab::new();
    let mut agent = lab.agent("known");
    crowd::gathers(&mut agent, PEERS as u32);
    agent.start();
    for (path, list, more) in [("/v1/peers", "peers", 0), ("/v1/topology", "nodes", 1)] {
        let whole = agent.json(path);
        assert!(whole.get("next").is_none());
        let whole = whole[list].as_array().unwrap();
        let whole: Vec<_> = whole.iter().map(|item| item["node"].clone()).collect();
        // Itself is on the map.
        assert_eq!(whole.len(), PEERS + more);
        made_once_a_second(&agent, list_page(path), || {
            for limit in [1, 7, PEERS, PEERS + 1, 10_000] {
                assert_eq!(follow(&agent, path, list, limit), whole, "{limit}");
            }
        });
    }
    for query in ["limit=0", "limit=many", "after=nobody"] {
        let (status, why) = agent.get(&format!("/v1/peers?{query}")).unwrap();
        assert_eq!(status, 400, "{query}: {why}");
    }
}

fn list_page(path: &str) -> &str {
    path.trim_start_matches("/v1/")
}
