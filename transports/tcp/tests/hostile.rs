//! What strangers try on a TCP port.

mod kind;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use kind::{Over, Tuned};
use peer_exchange_scenarios::{Kind, Plan, Running, eventually, until};
use peer_exchange_tcp::Options;
use peer_exchange_tls::rustls::{ClientConfig, pki_types::CertificateDer};
use peer_exchange_tls::{Handshake, Role, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

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

async fn connect(target: &Running<Strict>) -> TcpStream {
    let socket = Strict::socket(&target.transport);
    TcpStream::connect(socket).await.unwrap()
}

/// A TLS session of this client, which may have changed its configuration.
async fn session(
    target: &Running<Strict>,
    tls: &Tls,
    change: impl FnOnce(&mut ClientConfig),
) -> io::Result<TlsStream<TcpStream>> {
    let mut config = ClientConfig::clone(&tls.client());
    change(&mut config);
    let connector = TlsConnector::from(Arc::new(config));
    connector
        .connect(Tls::server_name(), connect(target).await)
        .await
}

/// Reads until the other end closes. What is read.
async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut read = Vec::new();
    // A reset is an end as well.
    let _ = until("the end", stream.read_to_end(&mut read)).await;
    read
}

#[tokio::test]
async fn plain_bytes_get_no_answer() {
    let target = Plan::new().start::<Strict>();
    let mut stranger = connect(&target).await;
    stranger
        .write_all(b"GET /v1/peers HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let answer = rest(&mut stranger).await;
    // A TLS alert at most: type, version, length, level and description.
    assert!(answer.len() <= 7, "{answer:?}");
    eventually("it is counted", async || target.stats().failed == 1).await;
    target.assert_untold().await;
}

#[tokio::test]
async fn whoever_does_not_finish_is_timed_out() {
    let target = Plan::new().start::<Strict>();
    let mut silent = connect(&target).await;
    assert_eq!(rest(&mut silent).await, b"");
    // TLS, and then nothing.
    let mut polite = session(&target, &Plan::new().tls(), |_| {}).await.unwrap();
    assert_eq!(rest(&mut polite).await, b"");
    eventually("they are counted", async || target.stats().timed_out == 2).await;
}

#[tokio::test]
async fn half_open_connections_keep_nobody_out_for_long() {
    let target = Plan::new().start::<Strict>();
    let mut flood = Vec::new();
    for _ in 0..5 * ROOM {
        flood.push(connect(&target).await);
    }
    // All come from one network, which has half of the room.
    eventually("the room is taken", async || {
        target.stats().half_open == ROOM as u64 / 2
    })
    .await;
    let mut member = Plan::new().upstream(&target.address);
    // How long it waits after having been turned away is its own.
    member.config.backoff_cap = Duration::from_secs(1);
    let member = member.start::<Strict>();
    target.knows(&[member.node]).await;
    assert!(target.stats().turned_away >= ROOM as u64);
    drop(flood);
}

/// What comes in one burst is accepted before anybody's task runs: whoever has said something by then
/// gives way after those that have not.
#[tokio::test]
async fn who_has_spoken_before_it_is_accepted_stays_in_a_burst_of_silence() {
    // Nothing is accepted before this waits: it is one thread.
    let target = Plan::new().start::<Strict>();
    let at = Strict::socket(&target.transport);
    let blocking = || std::net::TcpStream::connect(at).unwrap();
    let mut spoken = blocking();
    std::io::Write::write_all(&mut spoken, &[0x16]).unwrap();
    let silent: Vec<_> = (0..10 * ROOM).map(|_| blocking()).collect();
    eventually("the burst is over", async || {
        target.stats().turned_away >= (10 * ROOM - ROOM / 2) as u64
    })
    .await;
    // It is waited for, as one that has begun.
    spoken.set_nonblocking(true).unwrap();
    let end = std::io::Read::read(&mut spoken, &mut [0]);
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(silent);
}

#[tokio::test]
async fn a_client_without_the_protocols_name_is_refused() {
    let target = Plan::new().start::<Strict>();
    // It knows the token: the name alone is missing.
    let mut nameless = session(&target, &Plan::new().tls(), |c| c.alpn_protocols.clear())
        .await
        .unwrap();
    assert_eq!(rest(&mut nameless).await, b"");
    eventually("it is counted", async || target.stats().not_ours == 1).await;
    let tls = Plan::new().tls();
    let other = vec![b"peer-exchange/2".to_vec()];
    let other = session(&target, &tls, |c| c.alpn_protocols = other).await;
    assert!(other.is_err());
    eventually("it is counted too", async || target.stats().failed == 1).await;
    target.assert_untold().await;
}

#[tokio::test]
async fn a_client_without_a_key_is_refused() {
    let target = Plan::new().start::<Strict>();
    let nobody = peer_exchange_tls::rustls::RootCertStore::empty();
    let config =
        ClientConfig::builder_with_provider(Plan::new().tls().client().crypto_provider().clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(nobody)
            .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector
        .connect(Tls::server_name(), connect(&target).await)
        .await;
    assert!(stream.is_err());
    eventually("it is counted", async || target.stats().failed == 1).await;
    target.assert_untold().await;
}

#[tokio::test]
async fn a_wrong_proof_is_not_answered() {
    let target = Plan::new().start::<Strict>();
    // Too short for a proof, wrong, and the other membership's.
    for said in [&[1; 5][..], &[1; 33], &[2]] {
        let mut stranger = session(&target, &Plan::new().tls(), |_| {}).await.unwrap();
        stranger.write_all(said).await.unwrap();
        stranger.flush().await.unwrap();
        stranger.shutdown().await.unwrap();
        assert_eq!(rest(&mut stranger).await, b"", "{said:?}");
    }
    assert_eq!(target.stats().accepted, 0);
    target.assert_untold().await;
}

/// A member, by hand.
async fn member(target: &Running<Strict>) -> TlsStream<TcpStream> {
    let tls = Plan::new().tls();
    let mut stream = session(target, &tls, |_| {}).await.unwrap();
    let (_, session) = stream.get_ref();
    let certificates: Option<&[CertificateDer<'_>]> = session.peer_certificates();
    let handshake = Handshake::new(
        &tls,
        Role::Dialler,
        session.alpn_protocol(),
        certificates,
        |output, label| {
            session
                .export_keying_material(output, label, None)
                .map(drop)
        },
    );
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let proven = handshake.unwrap().prove(&mut reader, &mut writer).await;
    assert_eq!(proven.unwrap(), target.node);
    stream
}

#[tokio::test]
async fn a_frame_beyond_the_limit_ends_the_link() {
    let target = Plan::new().start::<Strict>();
    let mut member = member(&target).await;
    eventually("the link is up", async || target.stats().accepted == 1).await;
    member
        .write_all(&(64 * 1024 + 1_u32).to_be_bytes())
        .await
        .unwrap();
    member.flush().await.unwrap();
    rest(&mut member).await;
    eventually("the link is gone", async || {
        target.handle.links().await.unwrap().is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_member_that_ends_within_a_frame_has_broken_the_link() {
    use peer_exchange::{Notice, driver::Ended};
    let mut target = Plan::new().start::<Strict>();
    for (frame, expected) in [(&[0, 0, 0, 9, 1][..], Ended::Broken), (&[], Ended::ByPeer)] {
        let mut member = member(&target).await;
        member.write_all(frame).await.unwrap();
        member.shutdown().await.unwrap();
        let ended = target
            .notice(|n| match n {
                Notice::LinkDown { ended, .. } => Some(*ended),
                _ => None,
            })
            .await;
        assert_eq!(ended, expected);
    }
}
