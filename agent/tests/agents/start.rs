//! Starting an agent: the least that it needs, and what it says when that is missing.

use super::harness::{Ended, Lab, Mark, all_know_all, peerx, private, start};

/// Refused, with what was wrong and what to do.
fn assert_refused(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.code, Some(2), "{}", ended.log);
    for part in parts {
        assert!(ended.log.contains(part), "{part:?} in {}", ended.log);
    }
    assert!(!ended.log.contains("panicked"), "{}", ended.log);
}

#[test]
fn a_token_and_an_upstream_are_enough() {
    let lab = Lab::new();
    let mut agent = lab.agent("smallest");
    for key in ["node_name", "listen", "admin", "state_dir", "local"] {
        agent.unset(key);
    }
    // Its ports are the usual ones, which are free in a network of its own.
    let alone = ["unshare", "--net", "sh", "-c"];
    let raised = "ip link set lo up && exec \"$0\" \"$@\"";
    if !super::harness::succeeds("unshare", &["--net", "true"]) {
        eprintln!("skipped: network namespaces are not permitted here");
        return;
    }
    agent.runner = alone
        .into_iter()
        .chain([raised])
        .map(str::to_owned)
        .collect();
    agent.ask(&["server2.invalid"]).spawn();
    for part in [
        "listening on quic://0.0.0.0:7651",
        "listening on tcp://0.0.0.0:7651",
        "upstream server2.invalid: the name does not resolve",
        "upstreams: /dns/server2.invalid/udp/7651/quic-v1",
        "others are told of an address once they see and reach this node there",
        "admin interface on http://127.0.0.1:7652",
    ] {
        agent.eventually_logs(Mark::default(), part);
    }
    assert!(agent.dir.join("state/node.key").exists());
    let ended = agent.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(agent.state().exists());
}

#[test]
fn without_a_token_it_says_how_to_make_one() {
    let lab = Lab::new();
    let mut agent = lab.agent("server1");
    let ended = agent.unset("token_file").run();
    let advice = [
        "peerx.toml",
        "`token_file`",
        "`peerx token > FILE`",
        "[authority]",
        "--insecure",
    ];
    assert_refused(&ended, &advice);
}

#[test]
fn a_token_that_is_none_is_named_with_its_file() {
    let lab = Lab::new();
    let mut agent = lab.agent("server1");
    let file = lab.path("weak");
    agent.set_text("token_file", &file.display().to_string());
    let shown = file.display().to_string();
    assert_refused(&agent.run(), &["`token_file`", &shown, "no such file"]);
    std::fs::write(&file, "secret\n").unwrap();
    assert_refused(&agent.run(), &["`token_file`", &shown, "128 random bits"]);
    std::fs::write(&file, [0xff; 40]).unwrap();
    assert_refused(&agent.run(), &["`token_file`", &shown]);
}

#[test]
fn a_token_that_everybody_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::new();
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(lab.token_file(), open).unwrap();
    let mut agent = lab.agent("server1");
    agent.start();
    agent.eventually_logs(Mark::default(), "chmod 600");
    agent.stop();
    private(&lab.token_file());
    let mark = agent.mark();
    agent.start();
    assert!(!agent.log_since(mark).contains("chmod 600"));
}

#[test]
fn insecure_is_loud_and_needs_no_token() {
    let lab = Lab::new();
    let mut pair = lab.ring(2);
    for agent in &mut pair {
        agent.unset("token_file").argument("--insecure");
    }
    start(&mut pair);
    for agent in &pair {
        let log = agent.log();
        assert!(
            log.contains("WARN") && log.contains("--insecure: EVERYBODY"),
            "{log}"
        );
    }
}

#[test]
fn a_state_directory_has_one_agent() {
    let lab = Lab::new();
    let mut first = lab.agent("first");
    first.start();
    let mut second = lab.agent("second");
    second.set_text("state_dir", &first.dir.join("state").display().to_string());
    assert_refused(
        &second.run(),
        &["another peerx uses the state directory", "`state_dir`"],
    );
    // The first has not noticed.
    assert_eq!(first.get("/healthz").unwrap().0, 200);
    // Not even a kill keeps it locked.
    first.kill();
    second.start();
}

#[test]
fn what_cannot_be_listened_on_is_named() {
    let lab = Lab::new();
    let mut first = lab.agent("first");
    first.start();
    let mut second = lab.agent("second");
    let taken = first.socket().to_string();
    second.set("listen", &format!("[\"{taken}\"]"));
    assert_refused(&second.run(), &["cannot listen on", &taken, "`listen`"]);
    let mut third = lab.agent("third");
    let taken = first.admin().replace("http://", "");
    third.set_text("admin", &taken);
    assert_refused(
        &third.run(),
        &["cannot listen on", &taken, "`admin`", "\"off\""],
    );
}

#[test]
fn a_broken_file_is_refused_with_the_line() {
    let lab = Lab::new();
    let mut agent = lab.agent("server1");
    // Keys are written in the order of the alphabet.
    agent.set("aupstreams", "[]");
    assert_refused(
        &agent.run(),
        &["peerx.toml:2: unknown key", "did you mean `upstreams`?"],
    );
    let none = peerx(&["run", "--config", "/does/not/exist.toml"]);
    assert_eq!(none.status.code(), Some(2));
    let said = String::from_utf8(none.stderr).unwrap();
    assert!(
        said.contains("/does/not/exist.toml") && said.contains("expected"),
        "{said}"
    );
}

#[test]
fn without_an_admin_interface_it_runs_as_well() {
    let lab = Lab::new();
    let mut pair = lab.ring(2);
    pair[1].set_text("admin", "off").spawn();
    pair[0].start();
    pair[0].eventually_knows(&["server2".to_owned()].into());
    pair[1].eventually_logs(Mark::default(), "peer server1");
    assert_eq!(pair[1].get("/healthz"), None);
    assert_eq!(pair[1].stop().code, Some(0));
}

#[test]
fn logs_may_be_json() {
    let lab = Lab::new();
    let mut pair = lab.ring(2);
    pair[0]
        .set_text("log.format", "json")
        .set_text("log.level", "debug");
    start(&mut pair);
    all_know_all(&pair);
    pair[0].eventually_logs(Mark::default(), "is known");
    for line in pair[0].log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(line["level"].is_string() && line["fields"]["message"].is_string());
    }
    assert!(pair[0].log().contains("DEBUG"));
    let mut agent = lab.agent("loud");
    assert_refused(
        &agent.set_text("log.level", "loud=loud").run(),
        &["`log.level`", "debug"],
    );
}
