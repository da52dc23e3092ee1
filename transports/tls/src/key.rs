//! A node's key, and the file that it lives in.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use peer_exchange::NodeId;
use pem_rfc7468::{Decoder, LineEnding};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use zeroize::Zeroizing;

use crate::file::{self, Links};

/// A node's Ed25519 key: its identity for as long as the file lives.
#[derive(Clone)]
pub struct NodeKey {
    pkcs8: Arc<Zeroizing<Vec<u8>>>,
    /// The only copy to sign with, for TLS and for records.
    pair: Arc<Ed25519KeyPair>,
    node: NodeId,
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({:?})", self.node)
    }
}

/// Why there is no key. No file was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("key file {}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// Others can read the file: whoever has read it can be this node.
    #[error(
        "key file {} can be read by others (mode {mode:04o}): run chmod 600, or remove it for a new identity",
        path.display()
    )]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The text is no Ed25519 key in PKCS#8 PEM.
    #[error("no Ed25519 key in PKCS#8 PEM (-----BEGIN PRIVATE KEY-----)")]
    Malformed,
    /// The operating system has no randomness.
    #[error("no randomness from the operating system")]
    Randomness,
}

/// An Ed25519 private key in PKCS#8 version 1, but for its 32 bytes (RFC 8410, section 7).
const PKCS8: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
/// An Ed25519 public key as SubjectPublicKeyInfo, but for its 32 bytes (RFC 8410, section 4).
const SPKI: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
const LABEL: &str = "PRIVATE KEY";
const BEGIN: &[u8] = b"-----BEGIN PRIVATE KEY-----";
const END: &[u8] = b"-----END PRIVATE KEY-----";
/// No key file is longer.
const LONGEST: u64 = 16 * 1024;

impl NodeKey {
    /// A new key, kept in memory only.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let seed = Zeroizing::new(random_seed()?);
        let mut der = Zeroizing::new(Vec::with_capacity(PKCS8.len() + seed.len()));
        der.extend_from_slice(&PKCS8);
        der.extend_from_slice(seed.as_slice());
        Self::from_der(der)
    }

    /// The key in this file, or a new one in a new file that only its owner can read. Of several
    /// processes that start at once, all get the same key.
    ///
    /// # Errors
    /// When the file is there and unusable or exposed, or cannot be made.
    pub fn load_or_create(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        match Self::load(path) {
            Err(KeyError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let key = Self::generate()?;
        match create(path, key.to_pem().as_bytes()) {
            Ok(()) => Ok(key),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::load(path),
            Err(error) => Err(io_error(path, error)),
        }
    }

    /// The key in this file, which is a file and no link.
    ///
    /// # Errors
    /// When it cannot be read, is no key, or can be read by others.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        let read = || {
            let file = file::open_file(path, Links::Refused)?;
            let mode = others_may(&file)?;
            Ok((mode, file::read_wiped(file, LONGEST)?))
        };
        let (mode, pem) = read().map_err(|error| io_error(path, error))?;
        if let Some(mode) = mode {
            let path = path.to_path_buf();
            return Err(KeyError::Exposed { path, mode });
        }
        Self::from_pem(&pem)
    }

    /// The key in this text.
    ///
    /// # Errors
    /// When it is no Ed25519 key in PKCS#8 PEM.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let malformed = |_| KeyError::Malformed;
        let block = block(pem).ok_or(KeyError::Malformed)?;
        let mut der = Zeroizing::new(vec![0; block.len()]);
        let mut decoder = Decoder::new_detect_wrap(block).map_err(malformed)?;
        let length = decoder.remaining_len();
        let room = der.get_mut(..length).ok_or(KeyError::Malformed)?;
        decoder.decode(room).map_err(malformed)?;
        der.truncate(length);
        Self::from_der(der)
    }

    fn from_der(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8).map_err(|_| KeyError::Malformed)?;
        let public = pair.public_key().as_ref();
        let node = NodeId::from_slice(public).ok_or(KeyError::Malformed)?;
        Ok(Self {
            pkcs8: Arc::new(pkcs8),
            pair: Arc::new(pair),
            node,
        })
    }

    /// The key as text. It is a secret.
    ///
    /// # Panics
    /// Never: it was read from such a text, or could be.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        let encode = |buffer: &mut [u8]| {
            let pem = pem_rfc7468::encode(LABEL, LineEnding::LF, &self.pkcs8, buffer);
            pem.map(str::len)
        };
        // Beyond the two lines around it less than twice as long.
        let mut buffer = Zeroizing::new(vec![0; 2 * self.pkcs8.len() + 128]);
        let length = encode(&mut buffer).expect("there is room for it");
        let text = std::str::from_utf8(&buffer[..length]).expect("it is ASCII");
        Zeroizing::new(text.to_owned())
    }

    /// The node ID: the public key.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn pair(&self) -> Arc<Ed25519KeyPair> {
        self.pair.clone()
    }
}

/// 32 secret bytes, as [`Node::new`](peer_exchange::Node::new) wants them.
///
/// # Errors
/// When the operating system has no randomness.
pub fn random_seed() -> Result<[u8; 32], KeyError> {
    let mut seed = [0; 32];
    let random = SystemRandom::new();
    random.fill(&mut seed).map_err(|_| KeyError::Randomness)?;
    Ok(seed)
}

/// The node ID in an Ed25519 public key; `None` for any other kind of key.
pub(crate) fn node_of_spki(spki: &[u8]) -> Option<NodeId> {
    NodeId::from_slice(spki.strip_prefix(&SPKI)?)
}

pub(crate) fn spki_of(node: &NodeId) -> SubjectPublicKeyInfoDer<'static> {
    [SPKI.as_slice(), node.as_bytes()].concat().into()
}

fn io_error(path: &Path, error: io::Error) -> KeyError {
    let path = path.to_path_buf();
    KeyError::Io { path, error }
}

/// The permissions, if they let others in. Asked of the open file, so that it is the one read.
#[cfg(unix)]
fn others_may(file: &File) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

#[cfg(not(unix))]
fn others_may(_: &File) -> io::Result<Option<u32>> {
    Ok(None)
}

/// Writes a new file that is there completely or not at all, and never over another.
fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    // Not the process ID: what a crash has left behind would be in the way for ever.
    let unique = random_seed().map_err(io::Error::other)?;
    name.push(format!(
        ".{:016x}.new",
        u64::from_be_bytes(*unique.first_chunk().unwrap_or(&[0; 8]))
    ));
    let new = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let written = options.open(&new).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()?;
        // Unlike a rename, a link refuses to replace what another process has made meanwhile.
        fs::hard_link(&new, path)
    });
    let _ = fs::remove_file(&new);
    written?;
    sync_parent(path)
}

#[cfg(unix)]
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_parent(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The first private key in a text that may have certificates, too.
fn block(pem: &[u8]) -> Option<&[u8]> {
    let find = |mark: &[u8]| pem.windows(mark.len()).position(|part| part == mark);
    let (begin, end) = (find(BEGIN)?, find(END)? + END.len());
    pem.get(begin..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, section 10.3.
    const EXAMPLE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";

    #[test]
    fn reads_and_writes_the_example_of_the_rfc() {
        let key = NodeKey::from_pem(EXAMPLE.as_bytes()).unwrap();
        let public = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
        assert_eq!(key.node().to_string(), public);
        assert_eq!(*key.to_pem(), EXAMPLE);
    }

    #[test]
    fn a_key_is_found_among_certificates_and_in_lines_of_any_length() {
        let node = NodeKey::from_pem(EXAMPLE.as_bytes()).unwrap().node();
        let other = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let broken = EXAMPLE.replace(
            "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK",
            "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK\n",
        );
        for text in [
            format!("{other}{EXAMPLE}{other}"),
            format!("{EXAMPLE}\n\n"),
            EXAMPLE.replace('\n', "\r\n"),
            broken,
        ] {
            assert_eq!(
                NodeKey::from_pem(text.as_bytes()).unwrap().node(),
                node,
                "{text}"
            );
        }
        let ends = "-----END PRIVATE KEY----------BEGIN PRIVATE KEY-----";
        for text in [
            ends,
            "-----BEGIN PRIVATE KEY-----\nA\n-----END PRIVATE KEY-----",
            "",
        ] {
            assert!(NodeKey::from_pem(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("node.key"), dir.path().join("other"));
        NodeKey::load_or_create(&other).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        for refused in [NodeKey::load(&path), NodeKey::load_or_create(&path)] {
            let refused = refused.unwrap_err().to_string();
            assert!(
                refused.contains("node.key: it is a symbolic link"),
                "{refused}"
            );
        }
    }

    #[test]
    fn is_created_once_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        let first = NodeKey::load_or_create(&path).unwrap();
        let again = NodeKey::load_or_create(&path).unwrap();
        assert_eq!(first.node(), again.node());
        assert_ne!(first.node(), NodeKey::generate().unwrap().node());
        // Nothing else is left behind.
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn of_many_that_start_at_once_all_get_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        let start = || NodeKey::load_or_create(&path).unwrap().node();
        let nodes = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            threads
                .into_iter()
                .map(|t| t.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert!(nodes.iter().all(|node| *node == nodes[0]));
        let refused = create(&path, b"another").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(NodeKey::load(&path).unwrap().node(), nodes[0]);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        NodeKey::load_or_create(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = NodeKey::load_or_create(&path);
        assert!(matches!(
            refused,
            Err(KeyError::Exposed { mode: 0o640, .. })
        ));
    }

    #[test]
    fn other_content_is_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).unwrap().write_all(b"torn").unwrap();
        let refused = NodeKey::load_or_create(&path);
        assert!(matches!(refused, Err(KeyError::Malformed)));
        assert_eq!(fs::read(&path).unwrap(), b"torn");
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let key = NodeKey::from_pem(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(format!("{key:?}"), "NodeKey(19bf4409)");
    }
}
