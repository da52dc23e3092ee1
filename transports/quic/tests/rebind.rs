//! A node behind a NAT that gives its connection another port under way.

mod kind;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kind::OverQuic;
use peer_exchange::{LinkId, Notice};
use peer_exchange_scenarios::{Kind, Plan, Running, eventually, until};
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Passes datagrams between one client and a server, which sees them come from a port of the NAT.
struct Nat {
    inside: SocketAddr,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    rebind: Notify,
    rebound: AtomicU64,
    /// Over the newest port.
    sent: AtomicU64,
    received: AtomicU64,
}

impl Counts {
    /// Both ways over the newest port.
    fn passed(&self) -> bool {
        self.sent.load(Ordering::Relaxed) > 0 && self.received.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
    socket.expect("a free port")
}

impl Nat {
    async fn before(server: SocketAddr) -> Self {
        let inside = socket().await;
        let counts = Arc::new(Counts::default());
        Self {
            inside: inside.local_addr().unwrap(),
            counts: counts.clone(),
            task: tokio::spawn(pass(inside, server, counts)),
        }
    }

    /// From here on the old port is closed.
    async fn rebind(&self) {
        let before = self.counts.rebound.load(Ordering::Relaxed);
        self.counts.rebind.notify_one();
        eventually("another port", async || {
            self.counts.rebound.load(Ordering::Relaxed) > before
        })
        .await;
    }
}

async fn pass(inside: UdpSocket, server: SocketAddr, counts: Arc<Counts>) {
    let mut outside = socket().await;
    let mut client = None;
    let (mut out, mut back) = ([0; 65_536], [0; 65_536]);
    loop {
        // An error is a datagram lost, which QUIC takes as such.
        tokio::select! {
            Ok((len, from)) = inside.recv_from(&mut out) => {
                client = Some(from);
                if outside.send_to(&out[..len], server).await.is_ok() {
                    counts.sent.fetch_add(1, Ordering::Relaxed);
                }
            }
            Ok((len, from)) = outside.recv_from(&mut back) => {
                if let Some(client) = client.filter(|_| from == server) {
                    counts.received.fetch_add(1, Ordering::Relaxed);
                    let _ = inside.send_to(&back[..len], client).await;
                }
            }
            () = counts.rebind.notified() => {
                // Bound before the old one closes: it is another port.
                outside = socket().await;
                counts.sent.store(0, Ordering::Relaxed);
                counts.received.store(0, Ordering::Relaxed);
                counts.rebound.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

async fn only_link(node: &Running<OverQuic>) -> LinkId {
    let links = node.handle.links().await.unwrap();
    assert_eq!(links.len(), 1, "{links:?}");
    links[0].link
}

/// So many requests of this node are answered.
async fn exchange(node: &Running<OverQuic>, times: u64) {
    for _ in 0..times {
        let before = node.handle.stats().await.unwrap().responses_received;
        node.handle.discover().await.unwrap();
        eventually("an answer", async || {
            node.handle.stats().await.unwrap().responses_received > before
        })
        .await;
    }
}

/// Nothing has ended the link so far.
async fn assert_linked(node: &mut Running<OverQuic>) {
    // What is not there by now was not told before the last answer.
    while let Ok(Some(notice)) =
        tokio::time::timeout(std::time::Duration::ZERO, node.notices.next()).await
    {
        let ended = matches!(notice, Notice::LinkDown { .. } | Notice::Missed(_));
        assert!(!ended, "{notice:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_outlives_a_change_of_address() {
    let mut server = Plan::new().start::<OverQuic>();
    let nat = Nat::before(OverQuic::socket(&server.transport)).await;
    let inside = format!("/ip4/127.0.0.1{}", OverQuic::suffix(nat.inside.port()));
    let upstream = inside.parse().unwrap();
    let mut client = Plan::new().upstream(&upstream).start::<OverQuic>();
    server.knows(&[client.node]).await;
    exchange(&client, 2).await;
    let links = (only_link(&client).await, only_link(&server).await);
    let at_first = server.handle.links().await.unwrap()[0].remote;

    for _ in 0..3 {
        nat.rebind().await;
        // The client speaks first: until then nobody can reach it at its new address.
        exchange(&client, 3).await;
        exchange(&server, 3).await;
        assert!(nat.counts.passed(), "by way of the new port");
    }
    let now = (only_link(&client).await, only_link(&server).await);
    assert_eq!(now, links, "the same links as before");
    assert_linked(&mut client).await;
    assert_linked(&mut server).await;
    assert_eq!(server.stats().accepted, 1, "one handshake");
    // What the view promises: where the link came from at first.
    let seen = server.handle.links().await.unwrap()[0].remote;
    assert_eq!(seen, at_first, "as of when the link came up");
    until("shutdown", client.handle.shutdown()).await;
}
