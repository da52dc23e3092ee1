//! One connection: handshake, and the link that it becomes.

use std::net::SocketAddr;

use peer_exchange::NodeId;
use peer_exchange::driver::Link;
use peer_exchange_tls::{Handshake, HandshakeError, Patience, Role, Tls, carry};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, split};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{Options, Shared};

/// Bytes that the system keeps of one connection and has not sent: what is beyond waits in the
/// queue of the link, which is bounded, and is missed there.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 16 * 1024;
/// Dead after so many probes without an answer.
pub(crate) const PROBES: u32 = 3;

pub(crate) async fn dial(
    shared: &Shared,
    to: SocketAddr,
    node: Option<NodeId>,
) -> Result<Link, HandshakeError> {
    let socket = TcpStream::connect(to).await?;
    set_up(&socket, &shared.options)?;
    let connector = TlsConnector::from(shared.tls.client());
    let mut stream = connector
        .connect(Tls::server_name(), socket)
        .await
        .map_err(tls_error)?;
    let (_, session) = stream.get_ref();
    let handshake = Handshake::new(
        &shared.tls,
        Role::Dialler,
        session.alpn_protocol(),
        session.peer_certificates(),
        |output, label| {
            session
                .export_keying_material(output, label, None)
                .map(drop)
        },
    )?;
    let node = prove(handshake.expect(node)?, &mut stream).await?;
    Ok(link(node, to, stream, shared.options.opened()))
}

pub(crate) async fn accept(
    shared: &Shared,
    socket: TcpStream,
    from: SocketAddr,
) -> Result<Link, HandshakeError> {
    set_up(&socket, &shared.options)?;
    let acceptor = TlsAcceptor::from(shared.tls.server());
    let mut stream = acceptor.accept(socket).await.map_err(tls_error)?;
    let (_, session) = stream.get_ref();
    let handshake = Handshake::new(
        &shared.tls,
        Role::Acceptor,
        session.alpn_protocol(),
        session.peer_certificates(),
        |output, label| {
            session
                .export_keying_material(output, label, None)
                .map(drop)
        },
    )?;
    let node = prove(handshake, &mut stream).await?;
    Ok(link(node, from, stream, shared.options.accepted()))
}

async fn prove<S>(handshake: Handshake, stream: &mut S) -> Result<NodeId, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut reader, mut writer) = split(stream);
    handshake.prove(&mut reader, &mut writer).await
}

fn link<S>(node: NodeId, remote: SocketAddr, stream: S, patience: Patience) -> Link
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    Link::new(node, Some(remote), move |inbox, outbox| {
        let (reader, writer) = split(stream);
        carry(reader, writer, inbox, outbox, patience)
    })
}

fn set_up(socket: &TcpStream, options: &Options) -> std::io::Result<()> {
    // Messages are written whole.
    socket.set_nodelay(true)?;
    let keep_alive = TcpKeepalive::new().with_time(options.keep_alive);
    #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_os = "macos",
        target_os = "freebsd"
    ))]
    let keep_alive = keep_alive
        .with_interval(options.keep_alive / PROBES)
        .with_retries(PROBES);
    let socket = SockRef::from(socket);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        socket.set_tcp_notsent_lowat(UNSENT)?;
        // It also says when the probes have failed: not before all of them.
        let unread = options.unread.max(2 * options.keep_alive);
        socket.set_tcp_user_timeout(Some(unread))?;
    }
    socket.set_tcp_keepalive(&keep_alive)
}

/// rustls packs its errors into I/O errors.
fn tls_error(error: std::io::Error) -> HandshakeError {
    match error.get_ref() {
        Some(inner) => HandshakeError::Tls(inner.to_string()),
        None => HandshakeError::Io(error),
    }
}
