//! A certificate authority that lives as long as a test.

use peer_exchange_tls::{Membership, NodeKey};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ED25519, date_time_ymd,
};

/// An authority with an ECDSA key: only leaves have to be Ed25519.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// A new key, and its membership by a certificate of this authority.
    #[must_use]
    pub fn member(&self) -> (NodeKey, Membership) {
        self.issue(CertificateParams::new([]).expect("no names"))
    }

    /// The same, by a certificate that has ended long ago.
    #[must_use]
    pub fn former_member(&self) -> (NodeKey, Membership) {
        let mut params = CertificateParams::new([]).expect("no names");
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
        self.issue(params)
    }

    /// A new member as an agent reads it, in PEM: its key, and its certificate.
    #[must_use]
    pub fn member_pem(&self) -> (String, String) {
        self.issue_pem(CertificateParams::new([]).expect("no names"))
    }

    /// The key and the certificate of a server with this name or address, in PEM: for clients that
    /// check names, as those of other programs do.
    #[must_use]
    pub fn server_pem(&self, name: &str) -> (String, String) {
        self.issue_pem(CertificateParams::new([name.to_owned()]).expect("a name"))
    }

    /// The authority's certificate, in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    fn issue(&self, params: CertificateParams) -> (NodeKey, Membership) {
        let (key, leaf) = self.issue_pem(params);
        let key = NodeKey::from_pem(key.as_bytes()).expect("an Ed25519 key");
        let membership = Membership::authority(self.pem().as_bytes(), leaf.as_bytes());
        (key, membership.expect("certificates"))
    }

    fn issue_pem(&self, params: CertificateParams) -> (String, String) {
        let pair = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        let leaf = params.signed_by(&pair, &self.0).expect("a certificate");
        (pair.serialize_pem(), leaf.pem())
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
