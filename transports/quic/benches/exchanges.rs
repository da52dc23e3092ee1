//! Exchanges over QUIC on loopback, beside quinn alone that moves the same messages:
//! `cargo bench -p peer-exchange-quic --bench exchanges`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use peer_exchange_scenarios::bench::{Bare, compare};
use peer_exchange_tls::Tls;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Endpoint, RecvStream, SendStream, ServerConfig};
use tokio::io::Join;

#[path = "../tests/kind/mod.rs"]
mod kind;

fn main() {
    compare::<kind::OverQuic, Plain>("QUIC");
}

struct Plain;

fn here() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

impl Bare for Plain {
    type Listener = Endpoint;
    type Stream = Join<RecvStream, SendStream>;

    async fn listen(tls: &Tls) -> (Endpoint, SocketAddr) {
        let crypto = QuicServerConfig::try_from(tls.server()).expect("TLS 1.3");
        let config = ServerConfig::with_crypto(Arc::new(crypto));
        let endpoint = Endpoint::server(config, here()).expect("a free port");
        let address = endpoint.local_addr().expect("it listens");
        (endpoint, address)
    }

    async fn accept(endpoint: Endpoint) -> Self::Stream {
        let connecting = endpoint.accept().await.expect("a connection");
        let connection = connecting.await.expect("the handshake");
        let (send, receive) = connection.accept_bi().await.expect("a stream");
        tokio::io::join(receive, send)
    }

    async fn dial(to: SocketAddr, tls: &Tls) -> Self::Stream {
        let crypto = QuicClientConfig::try_from(tls.client()).expect("TLS 1.3");
        let config = ClientConfig::new(Arc::new(crypto));
        let endpoint = Endpoint::client(here()).expect("a free port");
        let name = Tls::server_name();
        let connecting = endpoint.connect_with(config, to, &name.to_str());
        let connection = connecting
            .expect("an address")
            .await
            .expect("the handshake");
        let (send, receive) = connection.open_bi().await.expect("a stream");
        tokio::io::join(receive, send)
    }
}
