//! One key on two machines.

use super::harness::{Agent, Lab, Mark, eventually};
use std::fs;
use std::thread::sleep;
use std::time::Duration;

#[test]
fn a_copied_key_is_reported_and_nothing_storms() {
    let lab = Lab::new();
    let mut hub = lab.agent("hub");
    hub.impatient().start();
    let mut twins = ["one", "two"].map(|name| lab.agent(name));
    for twin in &mut twins {
        twin.impatient().ask(&[&hub.address()]);
    }
    twins[0].start();
    let state = twins[1].dir.join("state");
    fs::create_dir(&state).unwrap();
    fs::copy(twins[0].dir.join("state/node.key"), state.join("node.key")).unwrap();
    twins[1].start();
    let node = twins[0].json("/v1/status")["node"].clone();
    assert_eq!(twins[1].json("/v1/status")["node"], node);
    // By the one that is behind when both have raised their versions three times (R6).
    let line = "another node announces itself under this node's key";
    eventually("one of them says so", || {
        twins
            .iter()
            .any(|twin| twin.lines(Mark::default(), &[line]) > 0)
    });
    assert!(
        twins
            .iter()
            .any(|t| t.log().contains("node.key copied to another machine?"))
    );
    // Time for a storm, if there is to be one.
    let seen = |hub: &Agent| {
        let links = hub.metric("handshakes_total{transport=\"quic\",outcome=\"accepted\"}");
        (hub.metric_sum("messages_total"), links)
    };
    let before = seen(&hub);
    sleep(Duration::from_secs(5));
    let after = seen(&hub);
    let (messages, links) = (after.0 - before.0, after.1 - before.1);
    eprintln!(
        "two nodes of one key, in 5 s at the node they ask: {messages} messages, {links} links"
    );
    for twin in &twins {
        // Three bumps at once, then one in ten minutes (R6).
        let recoveries = twin.metric("recoveries_total");
        let periods = twin.metric("uptime_seconds") / 600.0;
        assert!(
            recoveries <= 4.0 + periods,
            "{recoveries} versions in {periods} periods"
        );
        // A lasting condition is a line (R6), and so is a connection that comes and goes.
        assert!(twin.lines(Mark::default(), &["under this node's key"]) <= 1);
        assert!(twin.lines(Mark::default(), &["no connection to upstream"]) <= 2);
    }
    // One takes the other's place (R23) no faster than a first backoff (R17), and together they say
    // no more than one node may (R18): 50 messages a second, and as many answers.
    assert!(links <= 100.0, "{links}");
    assert!(messages <= 1_000.0, "{messages}");
    eventually("one of them is known", || hub.peers().len() == 1);
    // With one of them gone, all is well.
    twins[1].kill();
    eventually("the other is connected", || {
        let peer = &hub.json("/v1/peers")["peers"][0];
        peer["linked"] == true
    });
}
