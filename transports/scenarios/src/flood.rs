//! Connections that come in great number and say nothing, while a member joins.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::{Kind, Plan, Running, eventually};

/// It sends so much every second, on a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct Flood {
    rate: u64,
    sent: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    /// Calls `send` so often a second; `false` ends it.
    pub fn start(rate: u64, mut send: impl FnMut() -> bool + Send + 'static) -> Self {
        let (sent, over) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (count, ended) = (sent.clone(), over.clone());
        let thread = thread::spawn(move || {
            let begun = Instant::now();
            while !ended.load(Ordering::Relaxed) {
                // Where the machine is slow it catches up.
                let due = begun.elapsed().as_millis() as u64 * rate / 1000;
                while count.load(Ordering::Relaxed) < due {
                    if !send() {
                        return;
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        Self {
            rate,
            sent,
            over,
            thread: Some(thread),
        }
    }

    /// How much of it has been sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether it is not over.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.thread.as_ref().is_some_and(|t| !t.is_finished())
    }

    /// Time, as this flood shows it: how many of its seconds have been sent. It goes as slowly as the
    /// machine.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.sent() as f64 / self.rate as f64
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Connections that stay open at this end before the oldest is closed: for longer than a second, which
/// is what a listener gives them, and few enough for several floods in one process.
const HELD: usize = 4_000;

/// Where a flood comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The network in which the members are.
    Here,
    /// Thousands of networks. Everything in 127.0.0.0/8 is this machine, on Linux.
    Everywhere,
}

impl From {
    fn address(self, nth: usize) -> Ipv4Addr {
        let [.., high, low] = (nth as u32).to_be_bytes();
        match self {
            Self::Here => Ipv4Addr::LOCALHOST,
            Self::Everywhere => Ipv4Addr::new(127, 1 + high % 200, low, 1),
        }
    }
}

/// Opens one TCP connection with each call, which says nothing, and closes those from long ago.
pub fn silent_tcp(to: SocketAddr, from: From) -> impl FnMut() -> bool + Send + 'static {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).expect("up to the hard limit");
    let mut held = VecDeque::new();
    let mut nth = 0;
    move || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP));
        let socket = socket.expect("a socket");
        socket.set_nonblocking(true).expect("an option");
        let source = SocketAddr::from((from.address(nth), 0));
        nth += 1;
        // Without a port left there is one less.
        if socket.bind(&source.into()).is_ok() {
            // It is under way.
            let _ = socket.connect(&to.into());
            held.push_back(socket);
        }
        if held.len() > HELD {
            held.pop_front();
        }
        true
    }
}

/// Lets a member join in the midst of it, who has to be linked and known before the flood has gone on
/// for three of its seconds. How long it took, in these.
///
/// # Panics
/// When it takes longer.
pub async fn joins<K: Kind>(target: &Running<K>, flood: &Flood) -> f64 {
    // By then whatever lets them wait for their turn has as many as it takes.
    eventually("the flood has turned some away", async || {
        flood.seconds() > 3.0 && target.stats().turned_away > 0
    })
    .await;
    let begun = flood.seconds();
    let member = Plan::new().upstream(&target.address).start::<K>();
    target.knows(&[member.node]).await;
    let took = flood.seconds() - begun;
    assert!(flood.goes_on(), "it ended first");
    assert!(took < 3.0, "{took:.1} s of the flood: {:?}", target.stats());
    took
}
