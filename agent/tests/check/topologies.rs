//! Which arrangements of hosts are cycles, how they are named, and what is advised.

use super::{Tree, reproduction};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Carries out the `changes` of every component, and checks an edge list of the result.
fn after_changes(report: &Value) -> (i32, Value) {
    let pair = |edge: &Value| (edge["from"].to_string(), edge["to"].to_string());
    let mut edges: BTreeSet<_> = report["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(pair)
        .collect();
    for component in report["components"].as_array().unwrap() {
        for change in component["changes"].as_array().unwrap() {
            let from = change["from"].to_string();
            assert!(
                edges.remove(&(from.clone(), change["to"].to_string())),
                "{change}"
            );
            if !change["new_to"].is_null() {
                edges.insert((from, change["new_to"].to_string()));
            }
        }
    }
    let list = edges.iter().fold(String::new(), |list, (from, to)| {
        list + &format!("{from} {to}\n")
    });
    Tree::new(&[("list.txt", &list)]).report_on(&["list.txt"])
}

#[test]
fn the_reproduction_is_one_cycle_and_two_hosts_shall_point_at_the_third() {
    let tree = reproduction();
    let (code, report) = tree.report();
    assert_eq!(code, 1);
    assert_eq!(report["cycles"], json!([["server1", "server3", "server2"]]));
    assert_eq!(report["truncated"], false);

    let text = tree.check(&["."]);
    assert_eq!(text.code, 1);
    for part in [
        "CYCLE: server1 → server3 → server2 → server1\n",
        "point server2 and server3 at server1, and let server1 ask none of them",
        "server1/config.yaml:2: remove `server: https://server3:9345`; only on a server that has joined",
        "server3/config.yaml:2: change `server: https://server2:9345` to `server: https://server1:9345`",
        "the smallest change that leaves no cycle: 1 edge: server1 must not ask server3",
    ] {
        assert!(
            text.stdout.contains(part),
            "{part} is not in:\n{}",
            text.stdout
        );
    }
    let suggestions = report["suggestions"].as_array().unwrap();
    let star = suggestions[0].as_str().unwrap();
    assert!(
        star.contains("point server2 and server3 at server1"),
        "{star}"
    );
    assert_eq!(after_changes(&report).0, 0);
}

#[test]
fn the_host_that_founded_the_cluster_is_the_one_to_point_at() {
    let tree = Tree::hosts(&[
        ("a", "server: https://b:6443\n"),
        ("b", "server: https://c:6443\n"),
        ("c", "cluster-init: true\nserver: https://a:6443\n"),
    ]);
    let text = tree.check(&["."]).stdout;
    assert!(text.contains("point a and b at c"), "{text}");
    assert!(
        text.contains("remove `server: https://a:6443` (`cluster-init: true` may stay)"),
        "{text}"
    );
}

#[test]
fn following_the_advice_leaves_a_ring_without_cycle() {
    let ring = |count: usize| {
        (0..count).fold(String::new(), |list, i| {
            list + &format!("n{i} n{}\n", (i + 1) % count)
        })
    };
    for (count, shape) in [(2, "star"), (7, "star"), (500, "tree")] {
        let (code, report) = Tree::new(&[("ring.txt", &ring(count))]).report_on(&["ring.txt"]);
        assert_eq!(code, 1);
        let component = &report["components"][0];
        assert_eq!(component["shape"], shape);
        assert_eq!(component["approximate"], false);
        assert_eq!(component["edges_to_change"].as_array().unwrap().len(), 1);
        let (code, after) = after_changes(&report);
        assert_eq!(code, 0, "{after}");

        // Everybody but the hub asks somebody, and in the tree nobody is asked by a crowd.
        let mut askers = BTreeMap::<_, usize>::new();
        for edge in after["edges"].as_array().unwrap() {
            *askers.entry(edge["to"].to_string()).or_default() += 1;
        }
        assert_eq!(after["edges"].as_array().unwrap().len(), count - 1);
        assert!(askers.values().all(|&count| count < 100), "{askers:?}");
    }
}

#[test]
fn star_tree_and_line_have_no_cycle_and_a_balancer_is_not_decided() {
    let star = [
        ("server1", "cluster-init: true\n"),
        ("server2", "server: https://server1:9345\n"),
        ("server3", "server: https://server1:9345\n"),
    ];
    let line = [
        star[0],
        star[1],
        ("server3", "server: https://server2:9345\n"),
    ];
    for hosts in [star, line] {
        let (code, report) = Tree::hosts(&hosts).report();
        assert_eq!(code, 0);
        for field in [
            "cycles",
            "self_references",
            "unknown_upstreams",
            "suggestions",
        ] {
            assert_eq!(report[field], json!([]), "{field}");
        }
    }
    let tree = Tree::new(&[("tree.txt", "b a\nc a\nd b\ne b\nf c\n")]);
    let run = tree.check(&["tree.txt"]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.contains("OK: no cycle"), "{}", run.stdout);

    let behind = "server: https://lb.example.com:9345\n";
    let tree = Tree::hosts(&[("a", behind), ("b", behind), ("c", behind)]);
    let (code, report) = tree.report();
    assert_eq!(code, 3);
    assert_eq!(
        report["unknown_upstreams"],
        json!(["https://lb.example.com:9345"])
    );
    assert_eq!(
        report["unknown_asked_by"]["https://lb.example.com:9345"],
        json!(["a", "b", "c"])
    );
    assert_eq!(report["cycles"], json!([]));
    let text = tree.check(&["."]).stdout;
    assert!(
        text.contains("https://lb.example.com:9345, asked by a, b and c"),
        "{text}"
    );
}

#[test]
fn several_cycles_are_each_named_and_the_smallest_change_closes_them_all() {
    // Two rings that share c, a pair, and what only hangs on.
    let list = "b c\na b\nc a\nc d\nd c\nx y\ny x\nz x\n";
    let (code, report) = Tree::new(&[("list", list)]).report_on(&["list"]);
    assert_eq!(code, 1);
    let expected = json!([["c", "d"], ["a", "b", "c"], ["x", "y"]]);
    assert_eq!(report["cycles"], expected);
    let components = report["components"].as_array().unwrap();
    let sizes: Vec<usize> = components
        .iter()
        .map(|c| c["edges_to_change"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [2, 1]);
    assert_eq!(after_changes(&report).0, 0);
}

#[test]
fn a_complete_graph_of_300_answers_with_its_shortest_cycles() {
    let mut list = String::new();
    for from in 0..300 {
        for to in (0..300).filter(|to| *to != from) {
            writeln!(list, "h{from} h{to}").unwrap();
        }
    }
    let tree = Tree::new(&[("full.txt", &list)]);
    let (code, report) = tree.report_on(&["full.txt"]);
    assert_eq!(code, 1);
    assert_eq!(report["truncated"], true);
    let cycles = report["cycles"].as_array().unwrap();
    assert_eq!(cycles.len(), 1000);
    assert!(
        cycles
            .iter()
            .all(|cycle| cycle.as_array().unwrap().len() == 2)
    );
    let component = &report["components"][0];
    assert_eq!(component["approximate"], true);
    // Any order of the hosts turns exactly half of the edges back.
    assert_eq!(
        component["edges_to_change"].as_array().unwrap().len(),
        300 * 299 / 2
    );
    assert_eq!(after_changes(&report).0, 0);
    assert!(tree.check(&["full.txt"]).stdout.contains("approximate"));
}

#[test]
fn a_large_tangle_does_not_keep_a_small_one_from_being_searched() {
    // 5,000 hosts with four upstreams each, spread by multiplication: more work than is ever spent.
    let (mut list, mut state) = (String::new(), 1u64);
    for from in 0..5000 {
        for _ in 0..4 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            writeln!(list, "a{from} a{}", (state >> 33) % 5000).unwrap();
        }
    }
    list += "z1 z2\nz2 z1\nz2 z3\nz3 z1\n";
    let (code, report) = Tree::new(&[("list.txt", &list)]).report_on(&["list.txt"]);
    assert_eq!(code, 1);
    let components = report["components"].as_array().unwrap();
    assert_eq!(components.len(), 2);
    assert_eq!(components[0]["more_cycles"], true);
    assert_eq!(components[1]["more_cycles"], false);
    assert_eq!(components[1]["hosts"], json!(["z1", "z2", "z3"]));
    assert_eq!(components[1]["cycles"], 2);
}

#[test]
fn five_thousand_hosts_in_one_ring() {
    let tree = Tree::new(&[]);
    for host in 0..5000 {
        let next = (host + 1) % 5000;
        tree.write(
            &format!("h{host}.yaml"),
            &format!("server: https://h{next}:9345\n"),
        );
    }
    let (code, report) = tree.report();
    assert_eq!(code, 1);
    let cycles = report["cycles"].as_array().unwrap();
    assert_eq!(cycles.len(), 1);
    let cycle = cycles[0].as_array().unwrap();
    assert_eq!(cycle.len(), 5000);
    assert_eq!(cycle[..3], [json!("h0"), json!("h1"), json!("h2")]);
}
