//! A way to a node that can be blocked: everything vanishes on it then, in both directions, and
//! nobody is told.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// It. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Plug {
    at: SocketAddr,
    open: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

/// Whether it is open.
type Open = watch::Receiver<bool>;

impl Plug {
    /// One that is open, over UDP and TCP, before this socket.
    pub(crate) async fn before(target: SocketAddr) -> Self {
        let (udp, tcp) = sockets().await;
        let at = tcp.local_addr().expect("it is bound");
        let (open, is_open) = watch::channel(true);
        let mut tasks = JoinSet::new();
        tasks.spawn(datagrams(udp, target, is_open.clone()));
        tasks.spawn(connections(tcp, target, is_open));
        Self {
            at,
            open,
            _tasks: tasks,
        }
    }

    pub(crate) const fn socket(&self) -> SocketAddr {
        self.at
    }

    pub(crate) fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }
}

/// Of one port.
async fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let tcp = tcp.expect("a free port");
        let at = tcp.local_addr().expect("it is bound");
        if let Ok(udp) = UdpSocket::bind(at).await {
            return (udp, tcp);
        }
    }
}

/// Each source of datagrams has a socket of its own towards the target.
async fn datagrams(front: UdpSocket, target: SocketAddr, open: Open) {
    let front = Arc::new(front);
    let mut flows: Vec<(SocketAddr, Arc<UdpSocket>)> = Vec::new();
    let mut answers = JoinSet::new();
    let mut buffer = vec![0; 65_536];
    loop {
        let Ok((n, from)) = front.recv_from(&mut buffer).await else {
            continue;
        };
        if !*open.borrow() {
            continue;
        }
        let known = flows.iter().find(|(source, _)| *source == from);
        let back = match known {
            Some((_, back)) => back.clone(),
            None => {
                let back = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
                let back = Arc::new(back.expect("a free port"));
                flows.push((from, back.clone()));
                answers.spawn(answer(back.clone(), front.clone(), from, open.clone()));
                back
            }
        };
        // What nobody takes is lost, as it is elsewhere.
        let _ = back.send_to(&buffer[..n], target).await;
    }
}

async fn answer(back: Arc<UdpSocket>, front: Arc<UdpSocket>, to: SocketAddr, open: Open) {
    let mut buffer = vec![0; 65_536];
    loop {
        if let Ok((n, _)) = back.recv_from(&mut buffer).await {
            if *open.borrow() {
                let _ = front.send_to(&buffer[..n], to).await;
            }
        }
    }
}

/// Blocked, connections stay as they are, and new ones are not made.
async fn connections(front: TcpListener, target: SocketAddr, mut open: Open) {
    let mut pumps = JoinSet::new();
    while let Ok((near, _)) = front.accept().await {
        if open.wait_for(|open| *open).await.is_err() {
            return;
        }
        let Ok(far) = TcpStream::connect(target).await else {
            continue;
        };
        let (from_near, to_near) = near.into_split();
        let (from_far, to_far) = far.into_split();
        pumps.spawn(pump(from_near, to_far, open.clone()));
        pumps.spawn(pump(from_far, to_near, open.clone()));
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut open: Open) {
    let mut buffer = vec![0; 16_384];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if open.wait_for(|open| *open).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
    // The end of a stream does not pass either.
    let _ = open.wait_for(|open| *open).await;
}
