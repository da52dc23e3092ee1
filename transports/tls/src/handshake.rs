//! From a TLS session to a link: who is there, and is it a member?

use std::io;

use peer_exchange::NodeId;
use peer_exchange::driver::DialError;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use crate::proof::{self, Channel};
use crate::tls::{ALPN, Tls};

/// Which end of a connection this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It has dialled, and proves membership first.
    Dialler,
    /// It has accepted, and says nothing before the dialler has proven itself.
    Acceptor,
}

/// Why a connection does not become a link. It is to be dropped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The connection failed or was closed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The TLS handshake failed.
    #[error("TLS: {0}")]
    Tls(String),
    /// The other end does not speak this protocol.
    #[error("the other end does not speak {}", String::from_utf8_lossy(ALPN))]
    Protocol,
    /// The other end has shown no Ed25519 key.
    #[error("the other end has shown no Ed25519 key")]
    NoKey,
    /// Another node answers than the one that was dialled.
    #[error("another node answers: {0}")]
    OtherNode(NodeId),
    /// The other end does not know the token.
    #[error("the other end does not know the token")]
    WrongToken,
    /// The other end has closed the connection where its proof belongs.
    #[error("refused by the other end: does it have the same token or authority?")]
    Refused,
    /// It took too long.
    #[error("timed out")]
    TimedOut,
    /// There were too many like it, and it had to make room for another.
    #[error("it had to make room for another connection")]
    GaveWay,
}

impl From<HandshakeError> for DialError {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Io(error) => Self::Io(error),
            HandshakeError::OtherNode(node) => Self::OtherNode(node),
            HandshakeError::TimedOut => Self::TimedOut,
            other => Self::unauthenticated(&other),
        }
    }
}

/// What both ends say first. The proof follows where there is a token; with an authority this
/// byte alone, since a TLS 1.3 client cannot know whether its certificate was accepted until it
/// hears something.
const BY_TOKEN: u8 = 1;
const BY_AUTHORITY: u8 = 2;
/// The label under which the session's keying material is exported (RFC 5705).
const LABEL: &[u8] = b"EXPORTER-peer-exchange/1 membership";

/// A finished TLS handshake, whose other end has yet to prove membership.
pub struct Handshake {
    tls: Tls,
    role: Role,
    peer: NodeId,
    channel: Channel,
}

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handshake({:?} with {:?})", self.role, self.peer)
    }
}

impl Handshake {
    /// Looks at what the TLS handshake has brought: the protocol agreed on, the other end's
    /// certificates, and keying material by way of `export(output, label)`.
    ///
    /// # Errors
    /// When the protocol was not agreed on, or there is no key that could be a node ID.
    pub fn new<E: std::fmt::Debug>(
        tls: &Tls,
        role: Role,
        alpn: Option<&[u8]>,
        certificates: Option<&[CertificateDer<'_>]>,
        export: impl FnOnce(&mut [u8; 32], &[u8]) -> Result<(), E>,
    ) -> Result<Self, HandshakeError> {
        // Over TCP a client that offers no protocol is let in by TLS itself.
        if alpn != Some(ALPN) {
            return Err(HandshakeError::Protocol);
        }
        let first = certificates.and_then(|all| all.first());
        let first = first.ok_or(HandshakeError::NoKey)?;
        let peer = tls.verifier.node_of(first);
        let peer = peer.map_err(|_| HandshakeError::NoKey)?;
        let mut exporter = Zeroizing::new([0; 32]);
        export(&mut exporter, LABEL).map_err(|e| HandshakeError::Tls(format!("{e:?}")))?;
        let (dialler, acceptor) = match role {
            Role::Dialler => (tls.node(), peer),
            Role::Acceptor => (peer, tls.node()),
        };
        Ok(Self {
            tls: tls.clone(),
            role,
            peer,
            channel: Channel {
                exporter,
                dialler,
                acceptor,
            },
        })
    }

    /// Refuses any other node than this, before it is told anything.
    ///
    /// # Errors
    /// When it is another.
    pub fn expect(self, node: Option<NodeId>) -> Result<Self, HandshakeError> {
        match node {
            Some(node) if node != self.peer => Err(HandshakeError::OtherNode(self.peer)),
            _ => Ok(self),
        }
    }

    /// Proves membership and asks for proof: the dialler first. Reads not one byte beyond. The
    /// caller bounds the time.
    ///
    /// # Errors
    /// When the other end is no member, or does not take this one for a member.
    pub async fn prove(
        self,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> Result<NodeId, HandshakeError> {
        match self.role {
            Role::Dialler => {
                self.say(writer, Role::Dialler).await?;
                self.hear(reader, Role::Acceptor).await?;
            }
            Role::Acceptor => {
                self.hear(reader, Role::Dialler).await?;
                self.say(writer, Role::Acceptor).await?;
            }
        }
        Ok(self.peer)
    }

    async fn say(&self, writer: &mut (impl AsyncWrite + Unpin), role: Role) -> io::Result<()> {
        let mut said = Vec::with_capacity(1 + proof::LEN);
        match &self.tls.prover {
            None => said.push(BY_AUTHORITY),
            Some(prover) => {
                said.push(BY_TOKEN);
                said.extend_from_slice(&prover.prove(role, &self.channel));
            }
        }
        writer.write_all(&said).await?;
        writer.flush().await
    }

    async fn hear(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        role: Role,
    ) -> Result<(), HandshakeError> {
        let by = reader.read_u8().await.map_err(refused)?;
        match (&self.tls.prover, by) {
            (None, BY_AUTHORITY) => Ok(()),
            (Some(prover), BY_TOKEN) => {
                let mut proof = [0; proof::LEN];
                reader.read_exact(&mut proof).await.map_err(refused)?;
                if prover.check(role, &self.channel, &proof) {
                    Ok(())
                } else {
                    Err(HandshakeError::WrongToken)
                }
            }
            _ => Err(HandshakeError::Protocol),
        }
    }
}

/// An end that refuses this one closes the connection and says nothing.
fn refused(error: io::Error) -> HandshakeError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::InvalidData
        | io::ErrorKind::NotConnected
        | io::ErrorKind::BrokenPipe => HandshakeError::Refused,
        _ => HandshakeError::Io(error),
    }
}
