//! How RKE2's, K3s's and peerx's own configurations are read.

use super::{Tree, edges};
use serde_json::json;

#[test]
fn drop_ins_are_merged_in_alphabetical_order_and_later_files_win() {
    let tree = Tree::new(&[
        ("a/config.yaml", "server: https://nowhere:9345\n"),
        ("a/config.yaml.d/20-last.yaml", "server: https://c:9345\n"),
        ("a/config.yaml.d/10-first.yml", "server: https://b:9345\n"),
        (
            "a/config.yaml.d/99-other.txt",
            "server: https://wrong:9345\n",
        ),
        (
            "a/config.yaml.d/30-dir.yaml/x",
            "server: https://wrong:9345\n",
        ),
        ("b/config.yaml", "{}\n"),
        // Drop-ins without a main file are a host as well.
        ("c/config.yaml.d/only.yaml", "server: https://a:9345\n"),
        // Files of one host beside its main one are no hosts.
        ("b/registries.yaml", "mirrors: {}\n"),
    ]);
    let (code, report) = tree.report();
    assert_eq!(code, 1);
    assert_eq!(report["hosts"], json!(["a", "b", "c"]));
    assert_eq!(edges(&report), [("a", "c"), ("c", "a")]);
    let text = tree.check(&["."]).stdout;
    assert!(
        text.contains("a/config.yaml.d/20-last.yaml:1"),
        "names the file to edit: {text}"
    );
}

#[test]
fn a_plus_appends_and_without_it_a_value_is_replaced() {
    let tree = Tree::new(&[
        ("a/config.yaml", "tls-san: [one.example]\n"),
        ("a/config.yaml.d/1.yaml", "tls-san+: two.example\n"),
        (
            "a/config.yaml.d/2.yaml",
            "tls-san+:\n  - three.example\nnode-ip+: 10.0.0.1\n",
        ),
        ("b/config.yaml", "tls-san: four.example\n"),
        ("b/config.yaml.d/1.yaml", "tls-san: five.example\n"),
        ("c/config.yaml", "server: https://one.example:9345\n"),
        ("d/config.yaml", "server: https://two.example:9345\n"),
        ("e/config.yaml", "server: https://three.example:9345\n"),
        ("f/config.yaml", "server: https://four.example:9345\n"),
        ("g/config.yaml", "server: https://five.example:9345\n"),
        ("h/config.yaml", "server: https://10.0.0.1:9345\n"),
    ]);
    let (code, report) = tree.report();
    assert_eq!(code, 3);
    assert_eq!(
        edges(&report),
        [("c", "a"), ("d", "a"), ("e", "a"), ("g", "b"), ("h", "a")]
    );
    assert_eq!(
        report["unknown_upstreams"],
        json!(["https://four.example:9345"])
    );
}

#[test]
fn a_repeated_key_and_a_list_of_servers_count_as_their_last_value() {
    let tree = Tree::hosts(&[
        ("a", "server: https://x:9345\nserver: https://b:9345\n"),
        ("b", "server:\n- https://x:9345\n- https://c:9345\n"),
        ("c", "server: ''\n"),
        ("d", "server:\n"),
    ]);
    let (code, report) = tree.report();
    assert_eq!(code, 0);
    assert_eq!(edges(&report), [("a", "b"), ("b", "c")]);
    assert_eq!(report["unknown_upstreams"], json!([]));
}

#[test]
fn other_settings_comments_anchors_and_empty_files_do_no_harm() {
    let tree = Tree::new(&[
        (
            "a.yaml",
            "# why\nwrite-kubeconfig-mode: 0644\nkube-apiserver-arg: [x=1, {y: [2]}]\n1: 2\n\
             name: &n https://b:9345\nserver: *n\n---\nserver: https://second.document:1\n",
        ),
        ("b.yaml", ""),
        ("c.yaml", "# only a comment\n"),
        ("d.yaml", "node-name: 0123\n"),
        ("e.yaml", "server: https://0123:9345\n"),
    ]);
    let (code, report) = tree.report();
    assert_eq!(code, 0);
    assert_eq!(report["hosts"], json!(["0123", "a", "b", "c", "e"]));
    assert_eq!(edges(&report), [("a", "b"), ("e", "0123")]);
}

#[test]
fn files_directories_and_copies_of_etc_are_hosts_and_one_given_twice_is_one() {
    let tree = Tree::new(&[
        ("cluster/a.yaml", "server: https://b:9345\n"),
        ("cluster/a.yaml.d/x.yaml", "node-ip: 10.0.0.1\n"),
        ("cluster/b/config.yaml", "server: https://c:9345\n"),
        (
            "cluster/c/etc/rancher/rke2/config.yaml",
            "server: https://d:7000\n",
        ),
        (
            "cluster/d.toml",
            "token_file = \"t\"\nupstreams = [\"quic://a:7000\"]\n",
        ),
        ("cluster/.hidden/config.yaml", "server: nonsense\n"),
        ("cluster/README.md", "notes\n"),
        ("cluster/gone/", ""),
    ]);
    let (code, report) = tree.report_on(&["cluster", "cluster/a.yaml", "cluster/b"]);
    assert_eq!(code, 1);
    assert_eq!(report["hosts"], json!(["a", "b", "c", "d"]));
    assert_eq!(report["cycles"], json!([["a", "b", "c", "d"]]));
    let warnings = report["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0]
            .as_str()
            .unwrap()
            .starts_with("cluster/gone: holds no"),
        "{warnings:?}"
    );
}

#[test]
fn peerx_files_match_by_port_where_nodes_share_a_machine() {
    let tree = Tree::new(&[
        (
            "a.toml",
            "local = true\nnode_name = \"alpha\"\nadvertise = [\"127.0.0.1:7001\"]\nupstreams = [\"127.0.0.1:7002\"]\ntoken_file = \"t\"\n\n\
             [limits]\ncapacity = 100\n",
        ),
        (
            "b.toml",
            "token_file = \"t\"\nlocal = true\nadvertise = [\"127.0.0.1:7002\"]\nupstreams = [\"tcp://127.0.0.1:7001\", \"alpha:7001\"]\n",
        ),
        (
            "c.toml",
            "token_file = \"t\"\nadvertise = [\"[fd00::3]:7000\"]\nupstreams = [\"quic://127.0.0.1:7003\", \"[fd00::3]:7000\"]\n",
        ),
    ]);
    let (code, report) = tree.report();
    assert_eq!(code, 1);
    assert_eq!(report["hosts"], json!(["alpha", "b", "c"]));
    assert_eq!(edges(&report), [("alpha", "b"), ("b", "alpha"), ("c", "c")]);
    assert_eq!(report["cycles"], json!([["alpha", "b"]]));
    assert_eq!(report["self_references"], json!(["c"]));
    assert_eq!(
        report["unknown_upstreams"],
        json!(["quic://127.0.0.1:7003"])
    );
    let text = tree.check(&["."]).stdout;
    assert!(
        text.contains("a.toml:4: from `upstreams` remove \"127.0.0.1:7002\""),
        "{text}"
    );
}

#[test]
fn a_peerx_node_answers_to_where_it_listens() {
    let file = |own: u16, upstream: u16| {
        format!(
            "token_file = \"t\"\nlisten = [\"127.0.0.1:{own}\", \"[::]:{own}\"]\nupstreams = [\"127.0.0.1:{upstream}\"]\n"
        )
    };
    let (a, b) = (file(7001, 7002), file(7002, 7001));
    let tree = Tree::new(&[("a.toml", &a), ("b.toml", &b)]);
    let (code, report) = tree.report();
    assert_eq!(code, 1);
    assert_eq!(report["cycles"], json!([["a", "b"]]));
    assert_eq!(report["unknown_upstreams"], json!([]));
}

#[test]
fn another_port_of_ones_own_machine_is_not_oneself() {
    let tree = Tree::new(&[
        (
            "a.toml",
            "token_file = \"t\"\nadvertise = [\"10.0.0.1:7001\"]\nupstreams = [\"10.0.0.1:7002\"]\n",
        ),
        // Of another machine, which has one node, any port will be that node.
        (
            "b.toml",
            "token_file = \"t\"\nupstreams = [\"10.0.0.1:7009\"]\n",
        ),
    ]);
    let (code, report) = tree.report();
    assert_eq!(code, 3);
    assert_eq!(edges(&report), [("b", "a")]);
    assert_eq!(report["unknown_upstreams"], json!(["10.0.0.1:7002"]));
}

#[cfg(unix)]
#[test]
fn links_that_lead_round_in_circles_are_followed_once() {
    let tree = Tree::new(&[("cluster/a/config.yaml", "server: https://b:9345\n")]);
    // Followed again and again they would take for ever: 300 to the power of the depth.
    for link in 0..300 {
        let path = tree.path().join(format!("cluster/group/{link}"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(tree.path().join("cluster"), path).unwrap();
    }
    let (code, report) = tree.report_on(&["cluster"]);
    assert_eq!(code, 3);
    assert_eq!(report["hosts"], json!(["a"]));
    let warning = "cluster/group: holds no configuration of a host, so none was read from it";
    assert_eq!(report["warnings"], json!([warning]));
}
