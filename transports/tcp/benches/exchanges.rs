//! Exchanges over TCP and TLS on loopback, beside tokio and rustls alone that move the same
//! messages: `cargo bench -p peer-exchange-tcp --bench exchanges`.

use std::net::{Ipv4Addr, SocketAddr};

use peer_exchange_scenarios::bench::{Bare, compare};
use peer_exchange_tls::Tls;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

#[path = "../tests/kind/mod.rs"]
mod kind;

fn main() {
    compare::<kind::OverTcp, Plain>("TCP");
}

struct Plain;

impl Bare for Plain {
    type Listener = (TcpListener, Tls);
    type Stream = TlsStream<TcpStream>;

    async fn listen(tls: &Tls) -> (Self::Listener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        ((listener, tls.clone()), address)
    }

    async fn accept((listener, tls): Self::Listener) -> Self::Stream {
        let (socket, _) = listener.accept().await.expect("a connection");
        socket.set_nodelay(true).expect("a socket");
        let stream = TlsAcceptor::from(tls.server()).accept(socket).await;
        stream.expect("the handshake").into()
    }

    async fn dial(to: SocketAddr, tls: &Tls) -> Self::Stream {
        let socket = TcpStream::connect(to).await.expect("a connection");
        socket.set_nodelay(true).expect("a socket");
        let connector = TlsConnector::from(tls.client());
        let stream = connector.connect(Tls::server_name(), socket).await;
        stream.expect("the handshake").into()
    }
}
