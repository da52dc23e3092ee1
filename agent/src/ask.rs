//! Asking the admin interface of a running agent, as it wants to be asked.

use crate::input::{read_bytes, unread};
use crate::pem;
use peer_exchange_tls::Token;
use serde::de::DeserializeOwned;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// An agent on the same machine answers within this time.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries at one that has too much to do.
const AGAIN: Duration = Duration::from_secs(1);
/// A full table of a million records is smaller.
const LARGEST: u64 = 1 << 30;
/// Of the text of an answer that is none.
const SHOWN: u64 = 4 << 10;

/// Where a running agent is asked.
#[derive(clap::Args, Debug)]
pub(crate) struct AdminArgs {
    /// The agent's admin interface
    #[arg(
        long,
        value_name = "URL",
        env = "PEERX_ADMIN",
        default_value = "http://127.0.0.1:7652"
    )]
    admin: String,
    /// For https: the authority of its certificate, in PEM
    #[arg(long, value_name = "FILE", env = "PEERX_ADMIN_CA_FILE")]
    admin_ca_file: Option<PathBuf>,
    /// The token that it asks for (`admin_token_file` of its configuration)
    #[arg(long, value_name = "FILE", env = "PEERX_ADMIN_TOKEN_FILE")]
    admin_token_file: Option<PathBuf>,
}

/// Who asks it.
pub(crate) struct Client {
    agent: ureq::Agent,
    base: String,
    token: Option<Token>,
}

impl Client {
    /// # Errors
    /// A message for the user: a file cannot be used, or the token would be shown to others.
    pub(crate) fn new(args: &AdminArgs) -> Result<Self, String> {
        let base = args.admin.trim_end_matches('/').to_owned();
        let uri: Option<Uri> = base.parse().ok();
        let is_https = uri.as_ref().and_then(Uri::scheme_str) == Some("https");
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false);
        if is_https {
            let authority = args.admin_ca_file.as_ref().ok_or_else(|| {
                format!("{base} is https: --admin-ca-file FILE names the authority of its certificate, in PEM")
            })?;
            config = config.tls_config(tls(authority)?);
        }
        let token = args.admin_token_file.as_deref().map(token).transpose()?;
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
        if is_loopback(host) {
            // Whatever leads out of this machine, that does not lead there.
            config = config.proxy(None);
        }
        if token.is_some() && !is_https && !is_loopback(host) {
            return Err(format!(
                "{base} is not https: whoever listens on the way to it would have the token; ask it over https, or leave out --admin-token-file"
            ));
        }
        Ok(Self {
            agent: config.build().new_agent(),
            base,
            token,
        })
    }

    /// What it answers there.
    ///
    /// # Errors
    /// A message for the user: nobody answers, or it does not answer to this one, or it is no agent.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let url = format!("{}{path}", self.base);
        let begun = Instant::now();
        let answer = loop {
            let mut request = self.agent.get(&url);
            if let Some(token) = &self.token {
                request = request.header("Authorization", format!("Bearer {}", token.reveal()));
            }
            let answer = request.call().map_err(|error| {
                format!("no agent answers at {url}: {error}; start one with `peerx run`, or name its admin interface with --admin")
            })?;
            if answer.status() != 503 || begun.elapsed() + AGAIN > PATIENCE {
                break answer;
            }
            sleep(AGAIN);
        };
        let status = answer.status().as_u16();
        let body = answer.into_body().into_with_config();
        if status == 200 {
            return body
                .limit(LARGEST)
                .read_json()
                .map_err(|error| format!("{url} is no peerx agent of this version: {error}"));
        }
        let why = match status {
            401 => "it asks for another token: --admin-token-file FILE, with the file of `admin_token_file` in its configuration".to_owned(),
            400 | 421 | 503 => body.limit(SHOWN).read_to_string().unwrap_or_default(),
            _ => "is a peerx agent there?".to_owned(),
        };
        Err(format!("{url} answered {status}: {}", why.trim_end()))
    }
}

/// Whether nothing that is sent there leaves this machine.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn tls(authority: &Path) -> Result<TlsConfig, String> {
    let roots = pem::certificates(authority).map_err(|why| format!("--admin-ca-file {why}"))?;
    let roots = roots
        .iter()
        .map(|der| Certificate::from_der(der).to_owned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::from(roots))
        .build())
}

fn token(file: &Path) -> Result<Token, String> {
    let wrong = |why: String| format!("--admin-token-file {}: {why}", file.display());
    let bytes = read_bytes(file).map_err(|error| wrong(unread(&error)))?;
    let text = String::from_utf8_lossy(&bytes);
    text.parse()
        .map_err(|error: peer_exchange_tls::TokenError| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_over_https_and_on_this_machine_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, Token::generate().unwrap().reveal()).unwrap();
        let client = |admin: &str| {
            Client::new(&AdminArgs {
                admin: admin.to_owned(),
                admin_ca_file: None,
                admin_token_file: Some(file.clone()),
            })
            .map(|_| ())
        };
        for fine in [
            "http://127.0.0.1:1/",
            "http://[::1]:1",
            "http://localhost:1",
        ] {
            assert_eq!(client(fine), Ok(()), "{fine}");
        }
        for (url, why) in [
            ("http://10.0.0.1:1", "is not https"),
            ("http://localhost.example:1", "is not https"),
            ("127.0.0.1.example", "is not https"),
            ("https://10.0.0.1:1", "--admin-ca-file"),
        ] {
            let problem = client(url).unwrap_err();
            assert!(problem.contains(why), "{url}: {problem}");
        }
    }
}
