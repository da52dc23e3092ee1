//! Certificates and keys of the operator's, in PEM.

use crate::input::{read_bytes, unread};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use zeroize::Zeroizing;

/// The certificates in a file, one at least.
///
/// # Errors
/// Which file cannot be used, and why.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(format!(
            "{}: no certificate in PEM (-----BEGIN CERTIFICATE-----)",
            path.display()
        )),
    }
}

/// The key in a file.
///
/// # Errors
/// Which file cannot be used, and why.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(&Zeroizing::new(read(path)?)).map_err(|_| {
        format!(
            "{}: no private key in PEM (-----BEGIN PRIVATE KEY-----)",
            path.display()
        )
    })
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    read_bytes(path).map_err(|error| format!("{}: {}", path.display(), unread(&error)))
}
