//! Members that are linked and read nothing, or bring nothing.

mod kind;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kind::OverTcp;
use peer_exchange::driver::{Ended, Filter, Filtered, Notices};
use peer_exchange::{Driver, Handle, Identity, Instant, Node, NodeId, Notice};
use peer_exchange_scenarios::{Kind, Plan, until};
use peer_exchange_tcp::{Options, Tcp};
use peer_exchange_tls::{Handshake, Role, Tls, random_seed};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Says so many more bytes with each message, as one that tells much.
struct Loud(usize);

impl Filter for Loud {
    fn sent(&self, _: NodeId, message: Bytes) -> Vec<Bytes> {
        let noise = Bytes::from(vec![0; 4 * 1024]);
        let more = std::iter::repeat_n(noise, self.0 / 4096);
        std::iter::once(message).chain(more).collect()
    }
}

/// A node that is loud, with little patience.
struct Target {
    handle: Handle,
    notices: Notices,
    at: SocketAddr,
}

impl Target {
    fn start(loud: usize, options: Options) -> Self {
        let plan = Plan::new();
        let tcp = Arc::new(Tcp::bind(&plan.listen, plan.tls(), options).unwrap());
        let at = OverTcp::socket(&tcp);
        let identity = Identity::new(plan.key.node()).with_seal(plan.key.seal());
        let node = Node::new(plan.config, identity, random_seed().unwrap(), Instant::ZERO);
        let driver = Driver::new(node.unwrap()).with_transport(Filtered::new(tcp, Loud(loud)));
        let notices = driver.handle().subscribe();
        Self {
            handle: driver.spawn(),
            notices,
            at,
        }
    }

    /// A member, by hand, with a small buffer for what it does not read.
    async fn member(&self) -> TlsStream<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&self.at.into()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let tls = Plan::new().tls();
        let connector = TlsConnector::from(tls.client());
        let socket = TcpStream::from_std(socket.into()).unwrap();
        let stream = connector.connect(Tls::server_name(), socket).await;
        let mut stream = stream.unwrap();
        let (_, session) = stream.get_ref();
        let handshake = Handshake::new(
            &tls,
            Role::Dialler,
            session.alpn_protocol(),
            session.peer_certificates(),
            |output, label| {
                session
                    .export_keying_material(output, label, None)
                    .map(drop)
            },
        );
        let (mut reader, mut writer) = tokio::io::split(&mut stream);
        let proven = handshake.unwrap().prove(&mut reader, &mut writer).await;
        proven.unwrap();
        stream
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

fn options() -> Options {
    let mut options = Options::default();
    options.unread = Duration::from_secs(1);
    options.keep_alive = Duration::from_secs(3);
    options
}

/// Much more than any buffer on the way: the message after it waits in the link.
#[tokio::test]
async fn who_does_not_read_much_is_cut_off() {
    let mut target = Target::start(8 << 20, options());
    let member = target.member().await;
    assert_eq!(target.ends().await, Ended::Broken);
    drop(member);
}

/// Less than the system keeps: nothing waits in the link, and nothing would be missed there.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_does_not_read_little_is_cut_off() {
    let mut target = Target::start(16 << 10, options());
    let member = target.member().await;
    assert_eq!(target.ends().await, Ended::Broken);
    drop(member);
}

/// Which reads, and says nothing.
#[tokio::test]
async fn who_brings_nothing_is_closed() {
    let mut target = Target::start(0, greeting_only());
    let mut member = target.member().await;
    let mut told = Vec::new();
    // A reset is an end as well.
    let _ = until("the end", member.read_to_end(&mut told)).await;
    assert_eq!(target.ends().await, Ended::ByPeer);
}

/// Which gives back the greeting that it is given, and nothing else.
#[tokio::test]
async fn who_brings_a_greeting_alone_is_closed() {
    let mut target = Target::start(0, greeting_only());
    let mut member = target.member().await;
    let length = until("a greeting", member.read_u32()).await.unwrap();
    let mut greeting = vec![0; length as usize];
    member.read_exact(&mut greeting).await.unwrap();
    member.write_u32(length).await.unwrap();
    member.write_all(&greeting).await.unwrap();
    member.flush().await.unwrap();
    let mut told = Vec::new();
    let _ = until("the end", member.read_to_end(&mut told)).await;
    assert_eq!(target.ends().await, Ended::ByPeer);
    let stats = target.handle.stats().await.unwrap();
    assert_eq!(stats.messages_received, 1);
}

/// A real one stays.
#[tokio::test]
async fn who_brings_more_stays() {
    let mut target = Target::start(0, greeting_only());
    let address = format!("/ip4/127.0.0.1/tcp/{}", target.at.port());
    let member = Plan::new().upstream(&address.parse().unwrap());
    let member = member.start::<OverTcp>();
    until("it is linked", async {
        while target.handle.links().await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // Less than a second: then it dials its upstream anew (R37).
    let ends = tokio::time::timeout(Duration::from_millis(700), target.ends());
    let ended = ends.await;
    assert!(ended.is_err(), "{ended:?}");
    drop(member);
}

fn greeting_only() -> Options {
    let mut options = Options::default();
    options.greeting_only = Duration::from_millis(500);
    options
}
