//! Clients that do not read, do not ask, or do not go, by the hundred: probes are answered, and memory
//! stays what it was.

use super::{answer, crowd, say, status};
use crate::harness::{Agent, LIMIT, Lab, eventually};
use std::io::Read;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A full table: a page of ten megabytes.
const PEERS: u32 = 16_000;

/// An agent of which `/v1/peers` is more than any socket takes.
fn crowded(lab: &Lab) -> Agent {
    let mut agent = lab.agent("crowded");
    crowd::gathers(&mut agent, PEERS);
    agent.start();
    agent
}

/// Memory in bytes: `VmRSS`, or `VmHWM` for the most that it was.
fn memory(agent: &Agent, which: &str) -> u64 {
    let pid = agent.pid().as_raw_nonzero();
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(which));
    let kb = line.unwrap().trim_start_matches(':').trim();
    kb.trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

fn request(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n")
}

fn refused(agent: &Agent, reason: &str) -> f64 {
    agent.metric(&format!("admin_refused_total{{reason=\"{reason}\"}}"))
}

#[test]
fn probes_are_answered_beside_256_unread_pages_and_300_slow_heads() {
    let lab = Lab::new();
    let agent = crowded(&lab);
    let before = memory(&agent, "VmRSS");
    let page = agent.get("/v1/peers").unwrap().1.len();
    let mut held: Vec<TcpStream> = Vec::new();
    let mut took = Vec::new();
    let mut probe = || {
        for path in ["/healthz", "/readyz"] {
            let begun = Instant::now();
            let (head, _) = answer(&agent, &request(path, "Connection: close\r\n"));
            assert!(matches!(status(&head), 200 | 503), "{head}");
            took.push(begun.elapsed());
        }
    };
    let slow = format!("GET / HTTP/1.1\r\nX-Slow: {}", "x".repeat(8_000));
    for wave in 0..3 {
        for batch in 0..16 {
            held.extend((0..16).map(|_| say(&agent, &request("/v1/peers", ""))));
            probe();
            // Those of the first wave ask for pages of sixteen moments, each with bytes of its own.
            if wave == 0 && batch < 15 {
                sleep(Duration::from_millis(1_050));
            }
        }
        held.extend((0..300).map(|_| say(&agent, &slow)));
        probe();
    }
    let peak = memory(&agent, "VmHWM");
    // As a probe of Kubernetes has it by default, and the answer of who waits in vain. On a machine that
    // is busy with other work a few may take longer.
    let late = took.iter().filter(|took| **took >= Duration::from_secs(1));
    let (late, longest) = (late.count(), took.iter().max().unwrap());
    eprintln!(
        "{} connections held; a page has {:.1} MB; of {} probes {late} took more than a second, one {longest:?}; memory {:.1} MB before, {:.1} MB at most",
        held.len(),
        page as f64 / 1e6,
        took.len(),
        before as f64 / 1e6,
        peak as f64 / 1e6,
    );
    assert!(peak < 100_000_000, "{peak} bytes");
    assert!(late <= took.len() / 20, "{late} of {}", took.len());
    drop(held);
    eventually("it answers as before", || {
        agent
            .get("/v1/peers")
            .is_some_and(|(status, _)| status == 200)
    });
    assert!(refused(&agent, "busy") > 0.0 && refused(&agent, "crowded") > 0.0);
}

#[test]
fn two_large_answers_at_a_time_and_who_does_not_read_is_cut_off() {
    let lab = Lab::new();
    let agent = crowded(&lab);
    let whole = agent.get("/v1/peers").unwrap().1.len();
    let mut unread = [0, 1].map(|_| say(&agent, &request("/v1/peers", "")));
    eventually("a third is told to come again", || {
        let (head, body) = answer(&agent, &request("/v1/peers", "Connection: close\r\n"));
        let busy = status(&head) == 503;
        assert_eq!(busy, head.contains("retry-after: 1"), "{head}");
        assert_eq!(busy, body.contains("?limit="));
        busy
    });
    // Nobody else waits for them.
    for path in ["/v1/peers?limit=20", "/metrics", "/v1/status", "/healthz"] {
        let (head, _) = answer(&agent, &request(path, "Connection: close\r\n"));
        assert_eq!(status(&head), 200, "{path}: {head}");
    }
    eventually("the two are cut off", || refused(&agent, "unread") == 2.0);
    for stream in &mut unread {
        let mut taken = Vec::new();
        // What was in the sockets' buffers, and then its end, in whatever way.
        let _ = stream.read_to_end(&mut taken);
        assert!(taken.len() < whole, "{} of {whole} bytes", taken.len());
    }
    assert_eq!(agent.get("/v1/peers").unwrap().0, 200);
}

#[test]
fn a_head_that_does_not_end_and_a_connection_that_is_idle_are_closed() {
    let lab = Lab::new();
    let mut agent = lab.agent("patient");
    agent.start();
    let mut slow = say(&agent, "GET /healthz HTTP/1.1\r\nHost: a\r\n");
    let mut idle = say(&agent, &request("/healthz", ""));
    for stream in [&mut slow, &mut idle] {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it is closed");
    }
    // What is too long for a head is told so.
    let long = request("/healthz", &format!("X-Long: {}\r\n", "x".repeat(20_000)));
    let mut text = String::new();
    let _ = say(&agent, &long).read_to_string(&mut text);
    assert!(text.starts_with("HTTP/1.1 431 "), "{text:?}");
}
