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
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
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

/// Whose interface it is.
pub(super) trait Host: Send + Sync + 'static {
    /// How it is reached now: `None` without TLS.
    fn tls(&self) -> Option<Arc<ServerConfig>>;
    /// A connection was closed.
    fn closed(&self, why: Refusal);
}

impl Host for Desk {
    fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.agent.access().tls.clone()
    }

    fn closed(&self, why: Refusal) {
        self.counts.refused(why);
    }
}

/// Accepts and serves until the future is dropped, and every connection with it.
pub(super) async fn serve(listener: TcpListener, router: Router, host: Arc<impl Host>) {
    serve_from(Lobby::default(), listener, router, host).await;
}

async fn serve_from(lobby: Lobby, listener: TcpListener, router: Router, host: Arc<impl Host>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let lobby = Arc::new(lobby);
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let guest = Guest::new(Arc::clone(&lobby));
                let (router, host) = (router.clone(), Arc::clone(&host));
                connections.spawn(connection(stream, router, host, guest, permit));
                // What it has asked already is read before a burst behind it drives it out.
                yield_now().await;
            }
            // Out of file descriptors, or the client has gone again.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    host: Arc<impl Host>,
    guest: Arc<Guest>,
    _permit: OwnedSemaphorePermit,
) {
    let tls = host.tls();
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
        // Who asks in the moment in which it has to go is answered.
        biased;
        () = served => {}
        why = guest.sent_away() => host.closed(match why {
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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[derive(Default)]
    struct House(AtomicUsize);

    impl Host for House {
        fn tls(&self) -> Option<Arc<ServerConfig>> {
            None
        }

        fn closed(&self, why: Refusal) {
            assert_eq!(why, Refusal::Crowded);
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The answer to who asks whether it lives.
    async fn probe(to: SocketAddr) -> String {
        let mut stream = TcpStream::connect(to).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Three hundred requests whose heads do not end, and what becomes of one that asks beside them; and
    /// how many of the three hundred had to go.
    async fn beside_slow_heads(lobby: Lobby) -> (Option<String>, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let house = Arc::new(House::default());
        let router = Router::new().route("/healthz", get(|| async { "ok" }));
        let served = tokio::spawn(serve_from(lobby, listener, router, Arc::clone(&house)));
        let mut slow = Vec::new();
        for _ in 0..300 {
            let mut stream = TcpStream::connect(at).await.unwrap();
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nX-Slow: x").await;
            slow.push(stream);
        }
        // Less than the heads are waited for.
        let answer = timeout(PATIENCE / 3, probe(at)).await.ok();
        served.abort();
        (answer, house.0.load(Ordering::Relaxed))
    }

    /// All that wait are accepted before anybody's task runs.
    #[tokio::test]
    async fn who_has_asked_before_a_burst_is_answered() {
        const SILENT: usize = 100;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (house, lobby) = (Arc::new(House::default()), Lobby::new(8));
        let router = Router::new().route("/healthz", get(|| async { "ok" }));
        let mut probe = std::net::TcpStream::connect(at).unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        std::io::Write::write_all(&mut probe, request).unwrap();
        let silent: Vec<_> = (0..SILENT)
            .map(|_| std::net::TcpStream::connect(at).unwrap())
            .collect();
        let served = tokio::spawn(serve_from(lobby, listener, router, Arc::clone(&house)));
        probe.set_nonblocking(true).unwrap();
        let mut probe = TcpStream::from_std(probe).unwrap();
        let mut answer = String::new();
        probe.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        while house.0.load(Ordering::Relaxed) < SILENT - 8 {
            yield_now().await;
        }
        drop(silent);
        served.abort();
    }

    #[tokio::test]
    async fn slow_heads_keep_a_probe_out_where_nobody_gives_way_and_not_where_somebody_does() {
        let (answer, gone) = beside_slow_heads(Lobby::default()).await;
        assert!(answer.unwrap().starts_with("HTTP/1.1 200 "));
        assert!(gone > 0);
        assert_eq!(beside_slow_heads(Lobby::new(usize::MAX)).await, (None, 0));
    }
}
