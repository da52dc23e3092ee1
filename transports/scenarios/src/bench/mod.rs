//! Exchanges over loopback, beside the bare transport that moves the same messages in the same run.
//! Each end has a thread and a runtime of its own, as two processes would.

mod bare;
mod script;

use std::io::Write;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use peer_exchange::{Config, Identity, Multiaddr, NodeId, Notice, Signing};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::lab::{Kind, Plan, Running, eventually, until};
use crate::volume::large_table;

pub use self::bare::Bare;
use self::bare::Peer;
use self::script::Script;

/// Known to the server: several messages full.
const RECORDS: u16 = 2_000;
const TRANSFERS: usize = 15;
const ROUNDS: usize = 400;
/// In the replay, one after the other.
const ROUND: u64 = 2;
/// Before each round both ends are asleep.
const PAUSE: Duration = Duration::from_millis(1);

/// For a bench's `main`: prints medians, and their ratio.
///
/// # Panics
/// When something fails.
pub fn compare<K: Kind, B: Bare>(name: &str) {
    let snapshot = table_of(NodeId::new([9; 32]));
    let script = Script::record(&snapshot, RECORDS);
    let runtime = runtime();
    let server = serve::<K>();
    let mut lines = Vec::new();
    runtime.block_on(async {
        let (mut ours, mut plain, mut alone) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TRANSFERS {
            ours.push(transfer::<K>(&server.address).await);
            // Over a new connection too: how much may be under way grows with its age.
            let mut fresh = Peer::connect::<B>().await;
            plain.push(fresh.replay(&script.transfer).await);
            // Its end takes no time from what is measured next.
            drop(fresh);
            sleep(PAUSE * 20).await;
            alone.push(Script::record(&snapshot, RECORDS).took);
        }
        let title = format!(
            "{RECORDS} records to a node that knows none: {} messages, {} bytes",
            script.transfer.len(),
            script.transfer.iter().map(|m| m.bytes).sum::<usize>()
        );
        lines.push(Line::new(title, ours, plain, Some(alone)));
        let ours = exchanges::<K>(&server.address).await;
        let mut plain = Vec::new();
        let mut bare = Peer::connect::<B>().await;
        let round = script.exchange.repeat(ROUND as usize);
        for _ in 0..ROUNDS {
            plain.push(bare.replay(&round).await / ROUND as u32);
        }
        let sizes: Vec<_> = script
            .exchange
            .iter()
            .map(|m| m.bytes.to_string())
            .collect();
        let title = format!(
            "one exchange without news, asked for (Discover): {} bytes",
            sizes.join(" and ")
        );
        lines.push(Line::new(title, ours, plain, None));
    });
    let mut out = std::io::stdout().lock();
    for line in lines {
        line.print(name, &mut out).expect("standard output");
    }
}

/// Medians of both, and of the two state machines without a transport.
struct Line {
    title: String,
    ours: Duration,
    bare: Duration,
    alone: Option<Duration>,
}

impl Line {
    fn new(
        title: String,
        ours: Vec<Duration>,
        bare: Vec<Duration>,
        alone: Option<Vec<Duration>>,
    ) -> Self {
        Self {
            title,
            ours: median(ours),
            bare: median(bare),
            alone: alone.map(median),
        }
    }

    fn print(&self, name: &str, out: &mut impl Write) -> std::io::Result<()> {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let ratio = micros(self.ours) / micros(self.bare);
        writeln!(out, "{}", self.title)?;
        writeln!(
            out,
            "  nodes over {name:<12} {:>10.1} µs",
            micros(self.ours)
        )?;
        writeln!(
            out,
            "  {name} alone{:<11} {:>10.1} µs",
            "",
            micros(self.bare)
        )?;
        if let Some(alone) = self.alone {
            writeln!(out, "  nodes alone{:<12} {:>10.1} µs", "", micros(alone))?;
        }
        writeln!(out, "  ratio to {name} alone   {ratio:>10.2}")
    }
}

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples[samples.len() / 2]
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn table_of(node: NodeId) -> Vec<u8> {
    large_table(Identity::new(node), RECORDS, &[], Signing::Off)
}

fn config() -> Config {
    let mut config = Config::default();
    config.local = true;
    config.start_jitter = Duration::ZERO;
    // The others of the table are nowhere: they would be looked for, and found to be down.
    config.detection = None;
    config.messages_per_second = 100_000;
    config.bytes_per_second = 1 << 30;
    config
}

/// A server that knows all the records, until it is dropped.
struct Server {
    address: Multiaddr,
    _stop: oneshot::Sender<()>,
}

fn serve<K: Kind>() -> Server {
    let (started, address) = mpsc::channel();
    let (stop, stopped) = oneshot::channel();
    thread::spawn(move || {
        runtime().block_on(async {
            let mut plan = Plan::new().with(config());
            plan.snapshot = Some(table_of(plan.key.node()));
            let server: Running<K> = plan.start();
            started.send(server.address.clone()).expect("it waits");
            let _ = stopped.await;
        });
    });
    Server {
        address: address.recv().expect("the server starts"),
        _stop: stop,
    }
}

/// From the link to the last record.
async fn transfer<K: Kind>(server: &Multiaddr) -> Duration {
    let mut client: Running<K> = Plan::new().with(config()).upstream(server).start();
    client
        .notice(|n| matches!(n, Notice::LinkUp { .. }).then_some(()))
        .await;
    let started = Instant::now();
    let all = usize::from(RECORDS) + 1;
    let receive = async {
        // A notice for each peer; the table is looked at when enough of them have come.
        let mut told = 0;
        while told < all || client.handle.read(|node| node.peer_count()).await != Ok(all) {
            told += match client.notices.next().await.expect("it runs") {
                Notice::Missed(notices) => notices as usize,
                _ => 1,
            };
        }
    };
    until("the transfer", receive).await;
    let time = started.elapsed();
    client.handle.leave().await;
    time
}

/// Round trips as the node itself measures them, a mean for each round.
async fn exchanges<K: Kind>(server: &Multiaddr) -> Vec<Duration> {
    let mut config = config();
    config.burst = 1_000;
    let client: Running<K> = Plan::new().with(config).upstream(server).start();
    let all = usize::from(RECORDS) + 1;
    let known = async || client.handle.read(|node| node.peer_count()).await == Ok(all);
    eventually("all is known", known).await;
    let measured = async || {
        let read = client.handle.read(|node| {
            let mean = node.links().next().and_then(|l| l.round_trip);
            (node.stats().responses_received, mean)
        });
        read.await.expect("it runs")
    };
    let mut times = Vec::new();
    let gather = async {
        while times.len() < ROUNDS {
            let (before, mean) = measured().await;
            sleep(PAUSE).await;
            client.handle.discover().await.expect("it runs");
            let (after, next) = loop {
                sleep(PAUSE).await;
                let now = measured().await;
                if now.0 > before {
                    break now;
                }
            };
            // The link keeps a mean in which the newest counts an eighth: this takes out what it
            // was before.
            let many = after - before;
            if let (Some(mean), Some(next)) = (mean, next) {
                let old = 0.875_f64.powi(many as i32);
                let sum = next.as_secs_f64() - mean.as_secs_f64() * old;
                times.push(Duration::from_secs_f64((sum / (1.0 - old)).max(0.0)));
            }
        }
    };
    until("the exchanges", gather).await;
    client.handle.leave().await;
    times
}
