//! HTTP connections within bounds: so many at once, each for so long.

use super::Desk;
use super::body::Held;
use super::counts::Refusal;
use super::lobby::{Guest, Lobby, Why};
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

/// Connections at once: twice the lobby, so that those which are being answered (64 at most, probes
/// apart) leave it whole. More wait in the system's queue, for a moment.
const CONNECTIONS: usize = 256;
/// A request's head arrives within this time, and so does the next one on the same connection; and so
/// do the handshakes of TLS.
const PATIENCE: Duration = Duration::from_secs(15);
/// An answer is taken within this time, and a second more for each megabyte.
const TAKEN: Duration = Duration::from_secs(10);
const MEGABYTE: u64 = 1 << 20;
/// After this time a connection ends with the answer under way.
const LIFETIME: Duration = Duration::from_secs(300);
/// The head of a request is not longer: it waits in memory until it is whole.
const HEAD: usize = 16 * 1024;

/// Accepts and serves until the future is dropped, and every connection with it.
pub(super) async fn serve(listener: TcpListener, router: Router, desk: Arc<Desk>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let lobby = Arc::new(Lobby::default());
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let guest = Guest::new(Arc::clone(&lobby));
                let (router, desk) = (router.clone(), Arc::clone(&desk));
                connections.spawn(connection(stream, router, desk, guest, permit));
            }
            // Out of file descriptors, or the client has gone again.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    desk: Arc<Desk>,
    guest: Arc<Guest>,
    _permit: OwnedSemaphorePermit,
) {
    let tls = desk.agent.access().tls.clone();
    let served = async {
        let Ok(remote) = stream.peer_addr() else {
            return;
        };
        let from = ConnectInfo(remote);
        let Some(tls) = tls else {
            return talk(stream, router, from, &guest).await;
        };
        let accepted = timeout(PATIENCE, TlsAcceptor::from(tls).accept(stream)).await;
        if let Ok(Ok(stream)) = accepted {
            talk(stream, router, from, &guest).await;
        }
    };
    tokio::select! {
        () = served => {}
        why = guest.sent_away() => desk.counts.refused(match why {
            Why::Crowded => Refusal::Crowded,
            Why::Unread => Refusal::Unread,
        }),
    }
}

/// Answers until the client has enough, or has been here long enough.
async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    from: ConnectInfo<std::net::SocketAddr>,
    guest: &Arc<Guest>,
) {
    let service = service_fn(|request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(from);
        let answer = guest.asks();
        let mut router = router.clone();
        async move {
            let response = router.call(request).await?;
            Ok::<_, std::convert::Infallible>(response.map(|body| {
                let size = body.size_hint().lower();
                let time = TAKEN + Duration::from_secs(size / MEGABYTE);
                Held::new(body, answer.within(time))
            }))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    // What goes wrong on it is the client's concern.
    if timeout(LIFETIME, served.as_mut()).await.is_err() {
        served.as_mut().graceful_shutdown();
        let _ = timeout(LIFETIME, served).await;
    }
}
