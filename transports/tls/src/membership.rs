//! Who may join.

use std::fmt;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

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
    },
    Insecure,
}

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
        Ok(Self(Kind::Authority { roots, chain }))
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
}
