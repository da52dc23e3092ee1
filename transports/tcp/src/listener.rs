//! Accepting connections.

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use peer_exchange::driver::Incoming;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::{Shared, connection};

/// Connections that wait in the system's queue; the system may allow fewer.
const BACKLOG: i32 = 1024;
/// Before the next attempt when the system has no descriptors or memory left.
const SHORT_OF_RESOURCES: Duration = Duration::from_millis(100);

pub(crate) fn bind(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    if at.is_ipv6() {
        // Whatever the system's default: both families can be bound to one port.
        socket.set_only_v6(true)?;
    }
    // A restart need not wait for the connections of the last life to be forgotten. Elsewhere
    // than on Unix it would let others take the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Runs until the driver takes no more links. Handshakes under way end with it.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>, incoming: Incoming) {
    let mut handshakes = JoinSet::new();
    let accepting = async {
        loop {
            while handshakes.try_join_next().is_some() {}
            let (socket, from) = next(&listener).await;
            // Nobody waits in the system's queue behind a flood: there is a place at once, or none.
            let Some(permit) = shared.gate.enter(from.ip()) else {
                continue;
            };
            // After a burst, in which those behind it are accepted before its task runs once.
            if has_spoken(&socket) {
                permit.heard();
            }
            let (shared, incoming) = (shared.clone(), incoming.clone());
            handshakes.spawn(async move {
                let handshake = async {
                    // Whoever says nothing costs a socket, and no session of TLS.
                    socket.readable().await?;
                    permit.heard();
                    connection::accept(&shared, socket, from).await
                };
                // Why it failed is counted; nobody here can do anything about it.
                if let Ok(link) = shared.gate.admit(&permit, handshake).await {
                    incoming.accept(link).await;
                }
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = incoming.closed() => {}
    }
}

/// Whether something from the other end is there already.
fn has_spoken(socket: &TcpStream) -> bool {
    let seen = SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]);
    seen.is_ok_and(|length| length > 0)
}

async fn next(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_connection(&error) => {}
            Err(_) => sleep(SHORT_OF_RESOURCES).await,
        }
    }
}

/// It failed for this connection; the next may be there already.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
