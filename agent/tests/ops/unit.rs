//! `deploy/peerx.service`: what matters of it, and what systemd says of it.

use crate::{read, tools};
use std::collections::BTreeMap;
use std::process::Command;

/// Exposure that `systemd-analyze security` may report at most, of 100; the unit has 11.
const EXPOSURE: u32 = 20;

fn directives() -> BTreeMap<String, Vec<String>> {
    let mut directives = BTreeMap::<_, Vec<_>>::new();
    for line in read("deploy/peerx.service").lines() {
        if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            directives
                .entry(key.to_owned())
                .or_default()
                .push(value.to_owned());
        }
    }
    directives
}

#[test]
fn the_unit_gives_the_agent_what_it_needs_and_no_more() {
    let directives = directives();
    for (key, value) in [
        ("DynamicUser", "yes"),
        // The agent keeps its state in $STATE_DIRECTORY.
        ("StateDirectory", "peerx"),
        ("ProtectSystem", "strict"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        // The exit code of a bad configuration.
        ("RestartPreventExitStatus", "2"),
        ("LoadCredential", "token:/etc/peerx/token"),
    ] {
        assert_eq!(directives[key], [value], "{key}");
    }
    let start = &directives["ExecStart"][0];
    assert!(start.starts_with("/usr/bin/peerx run --config "), "{start}");
    let families = &directives["RestrictAddressFamilies"][0];
    assert!(families.contains("AF_INET AF_INET6"), "{families}");
}

/// With the built command in the place of the installed one, which has to exist for systemd.
#[test]
fn systemd_agrees() {
    let dir = tempfile::tempdir().expect("a directory");
    let unit = dir.path().join("peerx.service");
    let text = read("deploy/peerx.service").replace("/usr/bin/peerx", env!("CARGO_BIN_EXE_peerx"));
    std::fs::write(&unit, text).expect("a file");
    let mut verify = Command::new("systemd-analyze");
    let Some(output) = tools::run(verify.args(["verify", "--man=no"]).arg(&unit)) else {
        return;
    };
    let said = tools::expect_success(&output);
    assert!(!said.contains("peerx.service"), "{said}");

    let mut security = Command::new("systemd-analyze");
    security
        .args(["security", "--offline=true", "--no-pager"])
        .arg(format!("--threshold={EXPOSURE}"))
        .arg(&unit);
    if let Some(output) = tools::run(&mut security) {
        let said = tools::expect_success(&output);
        let last = said.lines().rfind(|line| line.contains("exposure"));
        eprintln!("{}", last.unwrap_or(&said));
    }
}
