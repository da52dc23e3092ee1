//! A relay in front of an agent, over UDP and TCP, with faults drawn from a seed.

use super::loopback;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::Runtime;
use tokio::time::sleep;

/// What happens to what passes, in percent of the datagrams; over TCP only the delay.
#[derive(Clone, Copy)]
pub(crate) struct Faults {
    /// Up to so much, each its own: so some overtake others.
    pub(crate) delay_ms: u64,
    pub(crate) duplicated: u64,
    pub(crate) lost: u64,
}

/// What has happened.
#[derive(Debug)]
pub(crate) struct Happened {
    pub(crate) passed: u64,
    pub(crate) reordered: u64,
    pub(crate) duplicated: u64,
    pub(crate) lost: u64,
}

#[derive(Default)]
struct Counters {
    passed: AtomicU64,
    reordered: AtomicU64,
    duplicated: AtomicU64,
    lost: AtomicU64,
}

/// Relays, which end when dropped.
pub(crate) struct Relays {
    runtime: Runtime,
    seed: u64,
    faults: Faults,
    counters: Arc<Counters>,
    flows: Arc<AtomicU64>,
}

/// Draws of one direction of one flow.
struct Fate {
    state: u64,
    faults: Faults,
    counters: Arc<Counters>,
    taken: u64,
    /// The latest that was sent on, of those taken.
    latest: Arc<AtomicU64>,
}

impl Relays {
    /// With a seed from the environment, or a new one. It is printed, for who sees the test fail.
    pub(crate) fn new(faults: Faults, test: &str) -> Self {
        let seed = match std::env::var("PEER_EXCHANGE_SEED") {
            Ok(seed) => seed.parse().expect("PEER_EXCHANGE_SEED is a number"),
            Err(_) => u64::from(std::process::id()),
        };
        eprintln!("PEER_EXCHANGE_SEED={seed} cargo test -p peerx --test agents {test}");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        Self {
            runtime: runtime.unwrap(),
            seed,
            faults,
            counters: Arc::default(),
            flows: Arc::default(),
        }
    }

    /// The address of a new relay that leads to this one.
    pub(crate) fn before(&self, target: SocketAddr) -> SocketAddr {
        self.balance(vec![target])
    }

    /// The address of a balancer: each connection over TCP, and each source of datagrams, is led to
    /// the next of these.
    pub(crate) fn balance(&self, targets: Vec<SocketAddr>) -> SocketAddr {
        let ip = loopback::next();
        let at = SocketAddr::from((ip, loopback::PORT));
        let (udp, tcp) = self.runtime.block_on(async {
            (
                UdpSocket::bind(at).await.unwrap(),
                TcpListener::bind(at).await.unwrap(),
            )
        });
        let draws = Draws {
            seed: self.seed,
            faults: self.faults,
            counters: Arc::clone(&self.counters),
            flows: Arc::clone(&self.flows),
        };
        self.runtime
            .spawn(relay_udp(Arc::new(udp), ip, targets.clone(), draws.clone()));
        self.runtime.spawn(relay_tcp(tcp, targets, draws));
        at
    }

    pub(crate) fn happened(&self) -> Happened {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Happened {
            passed: read(&self.counters.passed),
            reordered: read(&self.counters.reordered),
            duplicated: read(&self.counters.duplicated),
            lost: read(&self.counters.lost),
        }
    }
}

/// What a relay needs to draw the fates of its flows.
#[derive(Clone)]
struct Draws {
    seed: u64,
    faults: Faults,
    counters: Arc<Counters>,
    flows: Arc<AtomicU64>,
}

impl Draws {
    fn fate(&self) -> Fate {
        let flow = self.flows.fetch_add(1, Ordering::Relaxed);
        Fate {
            state: self.seed.wrapping_add(flow << 32),
            faults: self.faults,
            counters: Arc::clone(&self.counters),
            taken: 0,
            latest: Arc::default(),
        }
    }
}

impl Fate {
    /// splitmix64 (Steele, Lea, Flood 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn delay(&mut self) -> Duration {
        Duration::from_micros(self.next() % (self.faults.delay_ms * 1_000 + 1))
    }

    fn happens(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    /// When copies of the next datagram are to be sent: never, once, or twice.
    fn copies(&mut self) -> Vec<Duration> {
        if self.happens(self.faults.lost) {
            self.counters.lost.fetch_add(1, Ordering::Relaxed);
            return Vec::new();
        }
        let mut copies = vec![self.delay()];
        if self.happens(self.faults.duplicated) {
            self.counters.duplicated.fetch_add(1, Ordering::Relaxed);
            copies.push(self.delay());
        }
        copies
    }

    /// Sends a datagram on, as often and as late as it is drawn.
    fn pass(&mut self, datagram: &[u8], through: &Arc<UdpSocket>, to: SocketAddr) {
        self.taken += 1;
        for delay in self.copies() {
            let (bytes, through) = (datagram.to_vec(), Arc::clone(through));
            let (counters, latest) = (Arc::clone(&self.counters), Arc::clone(&self.latest));
            let number = self.taken;
            tokio::spawn(async move {
                sleep(delay).await;
                counters.passed.fetch_add(1, Ordering::Relaxed);
                if latest.fetch_max(number, Ordering::Relaxed) > number {
                    counters.reordered.fetch_add(1, Ordering::Relaxed);
                }
                // What nobody takes is lost, as it is elsewhere.
                let _ = through.send_to(&bytes, to).await;
            });
        }
    }
}

async fn relay_udp(front: Arc<UdpSocket>, ip: Ipv4Addr, targets: Vec<SocketAddr>, draws: Draws) {
    let mut flows: HashMap<SocketAddr, (Arc<UdpSocket>, SocketAddr, Fate)> = HashMap::new();
    let mut turns = targets.into_iter().cycle();
    let mut buffer = vec![0; 65_536];
    loop {
        let Ok((n, from)) = front.recv_from(&mut buffer).await else {
            continue;
        };
        let (back, target, fate) = match flows.entry(from) {
            Entry::Occupied(flow) => flow.into_mut(),
            Entry::Vacant(new) => {
                let back = Arc::new(UdpSocket::bind((ip, 0)).await.unwrap());
                let answers = answers(Arc::clone(&back), Arc::clone(&front), from, draws.fate());
                tokio::spawn(answers);
                let Some(target) = turns.next() else { continue };
                new.insert((back, target, draws.fate()))
            }
        };
        fate.pass(&buffer[..n], back, *target);
    }
}

async fn answers(back: Arc<UdpSocket>, front: Arc<UdpSocket>, to: SocketAddr, mut fate: Fate) {
    let mut buffer = vec![0; 65_536];
    loop {
        if let Ok((n, _)) = back.recv_from(&mut buffer).await {
            fate.pass(&buffer[..n], &front, to);
        }
    }
}

async fn relay_tcp(front: TcpListener, targets: Vec<SocketAddr>, draws: Draws) {
    let mut turns = targets.into_iter().cycle();
    while let Ok((client, _)) = front.accept().await {
        let Some(target) = turns.next() else { continue };
        // While the agent is not there, the client sees its connection end.
        let Ok(server) = TcpStream::connect(target).await else {
            continue;
        };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::spawn(pump(from_client, to_server, draws.fate()));
        tokio::spawn(pump(from_server, to_client, draws.fate()));
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut fate: Fate,
) {
    let mut buffer = vec![0; 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        sleep(fate.delay()).await;
        fate.counters.passed.fetch_add(1, Ordering::Relaxed);
        if to.write_all(&buffer[..n]).await.is_err() {
            break;
        }
    }
}
