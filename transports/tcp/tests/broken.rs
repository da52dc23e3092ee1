//! Connections that break under way.

mod kind;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use kind::OverTcp;
use peer_exchange::driver::Ended;
use peer_exchange::{Event, NodeId, Notice};
use peer_exchange_scenarios::{Kind, Plan, Running};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Passes connections on to a server, and cuts them.
struct Relay {
    address: SocketAddr,
    cut: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let cut = Arc::new(Notify::new());
        let cutting = cut.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut inside, _)) = listener.accept().await {
                let mut outside = TcpStream::connect(server).await.unwrap();
                // One at a time; whatever ends this, both sockets close.
                tokio::select! {
                    _ = copy_bidirectional(&mut inside, &mut outside) => {}
                    () = cutting.notified() => {}
                }
            }
        });
        Self { address, cut, task }
    }
}

async fn upstream_up(node: &mut Running<OverTcp>) -> NodeId {
    node.notice(|n| match n {
        Notice::Node(Event::UpstreamUp { node, .. }) => Some(*node),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_is_dialled_again() {
    let mut plan = Plan::new();
    // It dials nobody on this machine (R7): the way back is the other's to find.
    plan.config.local = false;
    let mut server = plan.start::<OverTcp>();
    let relay = Relay::before(OverTcp::socket(&server.transport)).await;
    let address = format!("/ip4/127.0.0.1{}", OverTcp::suffix(relay.address.port()));
    let upstream = address.parse().unwrap();
    let mut client = Plan::new().upstream(&upstream).start::<OverTcp>();
    assert_eq!(upstream_up(&mut client).await, server.node);

    relay.cut.notify_one();
    for node in [&mut client, &mut server] {
        let ended = node
            .notice(|n| match n {
                Notice::LinkDown { ended, .. } => Some(*ended),
                _ => None,
            })
            .await;
        // Without TLS's own end, a closed socket is no orderly close.
        assert_eq!(ended, Ended::Broken);
    }
    assert_eq!(upstream_up(&mut client).await, server.node);
    // By way of the relay, or directly: by now it knows the server's own address too.
    let links = client.handle.links().await.unwrap();
    assert!(links.len() == 1 && links[0].dialled, "{links:?}");
}
