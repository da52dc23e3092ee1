//! One connection: handshake, and the link that it becomes.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use peer_exchange::driver::{Inbox, Link};
use peer_exchange::{NodeId, contract};
use peer_exchange_tls::rustls::pki_types::CertificateDer;
use peer_exchange_tls::{Handshake, HandshakeError, Patience, Role, Tls, carry_beside};
use quinn::crypto::rustls::HandshakeData;
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream, TransportErrorCode};

use crate::Shared;

pub(crate) async fn dial(
    endpoint: &Endpoint,
    shared: &Shared,
    to: SocketAddr,
    node: Option<NodeId>,
) -> Result<Link, HandshakeError> {
    let name = Tls::server_name();
    let connecting = endpoint
        .connect_with(shared.client.clone(), to, &name.to_str())
        .map_err(|e| HandshakeError::Io(std::io::Error::other(e)))?;
    let connection = connecting.await.map_err(failed)?;
    let handshake = handshake(&shared.tls, Role::Dialler, &connection)?.expect(node)?;
    let (mut send, mut receive) = connection.open_bi().await.map_err(failed)?;
    let node = handshake.prove(&mut receive, &mut send).await?;
    let patience = shared.options.opened();
    Ok(link(shared, node, connection, (send, receive), patience))
}

pub(crate) async fn accept(
    shared: &Shared,
    incoming: quinn::Incoming,
) -> Result<Link, HandshakeError> {
    let connection = incoming.await.map_err(failed)?;
    let handshake = handshake(&shared.tls, Role::Acceptor, &connection)?;
    let (mut send, mut receive) = connection.accept_bi().await.map_err(failed)?;
    let node = handshake.prove(&mut receive, &mut send).await?;
    let patience = shared.options.accepted();
    Ok(link(shared, node, connection, (send, receive), patience))
}

fn handshake(tls: &Tls, role: Role, connection: &Connection) -> Result<Handshake, HandshakeError> {
    let data = connection.handshake_data().and_then(|d| d.downcast().ok());
    let alpn = data.and_then(|d: Box<HandshakeData>| d.protocol);
    let certificates = connection.peer_identity().and_then(|i| i.downcast().ok());
    let certificates = certificates.map(|all: Box<Vec<CertificateDer<'static>>>| *all);
    Handshake::new(
        tls,
        role,
        alpn.as_deref(),
        certificates.as_deref(),
        |output, label| connection.export_keying_material(output, label, b""),
    )
}

fn link(
    shared: &Shared,
    node: NodeId,
    connection: Connection,
    (send, receive): (SendStream, RecvStream),
    patience: Patience,
) -> Link {
    let remote = connection.remote_address();
    let life = shared.life.clone();
    Link::new(node, Some(remote), move |inbox, outbox| async move {
        // Of one that is too large for a datagram here, or for a peer without them, there is a stream.
        let by_datagram = |message: &Bytes| {
            contract::is_sign_of_life(message) && connection.send_datagram(message.clone()).is_ok()
        };
        let end = tokio::select! {
            end = carry_beside(receive, send, inbox.clone(), outbox, patience, by_datagram) => end,
            never = deliver_datagrams(&connection, &inbox, &life) => match never {},
        };
        connection.close(0_u32.into(), b"");
        end
    })
}

/// Until the end of the link, which is told by its stream.
async fn deliver_datagrams(connection: &Connection, inbox: &Inbox, life: &AtomicU64) -> Infallible {
    while let Ok(message) = connection.read_datagram().await {
        let is_life = contract::is_sign_of_life(&message);
        life.fetch_add(u64::from(is_life), Ordering::Relaxed);
        if !inbox.deliver_datagram(message).await {
            break;
        }
    }
    pending().await
}

fn failed(error: ConnectionError) -> HandshakeError {
    match error {
        ConnectionError::TimedOut => HandshakeError::TimedOut,
        ConnectionError::ApplicationClosed(_) => HandshakeError::Refused,
        ConnectionError::TransportError(error) => HandshakeError::Tls(error.to_string()),
        // The other end does not like what it was shown, for a reason that TLS has a number for.
        ConnectionError::ConnectionClosed(close) if is_tls_alert(close.error_code) => {
            HandshakeError::Tls(close.to_string())
        }
        other => HandshakeError::Io(other.into()),
    }
}

/// RFC 9001, section 4.8.
fn is_tls_alert(code: TransportErrorCode) -> bool {
    (0x100..0x200).contains(&u64::from(code))
}
