//! Ten thousand connections that never finish, over TCP and over QUIC, while members go on.

use super::harness::{Agent, Lab, eventually, start};
use peer_exchange_tls::rustls::ClientConnection;
use peer_exchange_tls::{Membership, NodeKey, Tls};
use quinn::crypto::rustls::QuicClientConfig;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Over each transport.
const CONNECTIONS: usize = 10_000;
/// Open at once.
const WAVE: usize = 1_000;
/// The agent's room for half-open connections, by default.
const ROOM: f64 = 256.0;
/// Nobody waits longer for a connection, when the queue is full.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn tls() -> Tls {
    let key = NodeKey::generate().unwrap();
    Tls::new(&key, &Membership::insecure()).unwrap()
}

/// The first message of a TLS client.
pub(super) fn client_hello() -> Vec<u8> {
    let mut client = ClientConnection::new(tls().client(), Tls::server_name()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

#[test]
fn ten_thousand_half_open_connections_over_tcp_keep_no_member_out() {
    flood("tcp", |target| Box::pin(over_tcp(target)));
}

#[test]
fn ten_thousand_half_open_connections_over_quic_keep_no_member_out() {
    flood("quic", |target| Box::pin(over_quic(target, Then::Silence)));
}

#[test]
fn ten_thousand_connections_over_quic_that_end_at_once_keep_no_member_out() {
    flood("quic", |target| Box::pin(over_quic(target, Then::Close)));
}

type Sending = Pin<Box<dyn Future<Output = usize> + Send>>;

/// Floods an agent over one transport, while a newcomer joins over each.
fn flood(transport: &str, send: fn(SocketAddr) -> Sending) {
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();

    let lab = Lab::new();
    let mut members = lab.ring(2);
    start(&mut members);
    let before = Cost::of(&members[0]);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let sending = runtime.spawn(send(members[0].socket()));
    // In the midst of it.
    let mut newcomers = Vec::new();
    for transport in ["quic", "tcp"] {
        let mut newcomer = lab.agent(transport);
        let address = format!("{transport}://{}", members[0].address());
        newcomer
            .set("transports", &format!("[{transport:?}]"))
            .ask(&[&address])
            .spawn();
        newcomers.push(newcomer);
    }
    let half_open = format!("half_open{{transport=\"{transport}\"}}");
    let mut most = 0.0_f64;
    eventually("the newcomers are in, and the flood is over", || {
        let peers = members[0].json("/v1/peers");
        let peers = peers["peers"].as_array().unwrap();
        let linked = |name: &str| {
            peers
                .iter()
                .any(|p| p["name"] == name && p["linked"] == true)
        };
        assert!(linked("server2"), "a member has lost its link");
        most = most.max(members[0].metric(&half_open));
        linked("quic") && linked("tcp") && sending.is_finished()
    });
    let sent = runtime.block_on(sending).unwrap();
    assert!(sent >= CONNECTIONS * 9 / 10, "{sent} were opened");
    // They were there, and no more than there is room for.
    assert!(0.0 < most && most <= ROOM, "{most} half-open");
    for newcomer in &newcomers {
        eventually("a newcomer knows all", || newcomer.peers().len() == 3);
    }
    // Those that still waited to be accepted come after the last that is half-open.
    eventually("nothing of it is left", || {
        members[0].metric(&half_open) == 0.0 && open_files(&members[0]) <= before.files + NEWCOMERS
    });
    assert_bounded(&members[0], transport, &before);
}

/// Files that may be open for the newcomers, which have a link each.
const NEWCOMERS: usize = 10;

/// What an agent has used so far.
#[derive(Debug)]
struct Cost {
    rss: f64,
    cpu: f64,
    files: usize,
}

impl Cost {
    fn of(agent: &Agent) -> Self {
        Self {
            rss: agent.metric("resident_memory_bytes"),
            cpu: agent.metric("cpu_seconds_total"),
            files: open_files(agent),
        }
    }
}

fn open_files(agent: &Agent) -> usize {
    let pid = agent.pid().as_raw_nonzero();
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .count()
}

fn assert_bounded(agent: &Agent, transport: &str, before: &Cost) {
    let after = Cost::of(agent);
    let outcomes = ["accepted", "turned_away", "timed_out", "failed", "not_ours"].map(|outcome| {
        let labels = format!("transport=\"{transport}\",outcome=\"{outcome}\"");
        (
            outcome,
            agent.metric(&format!("handshakes_total{{{labels}}}")),
        )
    });
    eprintln!(
        "the flood over {transport}: {outcomes:?}; memory {:+.1} MB, files {:+}, CPU {:.2} s",
        (after.rss - before.rss) / 1e6,
        after.files as i64 - before.files as i64,
        after.cpu - before.cpu,
    );
    // They are counted, all but those which QUIC refuses by itself.
    let counted: f64 = outcomes.iter().map(|(_, n)| n).sum();
    assert!(counted > CONNECTIONS as f64 / 2.0, "{outcomes:?}");
    // 256 handshakes at once, at some tens of kB each, and what the allocator keeps.
    assert!(after.rss - before.rss < 64e6, "{before:?} {after:?}");
    // CPU time, not time: a handshake that does not finish costs less than 5 ms of it.
    let each = (after.cpu - before.cpu) / CONNECTIONS as f64;
    assert!(each < 0.005, "{each} s a connection");
    agent.get("/healthz").expect("it answers");
}

/// How many were open.
async fn over_tcp(target: SocketAddr) -> usize {
    let hello: Arc<[u8]> = client_hello().into();
    let opened = Arc::new(AtomicUsize::new(0));
    for _ in 0..CONNECTIONS / WAVE {
        let mut wave = JoinSet::new();
        for i in 0..WAVE {
            let (hello, opened) = (Arc::clone(&hello), Arc::clone(&opened));
            wave.spawn(async move {
                let stream = timeout(PATIENCE, TcpStream::connect(target)).await;
                let mut stream = stream.ok()?.ok()?;
                opened.fetch_add(1, Ordering::Relaxed);
                // Nothing, a part, all of it.
                let part = hello.len() * (i % 3) / 2;
                stream.write_all(&hello[..part]).await.ok()?;
                Some(stream)
            });
        }
        let held = wave.join_all().await;
        sleep(Duration::from_millis(300)).await;
        drop(held);
    }
    opened.load(Ordering::Relaxed)
}

/// What a connection does after its first packet.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Silence,
    Close,
}

/// How many first packets were sent. They come from a client that dials a socket of ours, and are
/// sent on from another; nobody reads what comes back.
async fn over_quic(target: SocketAddr, then: Then) -> usize {
    let config = QuicClientConfig::try_from(tls().client()).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(config));
    let mut datagram = [0; 2048];
    let mut seen = HashSet::new();
    for _ in 0..CONNECTIONS / WAVE {
        let client = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let sink = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let out = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let to = sink.local_addr().unwrap();
        for _ in 0..WAVE {
            let connecting = client.connect_with(config.clone(), to, "anything").unwrap();
            // Ends of earlier ones may come before it.
            let length = loop {
                let (length, _) = sink.recv_from(&mut datagram).await.unwrap();
                if seen.insert(destination(&datagram)) {
                    break length;
                }
            };
            out.send_to(&datagram[..length], target).await.unwrap();
            drop(connecting);
            if then == Then::Close {
                let (length, _) = sink.recv_from(&mut datagram).await.unwrap();
                out.send_to(&datagram[..length], target).await.unwrap();
            }
        }
    }
    seen.len()
}

/// The destination connection ID (RFC 9000, section 17.2).
pub(super) fn destination(datagram: &[u8]) -> Vec<u8> {
    let length = usize::from(datagram[5]);
    datagram[6..6 + length].to_vec()
}
