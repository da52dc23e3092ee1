//! What an idle link costs: memory of the accepting process, for each of many links.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use peer_exchange::{Config, Driver, Identity, Instant, Multiaddr, Node, Signing};
use peer_exchange_tls::random_seed;
use tokio::time::sleep;

use crate::lab::{Kind, Plan, Running};

const UPSTREAM: &str = "PEER_EXCHANGE_IDLE_UPSTREAM";

/// For an example's `main`: so many links to this process from another one, and what each adds to
/// the resident memory of this one. Linux only.
///
/// # Panics
/// When something fails.
pub async fn measure<K: Kind>(links: usize) {
    let insecure = || Plan::new().member(peer_exchange_tls::Membership::insecure());
    if let Ok(upstream) = std::env::var(UPSTREAM) {
        let upstream: Multiaddr = upstream.parse().expect("an address");
        let mut handles = Vec::new();
        for _ in 0..links {
            handles.push(unannounced::<K>(&insecure().upstream(&upstream)));
            sleep(Duration::from_millis(2)).await;
        }
        std::future::pending::<()>().await;
    }
    let server: Running<K> = insecure().start();
    sleep(Duration::from_secs(1)).await;
    let before = resident();
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(std::env::args().skip(1))
        .env(UPSTREAM, server.address.to_string())
        .stdin(Stdio::null())
        .spawn()
        .expect("a second process");
    loop {
        sleep(Duration::from_secs(1)).await;
        if server.handle.links().await.expect("it runs").len() >= links {
            break;
        }
    }
    // What the handshakes needed is given back, and keep-alives pass.
    sleep(Duration::from_secs(20)).await;
    let after = resident();
    child.kill().expect("it runs");
    child.wait().expect("it ran");
    println!(
        "{links} links: {} KiB before, {} KiB after, {} bytes for each",
        before / 1024,
        after / 1024,
        after.saturating_sub(before) / links
    );
}

/// A node that only dials and announces nothing, so that no record adds to the measure.
fn unannounced<K: Kind>(plan: &Plan) -> peer_exchange::Handle {
    let transport = K::bind(plan).expect("a free port");
    let identity = Identity::new(plan.key.node()).with_seal(plan.key.seal());
    let mut config = Config::default();
    config.upstreams = plan.upstreams.clone();
    config.local = true;
    config.signing = Signing::Require;
    let seed = random_seed().expect("randomness");
    let node = Node::new(config, identity, seed, Instant::ZERO).expect("a configuration");
    Driver::new(node).with_transport(transport).spawn()
}

fn resident() -> usize {
    let status = std::fs::File::open("/proc/self/status").expect("Linux");
    let lines = BufReader::new(status).lines().map_while(Result::ok);
    let rss = lines.into_iter().find(|l| l.starts_with("VmRSS:"));
    let rss = rss.expect("a line of that name");
    let kib = rss
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse::<usize>().ok());
    kib.expect("a number") * 1024
}
