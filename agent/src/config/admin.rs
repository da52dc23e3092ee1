//! The admin interface: what it is called, and who may read it.

use super::judge::Judge;
use super::members::{Told, read, warn_if_exposed};
use super::{Members, Settings};
use crate::address::HostKey;
use crate::{input, pem};
use peer_exchange_tls::Token;
use rustls::ServerConfig;
use rustls::version::TLS13;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The files that the configuration names for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AdminFiles {
    /// The certificate, with what its authority adds, and its key.
    identity: Option<(PathBuf, PathBuf)>,
    token: Option<PathBuf>,
}

/// What these files hold.
#[derive(Clone, Default)]
pub(crate) struct Access {
    /// With TLS, and as whom.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Who shows it may read.
    pub(crate) token: Option<Token>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("tls", &self.tls.is_some())
            .field("token", &self.token)
            .finish()
    }
}

/// Names by which it is asked, beside those that are its own anyway.
pub(super) fn names(judge: &mut Judge<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for entry in judge.file.keys.admin_names.iter() {
        let text = entry.get_ref();
        let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
        match HostKey::new(text) {
            HostKey::Name(name) if !name.is_empty() && !name.contains(odd) => names.push(name),
            HostKey::Ip(_) => judge.warn_of(
                entry,
                format!("`admin_names` has \"{text}\": an IP address is always answered to"),
            ),
            HostKey::Name(_) => {
                let shown = input::shown(text);
                let problem = format!(
                    "`admin_names` has \"{shown}\", which is no name of a host; expected one without a port, such as peerx.example"
                );
                judge.fault_of(entry, problem);
            }
        }
    }
    names
}

/// Which files it has, and whether they go together. `at` is where it listens.
pub(super) fn files(judge: &mut Judge<'_>, at: Option<SocketAddr>) -> AdminFiles {
    let keys = &judge.file.keys;
    let given = [
        ("admin_certificate_file", &keys.admin_certificate_file),
        ("admin_key_file", &keys.admin_key_file),
        ("admin_token_file", &keys.admin_token_file),
    ];
    let Some(at) = at else {
        for (key, file) in given {
            if let Some(file) = file {
                judge.warn_of(
                    file,
                    format!("`{key}` is of no use while `admin` is \"off\""),
                );
            }
        }
        return AdminFiles::default();
    };
    let [certificate, key, token] =
        given.map(|(_, file)| file.as_ref().map(|file| judge.beside(file.get_ref())));
    if certificate.is_some() != key.is_some() {
        let (there, lacks) = match key {
            None => ("admin_certificate_file", "admin_key_file"),
            Some(_) => ("admin_key_file", "admin_certificate_file"),
        };
        let problem = format!("`{there}` needs `{lacks}`: TLS takes both");
        judge.fault(judge.file.error_at_key(there, problem));
    }
    let files = AdminFiles {
        identity: certificate.zip(key),
        token,
    };
    exposure(judge, at, &files);
    files
}

/// On loopback nothing goes over a wire; elsewhere a token that is sent as it is protects from
/// nobody who listens there, and would only seem to.
fn exposure(judge: &mut Judge<'_>, at: SocketAddr, files: &AdminFiles) {
    if at.ip().is_loopback() {
        return;
    }
    let keys = &judge.file.keys;
    if let Some(token) = keys
        .admin_token_file
        .as_ref()
        .filter(|_| files.identity.is_none())
    {
        let problem = format!(
            "`admin_token_file` without TLS: whoever listens on the way to {at} would have the token; set `admin_certificate_file` and `admin_key_file`, or let `admin` be on loopback"
        );
        judge.fault_of(token, problem);
    } else if let Some(admin) = keys.admin.as_ref().filter(|_| files.token.is_none()) {
        let problem = format!(
            "the admin interface on {at} can be read from other machines: it tells what this node knows, and takes no orders (`admin_token_file` asks for a token)"
        );
        judge.warn_of(admin, problem);
    }
}

/// Reads the files, if they are on this machine.
pub(super) fn access(judge: &mut Judge<'_>, settings: &Settings) -> Access {
    let files = &settings.admin_files;
    if !judge.has_files() {
        return Access::default();
    }
    let identity = files.identity.as_ref();
    let tls = identity.and_then(|(certificate, key)| tls(judge, certificate, key).ok());
    let token = files.token.as_ref();
    let token = token.and_then(|file| token_in(judge, settings, file).ok());
    Access { tls, token }
}

fn tls(judge: &mut Judge<'_>, certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, Told> {
    let told = |judge: &mut Judge<'_>, key: &str, problem: String| {
        judge.told(key, format!("`{key}` {problem}"))
    };
    let chain = pem::certificates(certificate);
    let chain = chain.map_err(|problem| told(judge, "admin_certificate_file", problem));
    let private = pem::private_key(key);
    let private = private.map_err(|problem| told(judge, "admin_key_file", problem));
    warn_if_exposed(judge, "admin_key_file", "the key", key);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| judge.told("admin_certificate_file", error.to_string()))?;
    let builder = builder.with_no_client_auth();
    let config = builder.with_single_cert(chain?, private?);
    let mut config = config.map_err(|error| {
        let problem = format!(
            "{}: it is not for the key in `admin_key_file`, or none for a server: {error}",
            certificate.display()
        );
        told(judge, "admin_certificate_file", problem)
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // No session is worth the memory: a client keeps its connection for minutes.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn token_in(judge: &mut Judge<'_>, settings: &Settings, file: &Path) -> Result<Token, Told> {
    const KEY: &str = "admin_token_file";
    let shown = format!("`{KEY}` {}", file.display());
    let text = read(judge, KEY, &shown, input::read_secret(file), "a token")?;
    warn_if_exposed(judge, KEY, "the token", file);
    let text = String::from_utf8_lossy(&text);
    let token: Token = text.parse().map_err(|error| {
        let problem = format!("{shown}: {error}; `peerx token > FILE` makes one");
        judge.told(KEY, problem)
    })?;
    if is_of_cluster(settings, &token) {
        let problem = format!(
            "{shown}: this is the cluster's token, with which whoever reads pages could join; `peerx token > FILE` makes another"
        );
        return Err(judge.told(KEY, problem));
    }
    Ok(token)
}

fn is_of_cluster(settings: &Settings, token: &Token) -> bool {
    let of_cluster = match &settings.members {
        Some(Members::Token(text)) => Zeroizing::new(text.to_string()),
        Some(Members::TokenFile(file)) => {
            let bytes = input::read_secret(file).ok();
            let text = bytes.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
            Zeroizing::new(text.unwrap_or_default())
        }
        _ => return false,
    };
    of_cluster.trim_ascii() == token.reveal()
}
