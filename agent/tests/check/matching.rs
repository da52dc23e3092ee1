//! Which host an upstream means.

use super::{Tree, edges};
use serde_json::json;

#[test]
fn by_node_name_ip_external_ip_certificate_file_name_and_label() {
    let tree = Tree::hosts(&[
        (
            "hub",
            "node-name: Alpha\nnode-ip: 10.0.0.1,fd00:0:0::1\nnode-external-ip: [203.0.113.7]\n\
             tls-san: [api.example.com, 10.9.9.9]\n",
        ),
        ("b", "server: https://alpha:9345\n"),
        ("c", "server: https://10.0.0.1:9345\n"),
        ("d", "server: https://[fd00::1]:9345\n"),
        ("e", "server: https://203.0.113.7:9345/\n"),
        ("f", "server: https://API.example.com.:9345\n"),
        ("g", "server: https://10.9.9.9:9345\n"),
        ("h", "server: https://hub:9345\n"),
        ("i", "server: https://hub.cluster.local:9345\n"),
        ("j", "server: https://api:9345\n"),
        ("k", "server: https://10.0.0.2:9345\n"),
    ]);
    let (code, report) = tree.report();
    assert_eq!(code, 3);
    let expected: Vec<_> = ["b", "c", "d", "e", "f", "g", "h", "i"]
        .map(|host| (host, "Alpha"))
        .into();
    assert_eq!(edges(&report), expected);
    assert_eq!(
        report["unknown_upstreams"],
        json!(["https://10.0.0.2:9345", "https://api:9345"])
    );
}

#[test]
fn a_host_asks_itself_by_whatever_name() {
    for config in [
        "server: https://me:9345\n",
        "node-name: other\nserver: https://other:9345\n",
        "node-ip: 10.0.0.1\nserver: https://10.0.0.1:9345\n",
        "node-external-ip: fd00::1\nserver: https://[fd00::1]:9345\n",
        "server: https://localhost:6443\n",
        "server: https://127.0.0.1:9345\n",
    ] {
        let tree = Tree::hosts(&[("me", config)]);
        let (code, report) = tree.report();
        assert_eq!(code, 1, "{config}");
        assert_eq!(report["self_references"], report["hosts"], "{config}");
        assert_eq!(report["cycles"], json!([]), "{config}");
        let suggestion = report["suggestions"][0].as_str().unwrap();
        assert!(
            suggestion.contains("asks itself") && suggestion.contains("config.yaml:"),
            "{suggestion}"
        );
        let text = tree.check(&["."]);
        assert_eq!(text.code, 1);
        assert!(text.stdout.contains("ASKS ITSELF: "), "{}", text.stdout);
    }
}

#[test]
fn a_local_port_of_another_program_is_not_the_host_itself() {
    let (code, report) = Tree::hosts(&[("me", "server: https://127.0.0.1:8443\n")]).report();
    assert_eq!(code, 3);
    assert_eq!(
        report["unknown_upstreams"],
        json!(["https://127.0.0.1:8443"])
    );
}

#[test]
fn a_name_in_several_certificates_is_a_load_balancer() {
    let shared = "tls-san: [lb.example.com, server1]\n";
    let asking = format!("{shared}server: https://lb.example.com:9345\n");
    let tree = Tree::hosts(&[
        ("server1", shared),
        ("server2", &asking),
        ("server3", &asking),
    ]);
    let (code, report) = tree.report();
    assert_eq!(code, 3);
    assert_eq!(
        report["unknown_upstreams"],
        json!(["https://lb.example.com:9345"])
    );
    let balancer = &report["balancers"][0];
    assert_eq!(balancer["name"], "lb.example.com");
    assert_eq!(balancer["behind"], json!(["server1", "server2", "server3"]));
    assert_eq!(report["possible_cycles"], json!([["server2", "server3"]]));

    // A host's own name counts before any certificate.
    tree.write("server4/config.yaml", "server: https://server1:9345\n");
    assert_eq!(edges(&tree.report().1), [("server4", "server1")]);
}

#[test]
fn what_several_hosts_claim_is_nobodys_for_certain() {
    let tree = Tree::hosts(&[
        ("a", "node-ip: 10.0.0.1\n"),
        ("b", "node-ip: 10.0.0.1\n"),
        ("c", "server: https://10.0.0.1:9345\n"),
        ("x/one", "node-name: twin\n"),
        ("x/two", "node-name: twin\nserver: https://c:9345\n"),
        ("y", "server: https://twin:9345\n"),
        ("z/same", ""),
        ("zz/same", ""),
    ]);
    let (code, report) = tree.report();
    assert_eq!(code, 3);
    let hosts = [
        "a",
        "b",
        "c",
        "twin (./x/two/config.yaml)",
        "x/twin",
        "y",
        "z/same",
        "zz/same",
    ];
    assert_eq!(report["hosts"], json!(hosts));
    assert_eq!(edges(&report), [("twin (./x/two/config.yaml)", "c")]);
    let asked = ["https://10.0.0.1:9345", "https://twin:9345"];
    assert_eq!(report["unknown_upstreams"], json!(asked));
    let text = tree.check(&["."]).stdout;
    assert!(text.contains("It may be any of a and b."), "{text}");
    assert_eq!(text, tree.check(&["."]).stdout);
}

#[test]
fn an_ambiguous_label_is_nobody() {
    let tree = Tree::hosts(&[
        ("s1.east.example.com", ""),
        ("s1.west.example.com", ""),
        ("s2.east.example.com", ""),
        ("a", "server: https://s1:9345\n"),
        ("b", "server: https://s2:9345\n"),
        // Another domain is another host.
        ("c", "server: https://s2.west.example.com:9345\n"),
    ]);
    let (code, report) = tree.report();
    assert_eq!(code, 3);
    assert_eq!(edges(&report), [("b", "s2.east.example.com")]);
    assert_eq!(
        report["unknown_upstreams"],
        json!(["https://s1:9345", "https://s2.west.example.com:9345"])
    );
}

#[test]
fn an_edge_list_and_configurations_are_one_cluster() {
    let tree = Tree::new(&[
        ("a.yaml", "server: https://b:9345\n"),
        ("more.edges", "b c\nc a # back\n"),
        ("again.edges", "c\td\n"),
    ]);
    let (code, report) = tree.report_on(&["more.edges", "a.yaml", "again.edges"]);
    assert_eq!(code, 1);
    assert_eq!(report["hosts"], json!(["a", "b", "c", "d"]));
    assert_eq!(report["cycles"], json!([["a", "b", "c"]]));
}
