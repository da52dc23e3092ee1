//! Those who are no members: refused, counted, told nothing, while members go on.

use super::harness::{Agent, Lab, Mark, all_know_all, eventually, private, start};
use peer_exchange_scenarios::Authority;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

const TRANSPORTS: [&str; 2] = ["quic", "tcp"];

fn handshakes(agent: &Agent, transport: &str, outcome: &str) -> f64 {
    agent.metric(&format!(
        "handshakes_total{{transport=\"{transport}\",outcome=\"{outcome}\"}}"
    ))
}

fn refused(agent: &Agent, transport: &str) -> f64 {
    ["failed", "not_ours", "wrong_token"]
        .iter()
        .map(|o| handshakes(agent, transport, o))
        .sum()
}

/// Starts an outsider, which asks the first of these; waits until it has been refused.
fn assert_refused(members: &[Agent], mut outsider: Agent, transport: &str) -> f64 {
    let before = refused(&members[0], transport);
    outsider
        .ask(&[&format!("{transport}://{}", members[0].address())])
        .start();
    eventually("it is counted", || refused(&members[0], transport) > before);
    eventually("it says so", || {
        outsider.log().contains("cannot be reached")
    });
    assert!(outsider.peers().is_empty());
    assert_eq!(outsider.metric_sum("messages_total"), 0.0);
    all_know_all(members);
    refused(&members[0], transport) - before
}

#[test]
fn without_the_token_nobody_is_let_in() {
    let lab = Lab::new();
    let mut members = lab.ring(2);
    start(&mut members);
    let elsewhere = Lab::new();
    for transport in TRANSPORTS {
        let wrong = elsewhere.agent(&format!("wrong-{transport}"));
        assert_refused(&members, wrong, transport);
        assert!(handshakes(&members[0], transport, "wrong_token") > 0.0);
        let mut none = elsewhere.agent(&format!("none-{transport}"));
        none.unset("token_file").argument("--insecure");
        assert_refused(&members, none, transport);
        let mut certified = elsewhere.agent(&format!("certified-{transport}"));
        certify(&mut certified, &Authority::new());
        assert_refused(&members, certified, transport);
    }
    // What it has cost: the log is not flooded.
    let log = members[0].log();
    assert!(log.lines().count() < 30, "{log}");
}

/// Membership by a certificate of this authority.
fn certify(agent: &mut Agent, authority: &Authority) {
    certify_with(agent, authority, authority.member_pem());
}

fn certify_with(agent: &mut Agent, authority: &Authority, (key, certificate): (String, String)) {
    for (file, content) in [
        ("ca.pem", authority.pem()),
        ("node.pem", certificate),
        ("key.pem", key),
    ] {
        std::fs::write(agent.dir.join(file), content).unwrap();
    }
    private(&agent.dir.join("key.pem"));
    agent
        .unset("token_file")
        .set_text("authority.certificates", "ca.pem")
        .set_text("authority.certificate", "node.pem")
        .set_text("key_file", "key.pem");
}

#[test]
fn without_a_certificate_of_the_authority_nobody_is_let_in() {
    let lab = Lab::new();
    let authority = Authority::new();
    let mut members = lab.ring(2);
    for member in &mut members {
        certify(member, &authority);
    }
    start(&mut members);
    for transport in TRANSPORTS {
        let mut other = lab.agent(&format!("other-{transport}"));
        certify(&mut other, &Authority::new());
        assert_refused(&members, other, transport);
        let token = lab.agent(&format!("token-{transport}"));
        assert_refused(&members, token, transport);
    }
}

/// From the moment at which the list is read again, with no restart.
#[test]
fn a_revoked_certificate_is_refused_and_named() {
    let lab = Lab::new();
    let authority = Authority::new();
    let mut members = lab.ring(2);
    for member in &mut members {
        certify(member, &authority);
        let list = member.dir.join("revoked.pem");
        std::fs::write(list, authority.revocation_list(&[])).unwrap();
        member.set_text("authority.revocation_lists", "revoked.pem");
    }
    start(&mut members);
    let stolen = authority.numbered_member_pem(7);
    let mut thief = lab.agent("thief");
    certify_with(&mut thief, &authority, stolen.clone());
    thief.ask(&[&members[0].address()]).start();
    let id = thief.json("/v1/status")["node"].as_str().unwrap()[..8].to_owned();
    eventually("it is a member", || members[0].peers().contains("thief"));
    thief.stop();
    eventually("it has left", || !members[0].peers().contains("thief"));
    for member in &members {
        let list = member.dir.join("revoked.pem");
        std::fs::write(list, authority.revocation_list(&[7])).unwrap();
        let mark = member.mark();
        member.signal(Signal::HUP);
        member.eventually_logs(mark, "the configuration was read again");
        assert_eq!(member.lines(mark, &["restart"]), 0, "{}", member.log());
    }
    for transport in TRANSPORTS {
        let mut again = lab.agent(&format!("again-{transport}"));
        certify_with(&mut again, &authority, stolen.clone());
        assert_refused(&members, again, transport);
    }
    let line = format!("node {id} is refused: its certificate is in `authority.revocation_lists`");
    assert_eq!(
        members[0].lines(Mark::default(), &["WARN", &line]),
        1,
        "{}",
        members[0].log()
    );
}

#[test]
fn a_revocation_list_that_cannot_be_read_refuses_the_start() {
    let lab = Lab::new();
    let authority = Authority::new();
    let mut agent = lab.agent("server1");
    certify(&mut agent, &authority);
    let (_, certificate) = authority.member_pem();
    let broken = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
    for (content, said) in [
        (None, "no such file"),
        (Some(certificate.as_str()), "no revocation list in PEM"),
        (Some(broken), "revocation lists cannot be used"),
    ] {
        let list = agent.dir.join("revoked.pem");
        let _ = std::fs::remove_file(&list);
        if let Some(content) = content {
            std::fs::write(&list, content).unwrap();
        }
        agent.set_text("authority.revocation_lists", "revoked.pem");
        let ended = agent.run();
        assert_eq!(ended.code, Some(2), "{}", ended.log);
        assert!(ended.log.contains(said), "{said}: {}", ended.log);
    }
}

#[test]
fn a_certificate_of_another_key_is_refused_at_the_start() {
    let lab = Lab::new();
    let mut agent = lab.agent("server1");
    let authority = Authority::new();
    certify(&mut agent, &authority);
    let (key, _) = authority.member_pem();
    std::fs::write(agent.dir.join("key.pem"), key).unwrap();
    let ended = agent.run();
    assert_eq!(ended.code, Some(2), "{}", ended.log);
    assert!(ended.log.contains("not for its key"), "{}", ended.log);
    std::fs::remove_file(agent.dir.join("ca.pem")).unwrap();
    let ended = agent.run();
    assert_eq!(ended.code, Some(2), "{}", ended.log);
    assert!(
        ended.log.contains("ca.pem") && ended.log.contains("[authority]"),
        "{}",
        ended.log
    );
}

#[test]
fn plain_bytes_get_no_answer() {
    let lab = Lab::new();
    let mut members = lab.ring(2);
    start(&mut members);
    let before = refused(&members[0], "tcp");
    let mut stranger = TcpStream::connect(members[0].socket()).unwrap();
    stranger
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stranger
        .write_all(b"GET /v1/peers HTTP/1.0\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _ = stranger.read_to_end(&mut answer);
    // A TLS alert at most.
    assert!(answer.len() <= 7, "{answer:?}");
    eventually("it is counted", || refused(&members[0], "tcp") > before);

    let stranger = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    for garbage in [&b"hello"[..], &[0xff; 1200], &[0xc0; 1200], &[0x40; 40]] {
        stranger.send_to(garbage, members[0].socket()).unwrap();
    }
    all_know_all(&members);
    members[0].assert_runs();
    assert!(!members[0].log().contains("panicked"));
}

#[test]
fn whoever_does_not_finish_is_timed_out() {
    let lab = Lab::new();
    let mut members = lab.ring(2);
    start(&mut members);
    let mut silent = TcpStream::connect(members[0].socket()).unwrap();
    let hello = super::flood::client_hello();
    let mut partial = TcpStream::connect(members[0].socket()).unwrap();
    partial.write_all(&hello[..hello.len() / 2]).unwrap();
    let mut whole = TcpStream::connect(members[0].socket()).unwrap();
    whole.write_all(&hello).unwrap();
    eventually("all are counted", || {
        handshakes(&members[0], "tcp", "timed_out") >= 3.0
    });
    for stream in [&mut silent, &mut partial, &mut whole] {
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let mut answer = Vec::new();
        // The end has come, in whichever form: not the time-out.
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
    assert_eq!(members[0].metric("half_open{transport=\"tcp\"}"), 0.0);
    all_know_all(&members);
}
