//! What strangers try on a QUIC port.

mod kind;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use kind::{Over, Tuned};
use peer_exchange_quic::Options;
use peer_exchange_scenarios::{Kind, Plan, Running, eventually, until};
use peer_exchange_tls::Tls;
use peer_exchange_tls::rustls::ClientConfig;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError, Endpoint};

/// With little patience and little room.
struct Guarded;

type Strict = Over<Guarded>;

const ROOM: usize = 4;

impl Tuned for Guarded {
    fn options() -> Options {
        let mut options = Options::default();
        options.handshake_timeout = Duration::from_millis(500);
        options.half_open = ROOM;
        options
    }
}

fn endpoint() -> Endpoint {
    Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap()
}

async fn session(
    endpoint: &Endpoint,
    target: &Running<Strict>,
    tls: &Tls,
    change: impl FnOnce(&mut ClientConfig),
) -> Result<Connection, ConnectionError> {
    let mut config = ClientConfig::clone(&tls.client());
    change(&mut config);
    let config = QuicClientConfig::try_from(config).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(config));
    let to = Strict::socket(&target.transport);
    let connecting = endpoint.connect_with(config, to, "anything").unwrap();
    until("the handshake", connecting).await
}

#[tokio::test]
async fn plain_datagrams_get_no_answer() {
    let target = Plan::new().start::<Strict>();
    let stranger = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    stranger
        .connect(Strict::socket(&target.transport))
        .await
        .unwrap();
    for garbage in [&b"hello"[..], &[0xff; 1200], &[0x40; 40]] {
        stranger.send(garbage).await.unwrap();
    }
    let mut answer = [0; 1500];
    let answered = tokio::time::timeout(Duration::from_millis(300), stranger.recv(&mut answer));
    // QUIC's own refusals (version negotiation, stateless reset) are no answer of the protocol.
    if let Ok(Ok(len)) = answered.await {
        assert!(len < 1200, "{len} bytes");
    }
    target.assert_untold().await;
    let member = Plan::new().upstream(&target.address).start::<Strict>();
    target.knows(&[member.node]).await;
}

#[tokio::test]
async fn whoever_opens_no_stream_is_timed_out() {
    let target = Plan::new().start::<Strict>();
    let endpoint = endpoint();
    let silent = session(&endpoint, &target, &Plan::new().tls(), |_| {})
        .await
        .unwrap();
    until("the end", silent.closed()).await;
    eventually("it is counted", async || target.stats().timed_out == 1).await;
    target.assert_untold().await;
}

#[tokio::test]
async fn a_client_without_the_protocols_name_is_refused() {
    let target = Plan::new().start::<Strict>();
    let endpoint = endpoint();
    for names in [vec![], vec![b"peer-exchange/2".to_vec()]] {
        let tls = Plan::new().tls();
        let nameless = session(&endpoint, &target, &tls, |c| c.alpn_protocols = names).await;
        assert!(nameless.is_err());
    }
    eventually("they are counted", async || target.stats().failed == 2).await;
    target.assert_untold().await;
}

#[tokio::test]
async fn a_wrong_proof_is_not_answered() {
    let target = Plan::new().start::<Strict>();
    let endpoint = endpoint();
    for said in [&[1; 33][..], &[2]] {
        let tls = Plan::new().tls();
        let stranger = session(&endpoint, &target, &tls, |_| {}).await.unwrap();
        let (mut send, mut receive) = stranger.open_bi().await.unwrap();
        send.write_all(said).await.unwrap();
        let answer = until("the end", receive.read_to_end(100)).await;
        assert!(answer.as_ref().map_or(true, Vec::is_empty), "{answer:?}");
    }
    let stats = target.stats();
    assert_eq!(
        (stats.accepted, stats.wrong_token, stats.not_ours),
        (0, 1, 1)
    );
    target.assert_untold().await;
}

#[tokio::test]
async fn half_open_connections_keep_nobody_out_for_long() {
    let target = Plan::new().start::<Strict>();
    let endpoint = endpoint();
    let tls = Plan::new().tls();
    let mut flood = Vec::new();
    for _ in 0..5 * ROOM {
        let config = QuicClientConfig::try_from(tls.client()).unwrap();
        let config = quinn::ClientConfig::new(Arc::new(config));
        let to = Strict::socket(&target.transport);
        let connecting = endpoint.connect_with(config, to, "anything").unwrap();
        flood.push(tokio::spawn(connecting));
    }
    eventually("somebody is turned away", async || {
        target.stats().turned_away > 0
    })
    .await;
    let mut member = Plan::new().upstream(&target.address);
    // It is let in within moments; how long it waits after having been turned away is its own.
    member.config.backoff_cap = Duration::from_secs(1);
    let member = member.start::<Strict>();
    target.knows(&[member.node]).await;
    for connecting in flood {
        connecting.abort();
    }
}

#[tokio::test]
async fn a_second_stream_is_not_read() {
    let target = Plan::new().start::<Strict>();
    let endpoint = endpoint();
    let connection = session(&endpoint, &target, &Plan::new().tls(), |_| {})
        .await
        .unwrap();
    let _first = connection.open_bi().await.unwrap();
    let second = tokio::time::timeout(Duration::from_millis(200), connection.open_bi());
    assert!(!matches!(second.await, Ok(Ok(_))));
    assert!(
        tokio::time::timeout(Duration::from_millis(50), connection.open_uni())
            .await
            .map_or(true, |opened| opened.is_err())
    );
}
