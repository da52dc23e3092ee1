//! What is asked of the other end's key and certificate.

use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use peer_exchange::NodeId;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    RootCertStore, SignatureScheme,
};

use crate::key::{node_of_spki, spki_of};
use crate::membership::Revocations;

/// Verifies the other end, whichever side it is on.
pub(crate) struct Verifier {
    algorithms: WebPkiSupportedAlgorithms,
    /// Without one, the other end shows a raw public key, and membership is proven after the
    /// handshake.
    authority: Option<Authority>,
    /// Is told whose certificate was refused because it is revoked.
    told: OnceLock<Box<dyn Fn(NodeId) + Send + Sync>>,
}

struct Authority {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    current: RwLock<Current>,
}

/// What changes with the revocation lists.
#[derive(Clone)]
struct Current {
    clients: Arc<dyn ClientCertVerifier>,
    has_lists: bool,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.authority {
            Some(_) => "Verifier(authority)",
            None => "Verifier(raw keys)",
        })
    }
}

impl Authority {
    fn current(&self) -> Current {
        // It is replaced whole.
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Current {
    fn new(
        roots: &Arc<RootCertStore>,
        provider: &Arc<CryptoProvider>,
        lists: Revocations,
    ) -> Result<Self, VerifierBuilderError> {
        let has_lists = !lists.is_empty();
        let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .with_crls(lists)
            .allow_unknown_revocation_status()
            .build()?;
        Ok(Self { clients, has_lists })
    }
}

impl Verifier {
    pub(crate) fn raw_keys(provider: &CryptoProvider) -> Self {
        Self {
            algorithms: provider.signature_verification_algorithms,
            authority: None,
            told: OnceLock::new(),
        }
    }

    pub(crate) fn authority(
        roots: RootCertStore,
        revocations: Revocations,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, VerifierBuilderError> {
        let roots = Arc::new(roots);
        let current = RwLock::new(Current::new(&roots, provider, revocations)?);
        Ok(Self {
            algorithms: provider.signature_verification_algorithms,
            authority: Some(Authority {
                roots,
                provider: provider.clone(),
                current,
            }),
            told: OnceLock::new(),
        })
    }

    /// Other revocation lists, for handshakes from now on. Without an authority there are none.
    pub(crate) fn replace(&self, lists: Revocations) -> Result<(), VerifierBuilderError> {
        if let Some(authority) = &self.authority {
            let new = Current::new(&authority.roots, &authority.provider, lists)?;
            let current = authority.current.write();
            *current.unwrap_or_else(PoisonError::into_inner) = new;
        }
        Ok(())
    }

    /// Tells of each certificate that is refused because it is revoked. The first to be given stays.
    pub(crate) fn tell_revoked(&self, tell: impl Fn(NodeId) + Send + Sync + 'static) {
        let _ = self.told.set(Box::new(tell));
    }

    /// By the authority, as TLS asks of a client; for either side where it is about revocation, since
    /// rustls has no such question about a server without its name.
    fn verify_client(
        &self,
        clients: &dyn ClientCertVerifier,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = clients.verify_client_cert(end_entity, intermediates, now);
        let is_revoked = matches!(
            verified,
            Err(Error::InvalidCertificate(CertificateError::Revoked))
        );
        if let (true, Some(tell)) = (is_revoked, self.told.get()) {
            tell(self.node_of(end_entity)?);
        }
        verified
    }

    /// The node ID that the other end's first certificate, or raw key, stands for.
    pub(crate) fn node_of(&self, certificate: &CertificateDer<'_>) -> Result<NodeId, Error> {
        let node = if self.authority.is_some() {
            let certificate = ParsedCertificate::try_from(certificate)?;
            node_of_spki(&certificate.subject_public_key_info())
        } else {
            node_of_spki(certificate)
        };
        // Another kind of key cannot be a node ID.
        node.ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))
    }

    /// The same for both sides: a signature of the session by the key that is the node ID.
    fn verify_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = spki_of(&self.node_of(certificate)?);
        verify_tls13_signature_with_raw_key(message, &spki, signed, &self.algorithms)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.node_of(end_entity)?;
        if let Some(authority) = &self.authority {
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(end_entity)?,
                &authority.roots,
                intermediates,
                now,
                self.algorithms.all,
            )?;
            let Current { clients, has_lists } = authority.current();
            if has_lists {
                self.verify_client(&*clients, end_entity, intermediates, now)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls13RequiredForQuic.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.authority.is_none()
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // No hints: who the authority is concerns no stranger.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.node_of(end_entity)?;
        match &self.authority {
            None => Ok(ClientCertVerified::assertion()),
            Some(authority) => {
                let clients = authority.current().clients;
                self.verify_client(&*clients, end_entity, intermediates, now)
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls13RequiredForQuic.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.authority.is_none()
    }
}
