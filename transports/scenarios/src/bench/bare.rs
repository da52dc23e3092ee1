//! A transport alone: two ends that send each other messages of given sizes.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use peer_exchange_tls::Tls;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;

use super::script::Sent;
use super::{PAUSE, runtime};
use crate::lab::{Plan, until};

/// The sockets and the TLS that a transport stands on, without anything of it.
pub trait Bare: 'static {
    /// Takes one connection.
    type Listener;
    /// One connection.
    type Stream: AsyncRead + AsyncWrite + Unpin;

    /// Listens on a free port of this machine.
    fn listen(tls: &Tls) -> impl Future<Output = (Self::Listener, SocketAddr)>;

    /// The first connection, with the handshake done.
    fn accept(listener: Self::Listener) -> impl Future<Output = Self::Stream>;

    /// Connects, with the handshake done.
    fn dial(to: SocketAddr, tls: &Tls) -> impl Future<Output = Self::Stream>;
}

/// What the client says before each script: how many messages follow.
const HEAD: usize = 4;

/// The client's end; the server's runs in a thread of its own.
pub(super) struct Peer {
    stream: Box<dyn Both>,
}

trait Both: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Both for S {}

impl Peer {
    pub(super) async fn connect<B: Bare>() -> Self {
        let (listening, address) = mpsc::channel();
        thread::spawn(move || {
            runtime().block_on(async {
                let (listener, address) = B::listen(&Plan::new().tls()).await;
                listening.send(address).expect("it waits");
                serve(B::accept(listener).await).await;
            });
        });
        let address = address.recv().expect("the server listens");
        let tls = Plan::new().tls();
        let mut stream = until("the connection", B::dial(address, &tls)).await;
        // Everything that comes once is over.
        stream
            .write_all(&0_u32.to_be_bytes())
            .await
            .expect("it is connected");
        Self {
            stream: Box::new(stream),
        }
    }

    /// From the first message to the last.
    pub(super) async fn replay(&mut self, script: &[Sent]) -> Duration {
        // The server has to know the script: outside of what is measured.
        let mut head = (script.len() as u32).to_be_bytes().to_vec();
        for message in script {
            let by_client = u32::from(message.by_client) << 31;
            head.extend((by_client | message.bytes as u32).to_be_bytes());
        }
        self.stream.write_all(&head).await.expect("it is connected");
        self.stream.flush().await.expect("it is connected");
        let mut ready = [0];
        self.stream.read_exact(&mut ready).await.expect("an answer");
        sleep(PAUSE).await;
        let started = Instant::now();
        play(&mut self.stream, script, true).await;
        started.elapsed()
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut head = [0; HEAD];
    // Until the client has gone.
    while stream.read_exact(&mut head).await.is_ok() {
        let mut script = Vec::new();
        for _ in 0..u32::from_be_bytes(head) {
            let mut word = [0; HEAD];
            stream.read_exact(&mut word).await.expect("a script");
            let word = u32::from_be_bytes(word);
            script.push(Sent {
                by_client: word >> 31 == 1,
                bytes: (word & !(1 << 31)) as usize,
            });
        }
        if script.is_empty() {
            continue;
        }
        stream.write_all(&[1]).await.expect("it is connected");
        stream.flush().await.expect("it is connected");
        play(&mut stream, &script, false).await;
    }
}

/// Each message goes when all before it have gone or come. A length of four bytes is in front.
async fn play<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, script: &[Sent], client: bool) {
    let mut buffer = Vec::new();
    for message in script {
        buffer.resize(4 + message.bytes, 7);
        if message.by_client == client {
            buffer[..4].copy_from_slice(&(message.bytes as u32).to_be_bytes());
            stream.write_all(&buffer).await.expect("it is connected");
            stream.flush().await.expect("it is connected");
        } else {
            let (length, body) = buffer.split_at_mut(4);
            stream.read_exact(length).await.expect("a length");
            stream.read_exact(body).await.expect("a message");
        }
    }
}
