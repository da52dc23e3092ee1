//! The scenarios that every transport passes, over pipes in memory.
//!
//! Left out are those of names, which only a resolver has; of the machine's IPv6; of certificates;
//! and, with them, whatever a transport's own tests do to its bytes: TLS, framing, and the
//! negotiated version of the connection, none of which a pipe has.

use std::io;
use std::net::SocketAddr;
use std::sync::LazyLock;

use peer_exchange::driver::{Dial, DialError, Ended};
use peer_exchange::{Config, Multiaddr, Notice, Transport};
use peer_exchange_memory::{Loopback, Pipes};
use peer_exchange_scenarios::{Kind, Plan, Running, scenarios, until};
use peer_exchange_tls::HandshakeStats;

struct InMemory;

/// One for all tests: each has its own ports.
static NETWORK: LazyLock<Loopback> = LazyLock::new(Loopback::new);

impl Kind for InMemory {
    type Transport = Pipes;

    fn bind(plan: &Plan) -> io::Result<Pipes> {
        let cluster = match &plan.token {
            Some(token) => token.reveal(),
            None if plan.membership.is_insecure() => "",
            None => return Err(io::ErrorKind::Unsupported.into()),
        };
        NETWORK.bind(&plan.listen, plan.key.node(), cluster)
    }

    fn sockets(pipes: &Pipes) -> &[SocketAddr] {
        pipes.local_addresses()
    }

    fn suffix(port: u16) -> String {
        format!("/tcp/{port}")
    }

    fn stats(pipes: &Pipes) -> HandshakeStats {
        let stats = pipes.stats();
        let mut handshakes = HandshakeStats::default();
        handshakes.accepted = stats.accepted;
        handshakes.wrong_token = stats.refused;
        handshakes
    }
}

scenarios!(InMemory: in_memory);

#[tokio::test]
async fn an_address_is_bound_once_and_free_after_the_end() {
    let mut plan = Plan::new();
    let one = plan.start::<InMemory>();
    plan.listen = one.transport.local_addresses().to_vec();
    let again = InMemory::bind(&plan).map(drop);
    assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    let mut twice = Plan::new();
    twice.listen = vec![([10, 0, 0, 1], 7).into(); 2];
    let error = InMemory::bind(&twice).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    until("shutdown", one.handle.shutdown()).await;
    let next = InMemory::bind(&plan).expect("the address is free");
    // What is left of the first one does not take the address from the second.
    drop(one);
    let taken = InMemory::bind(&plan).map(drop);
    assert_eq!(taken.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    drop(next);
    InMemory::bind(&plan).expect("the address is free");
}

#[tokio::test]
async fn nobody_there_and_nobody_any_more_refuse() {
    let nobody: Multiaddr = "/ip4/10.0.0.2/tcp/7".parse().unwrap();
    let node = Plan::new().upstream(&nobody).start::<InMemory>();
    assert_refused(node).await;
    // Bound, and given up before it was ever driven: whoever waits for it hears so.
    let bound = InMemory::bind(&Plan::new()).unwrap();
    let address = Multiaddr::tcp(bound.local_addresses()[0]);
    let node = Plan::new().upstream(&address).start::<InMemory>();
    tokio::task::yield_now().await;
    drop(bound);
    assert_refused(node).await;
}

async fn assert_refused(mut node: Running<InMemory>) {
    let error = node
        .notice(|n| match n {
            Notice::DialFailed { error, .. } => Some(error.clone()),
            _ => None,
        })
        .await;
    let DialError::Io(error) = &*error else {
        panic!("{error}");
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_link_that_is_dropped_breaks_at_the_other_end() {
    let mut one = Plan::new().start::<InMemory>();
    let dialler = InMemory::bind(&Plan::new()).unwrap();
    let dial = Dial::new(one.address.clone(), Some(one.node), &Config::default());
    let link = until("the dial", dialler.dial(dial)).await.unwrap();
    assert_eq!(link.node(), one.node);
    drop(link);
    assert_eq!(down(&mut one).await, Ended::Broken);
}

async fn down(node: &mut Running<InMemory>) -> Ended {
    node.notice(|n| match n {
        Notice::LinkDown { ended, .. } => Some(*ended),
        _ => None,
    })
    .await
}
