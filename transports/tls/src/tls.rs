//! The rustls configurations of a node, made of its key and its membership.

use std::fmt;
use std::sync::Arc;

use peer_exchange::NodeId;
use rustls::client::{AlwaysResolvesClientRawPublicKeys, ResolvesClientCert, Resumption};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::{
    AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage, ResolvesServerCert,
    VerifierBuilderError,
};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};

use crate::key::{NodeKey, spki_of};
use crate::membership::{Kind, Membership};
use crate::proof::Prover;
use crate::token::Token;
use crate::verify::Verifier;

/// The protocol's name in the TLS handshake (RFC 7301), with its version.
pub const ALPN: &[u8] = b"peer-exchange/1";

/// How a node proves itself, and what it asks of others: for both transports and both directions.
/// Cloning is cheap.
#[derive(Clone)]
pub struct Tls {
    node: NodeId,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    pub(crate) verifier: Arc<Verifier>,
    /// With an authority, the handshake itself has proven membership.
    pub(crate) prover: Option<Arc<Prover>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({:?})", self.node)
    }
}

/// Why a key and a membership do not go together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The node's certificate is for another key.
    #[error("the node's certificate is not for its key: {0}")]
    Certificate(rustls::Error),
    /// The authority's certificates or revocation lists cannot be used.
    #[error("the authority's certificates or revocation lists cannot be used: {0}")]
    Authority(#[from] VerifierBuilderError),
    /// The cryptography lacks what is needed.
    #[error(transparent)]
    Provider(rustls::Error),
}

impl Tls {
    /// Of this key, as a member by this.
    ///
    /// # Errors
    /// When the certificate is not for the key, or the authority unusable.
    pub fn new(key: &NodeKey, membership: &Membership) -> Result<Self, TlsError> {
        let provider = Arc::new(default_provider());
        let node = key.node();
        let (verifier, prover, chain) = match &membership.0 {
            Kind::Token(token) => (Verifier::raw_keys(&provider), Some(token.clone()), None),
            Kind::Insecure => {
                let token = Token::well_known();
                (Verifier::raw_keys(&provider), Some(token), None)
            }
            Kind::Authority {
                roots,
                chain,
                revocations,
            } => (
                Verifier::authority(roots.clone(), revocations.clone(), &provider)?,
                None,
                Some(chain.clone()),
            ),
        };
        let verifier = Arc::new(verifier);
        let (as_client, as_server) = credentials(key, chain)?;

        let versions = &[&TLS13];
        let mut client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .map_err(TlsError::Provider)?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_client_cert_resolver(as_client);
        client.alpn_protocols = vec![ALPN.to_vec()];
        // A name would only tell an eavesdropper something.
        client.enable_sni = false;
        client.resumption = Resumption::disabled();

        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(TlsError::Provider)?
            .with_client_cert_verifier(verifier.clone())
            .with_cert_resolver(as_server);
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;

        Ok(Self {
            node,
            client: Arc::new(client),
            server: Arc::new(server),
            verifier,
            prover: prover.map(|token| Arc::new(Prover::new(&token))),
        })
    }

    /// The node ID: that of the key.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// Takes the revocation lists of this membership in place of those that were there, for
    /// handshakes from now on; links that are up stay. All clones have them. Without an authority
    /// there is nothing to take.
    ///
    /// # Errors
    /// When a list cannot be used: those from before stay.
    pub fn take_revocation_lists(&self, of: &Membership) -> Result<(), TlsError> {
        if let Kind::Authority { revocations, .. } = &of.0 {
            self.verifier.replace(revocations.clone())?;
        }
        Ok(())
    }

    /// Tells of every handshake that has failed because the other end's certificate is revoked, on
    /// the task of the handshake: whose certificate it was. Whether whoever showed it has its key is not
    /// known. The first to be given stays.
    pub fn tell_revoked(&self, tell: impl Fn(NodeId) + Send + Sync + 'static) {
        self.verifier.tell_revoked(tell);
    }

    /// For the dialling side.
    #[must_use]
    pub fn client(&self) -> Arc<ClientConfig> {
        self.client.clone()
    }

    /// For the accepting side.
    #[must_use]
    pub fn server(&self) -> Arc<ServerConfig> {
        self.server.clone()
    }

    /// The name that rustls wants to be given when dialling. It is neither sent nor checked.
    #[must_use]
    pub fn server_name() -> ServerName<'static> {
        ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into())
    }
}

type Credentials = (Arc<dyn ResolvesClientCert>, Arc<dyn ResolvesServerCert>);

fn credentials(
    key: &NodeKey,
    chain: Option<Vec<CertificateDer<'static>>>,
) -> Result<Credentials, TlsError> {
    let Some(chain) = chain else {
        let raw = CertificateDer::from(spki_of(&key.node()).to_vec());
        let raw = Arc::new(CertifiedKey::new(vec![raw], key.signing()));
        return Ok((
            Arc::new(AlwaysResolvesClientRawPublicKeys::new(raw.clone())),
            Arc::new(AlwaysResolvesServerRawPublicKeys::new(raw)),
        ));
    };
    let certified = CertifiedKey::new(chain, key.signing());
    certified.keys_match().map_err(TlsError::Certificate)?;
    let single = Arc::new(SingleCertAndKey::from(certified));
    Ok((single.clone(), single))
}
