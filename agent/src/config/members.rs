//! Who may join, and as whom: the files that a configuration names, read and judged.

use super::judge::Judge;
use super::{Members, Mode, Settings};
use crate::input::{self, InputError, read_bytes, read_secret};
use peer_exchange_tls::{KeyError, Membership, NodeKey, Tls, Token};
use std::io;
use std::path::{Path, PathBuf};

/// What `peerx run` needs beside the settings. No membership: that of a copy, which is elsewhere.
/// No key: the first start makes it.
pub(super) type Credentials = (Option<Membership>, Option<NodeKey>);

/// Who may join, as the file says.
pub(super) fn named(judge: &mut Judge<'_>) -> Option<Members> {
    let keys = &judge.file.keys;
    let mut all = Vec::new();
    if let Some(token) = &keys.token {
        all.push(Members::Token(token.get_ref().0.clone()));
    }
    if let Some(path) = &keys.token_file {
        all.push(Members::TokenFile(judge.beside(path.get_ref())));
    }
    if let Some(authority) = &keys.authority {
        all.push(Members::Authority {
            certificates: judge.beside(authority.certificates.get_ref()),
            certificate: judge.beside(authority.certificate.get_ref()),
            revocation_lists: {
                let lists = authority.revocation_lists.iter();
                let lists = lists.map(|list| judge.beside(Path::new(list.get_ref())));
                lists.collect()
            },
        });
    }
    let path = &judge.file.path;
    if all.len() > 1 {
        let problem = "choose one of `token`, `token_file` and `[authority]`";
        judge.fault(InputError::file(path, problem));
    } else if all.is_empty() && judge.mode != Mode::Insecure {
        let problem = "nobody could join: set `token_file` (`peerx token > FILE` makes a token), or `[authority]`; for an experiment on one machine run it with --insecure";
        judge.fault(InputError::file(path, problem));
    }
    all.pop()
}

/// Something is wrong, and the judge has been told.
#[derive(Debug)]
pub(super) struct Told;

impl Judge<'_> {
    pub(super) fn told(&mut self, key: &str, problem: impl Into<String>) -> Told {
        self.fault(self.file.error_at_key(key, problem));
        Told
    }
}

/// Reads what the settings name.
pub(super) fn load(judge: &mut Judge<'_>, settings: &Settings) -> Result<Credentials, Told> {
    let membership = match judge.mode {
        Mode::Insecure => Some(Membership::insecure()),
        _ => membership(judge, settings)?,
    };
    if !judge.has_files() {
        return Ok((membership, None));
    }
    let key = key(judge, settings)?;
    if let (Some(membership), Some(key)) = (&membership, &key)
        && let Err(error) = Tls::new(key, membership)
    {
        let problem = format!("{error} ({})", settings.key_file.display());
        return Err(judge.told("authority.certificate", problem));
    }
    Ok((membership, key))
}

/// `None` for a copy whose token or certificates are elsewhere.
fn membership(judge: &mut Judge<'_>, settings: &Settings) -> Result<Option<Membership>, Told> {
    let membership = match settings.members.as_ref().ok_or(Told)? {
        Members::Token(text) => {
            warn_if_exposed(judge, "token", "the token", &judge.file.path.clone());
            token(judge, "token", "`token`", text)?
        }
        _ if !judge.has_files() => return Ok(None),
        Members::TokenFile(file) => {
            let shown = format!("`token_file` {}", file.display());
            let bytes = read_secret(file);
            let bytes = read(judge, "token_file", &shown, bytes, "a token")?;
            warn_if_exposed(judge, "token_file", "the token", file);
            let text = String::from_utf8_lossy(&bytes);
            token(judge, "token_file", &shown, &text)?
        }
        Members::Authority {
            certificates,
            certificate,
            revocation_lists,
        } => {
            let mut pem = |key: &str, file: &Path| {
                let shown = format!("`[authority]` {}", file.display());
                read(judge, key, &shown, read_bytes(file), "certificates in PEM")
            };
            let authority = pem("authority.certificates", certificates);
            let leaf = pem("authority.certificate", certificate);
            let membership = Membership::authority(&authority?, &leaf?)
                .map_err(|error| judge.told("authority", format!("`[authority]`: {error}")))?;
            revoked(judge, membership, revocation_lists)?
        }
    };
    Ok(Some(membership))
}

fn token(judge: &mut Judge<'_>, key: &str, shown: &str, text: &str) -> Result<Membership, Told> {
    let token = text.parse::<Token>().map_err(|error| {
        let problem = format!("{shown}: {error}; `peerx token > FILE` makes one");
        judge.told(key, problem)
    })?;
    Ok(Membership::token(token))
}

/// But for those in these lists.
fn revoked(
    judge: &mut Judge<'_>,
    mut membership: Membership,
    lists: &[PathBuf],
) -> Result<Membership, Told> {
    const KEY: &str = "authority.revocation_lists";
    for file in lists {
        let shown = format!("`[authority]` {}", file.display());
        let pem = read_bytes(file);
        let pem = read(judge, KEY, &shown, pem, "revocation lists in PEM")?;
        let outcome = membership.with_revocation_lists(&pem);
        membership = outcome.map_err(|error| judge.told(KEY, format!("{shown}: {error}")))?;
    }
    Ok(membership)
}

/// What a file holds that the configuration names.
pub(super) fn read<T>(
    judge: &mut Judge<'_>,
    key: &str,
    shown: &str,
    bytes: io::Result<T>,
    expected: &str,
) -> Result<T, Told> {
    bytes.map_err(|error| {
        let problem = format!("{shown}: {}; expected {expected}", input::unread(&error));
        judge.told(key, problem)
    })
}

/// The node's key, if it has been made.
fn key(judge: &mut Judge<'_>, settings: &Settings) -> Result<Option<NodeKey>, Told> {
    let file = &settings.key_file;
    let problem = match NodeKey::load(file) {
        Ok(key) => return Ok(Some(key)),
        Err(KeyError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
            match cannot_be_made(judge, settings) {
                Some(problem) => problem,
                None => return Ok(None),
            }
        }
        Err(KeyError::Malformed) => format!(
            "`key_file` {}: {}; remove it for a new identity",
            file.display(),
            KeyError::Malformed
        ),
        Err(error) => error.to_string(),
    };
    Err(judge.told("key_file", problem))
}

/// Why the first start could not make the node's key.
fn cannot_be_made(judge: &Judge<'_>, settings: &Settings) -> Option<String> {
    let file = settings.key_file.display();
    let certified = matches!(settings.members, Some(Members::Authority { .. }));
    if certified && judge.mode != Mode::Insecure {
        return Some(format!(
            "`key_file` {file}: no such file or directory; expected the key of the node's certificate"
        ));
    }
    // The state directory is made if it is not there.
    let dir = settings.key_file.parent()?;
    let there = dir.as_os_str().is_empty() || dir.is_dir() || settings.state_dir.starts_with(dir);
    (!there).then(|| {
        let dir = dir.display();
        format!("`key_file` {file}: no such directory {dir}; make it, for this user alone")
    })
}

/// Whoever can read the token can join; and so for what else is a secret.
#[cfg(unix)]
pub(super) fn warn_if_exposed(judge: &mut Judge<'_>, key: &str, what: &str, file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if !judge.has_files() {
        return;
    }
    let mode = std::fs::metadata(file).map(|m| m.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o004 != 0) {
        let problem = format!(
            "everybody on this machine can read {what} in {}: run chmod 600",
            file.display()
        );
        judge.warn_at_key(key, problem);
    }
}

#[cfg(not(unix))]
pub(super) fn warn_if_exposed(_: &mut Judge<'_>, _: &str, _: &str, _: &Path) {}

/// Where state is kept.
pub(super) fn state_dir(judge: &mut Judge<'_>) -> PathBuf {
    let Some(given) = &judge.file.keys.state_dir else {
        return default_state_dir();
    };
    let dir = judge.beside(given.get_ref());
    // What is there of the way to it: the rest is made.
    let there = dir.ancestors().find(|part| part.exists());
    if judge.has_files()
        && let Some(file) = there.filter(|part| !part.is_dir())
    {
        let problem = format!("`state_dir`: {} is no directory", file.display());
        judge.fault_of(given, problem);
    }
    dir
}

/// Where state is kept when the file does not say: what systemd gives, or what is usual.
fn default_state_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("STATE_DIRECTORY") {
        return dir.into();
    }
    if rustix::process::geteuid().is_root() {
        return "/var/lib/peerx".into();
    }
    let home = |name| std::env::var_os(name).map(PathBuf::from);
    home("XDG_STATE_HOME")
        .or_else(|| home("HOME").map(|home| home.join(".local/state")))
        .map_or_else(|| "/var/lib/peerx".into(), |dir| dir.join("peerx"))
}
