//! Who may join.

use std::fmt;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};

use crate::token::Token;

/// Who may join: the operator's choice, the same on every node.
#[derive(Clone)]
pub struct Membership(pub(crate) Kind);

#[derive(Clone)]
pub(crate) enum Kind {
    Token(Token),
    Authority {
        roots: RootCertStore,
        chain: Vec<CertificateDer<'static>>,
        revocations: Revocations,
    },
    Insecure,
}

/// Lists of certificates that count no longer, though their time has not ended.
pub(crate) type Revocations = Vec<CertificateRevocationListDer<'static>>;

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Token(_) => "Membership::token(…)",
            Kind::Authority { .. } => "Membership::authority(…)",
            Kind::Insecure => "Membership::insecure()",
        })
    }
}

/// Why certificates are no membership.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum MembershipError {
    /// The text has no certificate, or a broken one.
    #[error("no certificate in PEM (-----BEGIN CERTIFICATE-----) in {0}")]
    NoCertificate(&'static str),
    /// The text has no revocation list, or a broken one.
    #[error("no revocation list in PEM (-----BEGIN X509 CRL-----)")]
    NoList,
    /// Revocation lists go with an authority alone.
    #[error("revocation lists are of an authority, and members are not known by one here")]
    NoAuthority,
    /// A certificate of the authority cannot be used.
    #[error("the authority's certificate cannot be used: {0}")]
    Authority(rustls::Error),
}

impl Membership {
    /// Whoever knows this token.
    #[must_use]
    pub const fn token(token: Token) -> Self {
        Self(Kind::Token(token))
    }

    /// Whoever has a certificate of this authority, with an Ed25519 key of its own. Both texts are
    /// PEM: the authority's certificates, and this node's with the ones between, its own first.
    ///
    /// Chain and validity are checked, names are not. A certificate that limits its use has to
    /// allow both server and client authentication.
    ///
    /// # Errors
    /// When a text has no usable certificate.
    pub fn authority(authority: &[u8], chain: &[u8]) -> Result<Self, MembershipError> {
        let mut roots = RootCertStore::empty();
        for root in certificates(authority, "the authority's file")? {
            roots.add(root).map_err(MembershipError::Authority)?;
        }
        let chain = certificates(chain, "the node's certificate file")?;
        Ok(Self(Kind::Authority {
            roots,
            chain,
            revocations: Vec::new(),
        }))
    }

    /// But for those whose certificates are in these revocation lists of the authority, or of one
    /// between, in PEM. Added to those that were there before.
    ///
    /// A certificate of whose issuer there is no list counts as not revoked, and a list counts for as
    /// long as there is no newer one: members are not shut out because a list came late.
    ///
    /// # Errors
    /// When the text has no list, or this is no membership by an authority.
    pub fn with_revocation_lists(mut self, pem: &[u8]) -> Result<Self, MembershipError> {
        let Kind::Authority { revocations, .. } = &mut self.0 else {
            return Err(MembershipError::NoAuthority);
        };
        let all: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
        match all {
            Ok(all) if !all.is_empty() => revocations.extend(all),
            _ => return Err(MembershipError::NoList),
        }
        Ok(self)
    }

    /// Everybody: for experiments on one machine. The token is fixed and well known; whoever can
    /// reach a port is a member, and a member can disturb.
    #[must_use]
    pub const fn insecure() -> Self {
        Self(Kind::Insecure)
    }

    /// Whether everybody is a member, which is worth a warning.
    #[must_use]
    pub const fn is_insecure(&self) -> bool {
        matches!(self.0, Kind::Insecure)
    }
}

fn certificates(
    pem: &[u8],
    file: &'static str,
) -> Result<Vec<CertificateDer<'static>>, MembershipError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(MembershipError::NoCertificate(file)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_without_certificates_are_refused() {
        for text in ["", "not PEM", "-----BEGIN CERTIFICATE-----\nAA"] {
            assert!(
                Membership::authority(text.as_bytes(), b"").is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn lists_are_of_an_authority() {
        let refused = Membership::insecure().with_revocation_lists(b"");
        assert!(matches!(refused, Err(MembershipError::NoAuthority)));
    }
}
