//! How the service beside this agent is asked: over HTTP, or over HTTPS with an authority and a
//! certificate of the operator's.

use crate::input::read_bytes;
use crate::pem;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use zeroize::Zeroizing;

/// The service answers within this time.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const LONGEST: u64 = 64 * 1024;

/// Where a service tells its own addresses, and the files with which it is asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Source {
    pub(crate) url: String,
    /// For https: the authority of the service's certificate.
    pub(crate) authority: Option<PathBuf>,
    /// What this agent shows if it is asked for a certificate, and the key of that.
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

impl Source {
    /// One that is asked without TLS.
    pub(crate) fn plain(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            authority: None,
            certificate: None,
            key: None,
        }
    }

    /// Whether a URL is one of https; why it is none that could be asked.
    pub(crate) fn scheme(url: &str) -> Result<bool, String> {
        if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err("which has a space or a control character".into());
        }
        let uri: ureq::http::Uri = url.parse().map_err(|_| "which is no URL".to_owned())?;
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("which starts with neither http:// nor https://".into()),
        };
        let authority = uri.authority().ok_or("which names no host")?;
        if authority.as_str().contains('@') {
            return Err("which has a user or a password: nobody would be shown them".into());
        }
        if authority.host().is_empty() {
            return Err("which names no host".into());
        }
        let port = authority.as_str().strip_prefix(authority.host());
        let port = port.and_then(|port| port.strip_prefix(':'));
        if port.is_some_and(|port| !matches!(port.parse::<u16>(), Ok(1..))) {
            return Err("whose port is not 1 to 65535".into());
        }
        Ok(is_https)
    }
}

/// A client with the files of one source. They are read anew for each: certificates are renewed.
pub(crate) struct Client {
    agent: ureq::Agent,
    url: String,
}

/// Which key's file is wrong, and what is.
type Fault = (&'static str, String);

impl Client {
    /// # Errors
    /// The key whose file cannot be used, and why.
    pub(crate) fn new(source: &Source) -> Result<Self, Fault> {
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            // The service is on this machine, whatever leads out of it.
            .proxy(None);
        if let Some(authority) = &source.authority {
            config = config.https_only(true).tls_config(tls(source, authority)?);
        }
        Ok(Self {
            agent: config.build().new_agent(),
            url: source.url.clone(),
        })
    }

    /// The service's answer.
    pub(crate) fn get(&self) -> Result<String, String> {
        let shown = |error: ureq::Error| error.to_string();
        let answer = self.agent.get(&self.url);
        let answer = answer.header("Accept", "application/json").call();
        let body = answer.map_err(shown)?.into_body();
        let text = body.into_with_config().limit(LONGEST).read_to_string();
        text.map_err(shown)
    }
}

fn tls(source: &Source, authority: &Path) -> Result<TlsConfig, Fault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = certificates("ca_file", authority)?;
    let identity = match (&source.certificate, &source.key) {
        (Some(certificate), Some(key)) => Some((
            certificates("certificate_file", certificate)?,
            private_key(key)?,
        )),
        _ => None,
    };
    // The client below takes what it is given, and panics or says little when that does not fit.
    let mut store = RootCertStore::empty();
    for root in &roots {
        let added = store.add(root.clone());
        added.map_err(|error| ("ca_file", format!("{}: {error}", authority.display())))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ("learn_from", error.to_string()))?
        .with_root_certificates(store);
    if let Some((chain, (der, _))) = &identity {
        let fits = builder.with_client_auth_cert(chain.clone(), der.clone_key());
        fits.map_err(|error| {
            (
                "certificate_file",
                format!("it is not for `key_file`: {error}"),
            )
        })?;
    }
    let own = |der: &CertificateDer<'_>| Certificate::from_der(der).to_owned();
    let client = identity.map(|(chain, (_, key))| {
        let chain: Vec<_> = chain.iter().map(own).collect();
        ClientCert::new_with_certs(&chain, key)
    });
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::from(roots.iter().map(own)))
        .client_cert(client)
        .build())
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    pem::certificates(path).map_err(|problem| (key, problem))
}

/// As rustls has it, and as the client has it.
fn private_key(path: &Path) -> Result<(PrivateKeyDer<'static>, PrivateKey<'static>), Fault> {
    let der = pem::private_key(path).map_err(|problem| ("key_file", problem))?;
    let pem = Zeroizing::new(read_bytes(path).unwrap_or_default());
    let key = PrivateKey::from_pem(&pem)
        .map_err(|error| ("key_file", format!("{}: {error}", path.display())))?;
    Ok((der, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_both_kinds_and_none() {
        for (url, https) in [
            ("http://127.0.0.1:5002/id", false),
            ("http://[::1]:5002/id", false),
            ("https://server1:6443/v1-k3s/p2p", true),
            ("HTTP://spegel/id", false),
        ] {
            assert_eq!(Source::scheme(url), Ok(https), "{url}");
        }
        for (url, why) in [
            ("x", "neither"),
            ("", "no URL"),
            ("ftp://a/id", "neither"),
            ("http://", "no URL"),
            ("http://:5002/id", "no host"),
            ("http://a:0/id", "port"),
            ("http://a:99999/id", "port"),
            ("http://[::1]:0/id", "port"),
            ("http://user:secret@a/id", "password"),
            ("http://a b/id", "space"),
        ] {
            let problem = Source::scheme(url).unwrap_err();
            assert!(problem.contains(why), "{url}: {problem}");
        }
    }
}
