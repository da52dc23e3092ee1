//! What the old behaviour costs, and what the new one costs, in the same run: three servers that
//! ask one another in a ring, as processes on loopback, over real HTTP.
//!
//! `cargo bench -p peerx --bench old_and_new [-- --seconds 10]` prints one Markdown table. The old
//! servers are a model ([`old`]); the new ones are `peerx run`. Both are asked by the same clients.
#![forbid(unsafe_code)]

mod clients;
mod cost;
#[path = "../../tests/agents/harness/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "another test binary's; a part is enough here"
)]
mod harness;
mod new;
mod old;

use clients::Asked;
use std::time::Duration;

/// Servers in the ring.
const SERVERS: usize = 3;
/// What the clients ask for.
const PATH: &str = "/v1-rke2/p2p";

/// What is compared.
#[derive(Clone, Copy)]
pub(crate) struct Scene {
    what: &'static str,
    /// Each server has an address of its own to give: a warm start. Otherwise all are empty.
    pub(crate) addresses: bool,
    /// Clients of each server, each asking again a second after its last answer.
    clients: usize,
}

const SCENES: [Scene; 3] = [
    Scene {
        what: "cold and empty, the server's own registry asks",
        addresses: false,
        clients: 1,
    },
    Scene {
        what: "each has an address, the server's own registry asks",
        addresses: true,
        clients: 1,
    },
    Scene {
        what: "each has an address, 30 nodes of each server ask",
        addresses: true,
        clients: 30,
    },
];

/// Servers of one kind that run: three processes.
pub(crate) trait Servers {
    /// The base URL of each.
    fn urls(&self) -> Vec<String>;
    fn processes(&self) -> Vec<u32>;
    /// Messages between servers so far, requests and answers alike.
    fn messages(&self) -> u64;
}

struct Row {
    asked: Asked,
    messages: u64,
    cpu: Duration,
}

fn measure(servers: &dyn Servers, scene: Scene, time: Duration) -> Row {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let cpu = || {
        servers
            .processes()
            .into_iter()
            .map(cost::cpu)
            .sum::<Duration>()
    };
    let (cpu_before, messages_before) = (cpu(), servers.messages());
    let asked = runtime.block_on(clients::ask(&servers.urls(), scene.clients, time));
    Row {
        asked,
        messages: servers.messages() - messages_before,
        cpu: cpu().saturating_sub(cpu_before),
    }
}

fn print(what: &str, row: &Row, time: Duration) {
    let seconds = time.as_secs_f64();
    let servers = SERVERS as f64;
    println!(
        "| {what} | {:.1} | {:.1} | {:.1} | {:.2} % | {:.1} ms |",
        row.asked.all as f64 / seconds / servers,
        row.asked.with_peers as f64 / seconds / servers,
        row.messages as f64 / seconds / servers,
        100.0 * row.cpu.as_secs_f64() / seconds / servers,
        1e3 * row.asked.slowest.as_secs_f64(),
    );
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == old::SERVE) {
        return old::serve(&args[1..]);
    }
    let given = args.iter().position(|arg| arg == "--seconds");
    let given = given.and_then(|at| args.get(at + 1)?.parse().ok());
    let time = Duration::from_secs(given.unwrap_or(10));
    println!(
        "{SERVERS} servers in a ring, {} s each row, per server:\n",
        time.as_secs()
    );
    println!(
        "| | asked a second | with peers | messages between servers a second | CPU, of a core | slowest answer |"
    );
    println!("|---|---|---|---|---|---|");
    for scene in SCENES {
        let old = old::start(scene);
        print(
            &format!("**old**: {}", scene.what),
            &measure(&old, scene, time),
            time,
        );
        drop(old);
        let new = new::start(scene);
        print(
            &format!("**new**: {}", scene.what),
            &measure(&new, scene, time),
            time,
        );
    }
}
