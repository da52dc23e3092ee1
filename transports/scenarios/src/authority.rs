//! A certificate authority that lives as long as a test.

use peer_exchange_tls::{Membership, NodeKey};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, RevokedCertParams,
    SerialNumber, date_time_ymd,
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
        // Without any it may do both, but rcgen signs no list.
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
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

    /// A new key, and its membership by a certificate with this serial number, by which it can be
    /// revoked.
    #[must_use]
    pub fn numbered_member(&self, serial: u64) -> (NodeKey, Membership) {
        self.issue(numbered(serial))
    }

    /// The same, in PEM.
    #[must_use]
    pub fn numbered_member_pem(&self, serial: u64) -> (String, String) {
        self.issue_pem(numbered(serial))
    }

    /// The list of revoked certificates, which has these serial numbers, in PEM.
    #[must_use]
    pub fn revocation_list(&self, serials: &[u64]) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2124, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.0).expect("a list");
        list.pem().expect("in PEM")
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

fn numbered(serial: u64) -> CertificateParams {
    let mut params = CertificateParams::new([]).expect("no names");
    params.serial_number = Some(SerialNumber::from(serial));
    params
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
