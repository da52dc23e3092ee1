//! Members that are linked and read nothing, or bring nothing.

mod kind;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kind::OverQuic;
use peer_exchange::driver::{Ended, Filter, Filtered, Notices};
use peer_exchange::{Driver, Handle, Identity, Instant, Node, NodeId, Notice};
use peer_exchange_quic::{Options, Quic};
use peer_exchange_scenarios::{Kind, Plan, until};
use peer_exchange_tls::rustls::pki_types::CertificateDer;
use peer_exchange_tls::{Handshake, Role, random_seed};
use quinn::crypto::rustls::{HandshakeData, QuicClientConfig};
use quinn::{Connection, Endpoint, RecvStream, SendStream};

/// Says much more with each message.
struct Loud;

impl Filter for Loud {
    fn sent(&self, _: NodeId, message: Bytes) -> Vec<Bytes> {
        let noise = Bytes::from(vec![0; 32 * 1024]);
        let more = std::iter::repeat_n(noise, 256);
        std::iter::once(message).chain(more).collect()
    }
}

struct Target {
    _handle: Handle,
    notices: Notices,
    at: SocketAddr,
}

impl Target {
    fn start(options: Options) -> Self {
        let plan = Plan::new();
        let quic = Arc::new(Quic::bind(&plan.listen, plan.tls(), options).unwrap());
        let at = OverQuic::socket(&quic);
        let identity = Identity::new(plan.key.node()).with_seal(plan.key.seal());
        let node = Node::new(plan.config, identity, random_seed().unwrap(), Instant::ZERO);
        let driver = Driver::new(node.unwrap()).with_transport(Filtered::new(quic, Loud));
        let notices = driver.handle().subscribe();
        Self {
            _handle: driver.spawn(),
            notices,
            at,
        }
    }

    async fn ends(&mut self) -> Ended {
        until("the link ends", async {
            loop {
                if let Some(Notice::LinkDown { ended, .. }) = self.notices.next().await {
                    return ended;
                }
            }
        })
        .await
    }
}

/// A member, by hand.
async fn member(target: &Target) -> (Endpoint, Connection, SendStream, RecvStream) {
    let tls = Plan::new().tls();
    let client = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let config = QuicClientConfig::try_from(tls.client()).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(config));
    let connection = client.connect_with(config, target.at, "anything").unwrap();
    let connection = until("the handshake", connection).await.unwrap();
    let data = connection.handshake_data().unwrap();
    let alpn = data.downcast::<HandshakeData>().unwrap().protocol;
    let shown = connection.peer_identity().unwrap();
    let shown = shown.downcast::<Vec<CertificateDer<'static>>>().unwrap();
    let handshake = Handshake::new(
        &tls,
        Role::Dialler,
        alpn.as_deref(),
        Some(&shown),
        |output, label| connection.export_keying_material(output, label, b""),
    );
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    let proven = handshake.unwrap().prove(&mut receive, &mut send).await;
    proven.unwrap();
    (client, connection, send, receive)
}

#[tokio::test]
async fn who_does_not_read_is_cut_off() {
    let mut options = Options::default();
    options.unread = Duration::from_secs(1);
    let mut target = Target::start(options);
    let member = member(&target).await;
    assert_eq!(target.ends().await, Ended::Broken);
    drop(member);
}

#[tokio::test]
async fn who_brings_nothing_is_closed() {
    let mut options = Options::default();
    options.greeting_only = Duration::from_millis(500);
    let mut target = Target::start(options);
    let (_client, _connection, _send, mut receive) = member(&target).await;
    let mut told = vec![0; 64 * 1024];
    until("the end", async {
        while let Ok(Some(_)) = receive.read(&mut told).await {}
    })
    .await;
    assert_eq!(target.ends().await, Ended::ByPeer);
}
