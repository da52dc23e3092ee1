//! What an agent keeps across restarts: its table and sequence, in one file of its state directory.
//!
//! A file is there completely or not at all: it is written beside, flushed, and renamed. What
//! cannot be read is put aside, and the node starts without it.

use super::moment::{self, Moment};
use peer_exchange_tls::{Links, open_file};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The first bytes of a state file, with the version of its format.
const MAGIC: &[u8; 12] = b"peerx state\x01";
/// Bytes before the snapshot.
const HEAD: usize = MAGIC.len() + moment::LEN;
/// Bytes after it: its CRC-32.
const TAIL: usize = 4;
/// A larger file is none of ours: a full table of 1,048,576 records takes less.
const LARGEST: u64 = 1 << 30;

/// The directory, locked: one agent at a time.
pub(super) struct StateDir {
    dir: PathBuf,
    _lock: File,
}

/// What an earlier run has left.
pub(super) struct Saved {
    pub(super) snapshot: Vec<u8>,
    /// Since it was written; `None` when the clock cannot tell.
    pub(super) elapsed: Option<Duration>,
}

/// Why there is nothing to go on from.
#[derive(Debug)]
pub(super) enum Unusable {
    /// There is no file: a first start.
    Missing,
    /// There is one, and it is not whole.
    Damaged(String),
}

impl StateDir {
    /// Makes the directory if it is not there, for its owner alone, and locks it.
    ///
    /// # Errors
    /// A message: it cannot be made, or another agent uses it.
    pub(super) fn open(dir: &Path) -> Result<Self, String> {
        let shown = dir.display();
        create_private(dir).map_err(|error| {
            format!("cannot make the state directory {shown}: {error}; set `state_dir` to one that this user can write")
        })?;
        let path = dir.join("lock");
        let lock =
            open_lock(&path).map_err(|error| format!("cannot open {}: {error}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!(
                    "another peerx uses the state directory {shown}: stop it, or set another `state_dir`"
                ));
            }
            Err(TryLockError::Error(error)) => {
                return Err(format!("cannot lock {}: {error}", path.display()));
            }
        }
        Ok(Self {
            dir: dir.to_owned(),
            _lock: lock,
        })
    }

    /// The permissions of the directory, if they let others in.
    #[cfg(unix)]
    pub(super) fn open_to_others(&self) -> Option<u32> {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&self.dir).ok()?.permissions().mode() & 0o7777;
        (mode & 0o077 != 0).then_some(mode)
    }

    #[cfg(not(unix))]
    pub(super) fn open_to_others(&self) -> Option<u32> {
        None
    }

    pub(super) fn file(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// What the last run has left.
    pub(super) fn load(&self) -> Result<Saved, Unusable> {
        let mut bytes = Vec::new();
        let read = open_file(self.file(), Links::Refused)
            .and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
        match read {
            Ok(_) => parse(&bytes).map_err(|what| Unusable::Damaged(what.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Unusable::Missing),
            Err(error) => Err(Unusable::Damaged(error.to_string())),
        }
    }

    /// Puts the file aside; where to, if that worked.
    pub(super) fn put_aside(&self) -> io::Result<PathBuf> {
        let aside = self.dir.join("state.damaged");
        fs::rename(self.file(), &aside)?;
        Ok(aside)
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// When it cannot be written. The old one is still there then.
    pub(super) fn save(&self, snapshot: &[u8]) -> io::Result<()> {
        let new = self.dir.join("state.new");
        let written = write(&new, snapshot).and_then(|()| fs::rename(&new, self.file()));
        if written.is_err() {
            // On a full disk it would only take room.
            let _ = fs::remove_file(&new);
        }
        written?;
        sync_dir(&self.dir)
    }
}

fn parse(bytes: &[u8]) -> Result<Saved, &'static str> {
    if !bytes.starts_with(MAGIC) {
        return Err("it is no state file of this version");
    }
    let (content, sum) = bytes
        .split_last_chunk::<TAIL>()
        .filter(|(content, _)| content.len() >= HEAD)
        .ok_or("it is cut off")?;
    if crc32fast::hash(content) != u32::from_be_bytes(*sum) {
        return Err("its checksum is wrong");
    }
    let (head, snapshot) = content.split_at(HEAD);
    let at = head.last_chunk().ok_or("it is cut off")?;
    Ok(Saved {
        snapshot: snapshot.to_vec(),
        elapsed: Moment::now().since(&Moment::from_bytes(at)),
    })
}

fn write(path: &Path, snapshot: &[u8]) -> io::Result<()> {
    let mut content = Vec::with_capacity(HEAD + snapshot.len() + TAIL);
    content.extend_from_slice(MAGIC);
    content.extend_from_slice(&Moment::now().to_bytes());
    content.extend_from_slice(snapshot);
    let sum = crc32fast::hash(&content);
    content.extend_from_slice(&sum.to_be_bytes());
    // What an earlier run, or somebody else, has left there: it is neither followed nor written to.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(&content)?;
    file.sync_all()
}

/// The file itself, not one that a link in its place leads to, nor a FIFO that nobody reads.
#[cfg(unix)]
fn open_lock(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    options.custom_flags(flags.bits() as i32);
    let outcome = options.open(path);
    let is_file = |path: &Path| path.symlink_metadata().map(|it| it.is_file());
    match is_file(path) {
        Ok(false) => Err(io::Error::other(
            "it is no regular file but a link, a FIFO or the like: remove it",
        )),
        _ => outcome,
    }
}

#[cfg(not(unix))]
fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).open(path)
}

#[cfg(unix)]
fn create_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

#[cfg(not(unix))]
fn create_private(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(dir: &StateDir) -> Result<Vec<u8>, String> {
        match dir.load() {
            Ok(saved) => {
                assert!(saved.elapsed.is_some());
                Ok(saved.snapshot)
            }
            Err(Unusable::Missing) => Err("missing".into()),
            Err(Unusable::Damaged(what)) => Err(what),
        }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::open(&temp.path().join("a/b")).unwrap();
        assert_eq!(saved(&dir), Err("missing".into()));
        dir.save(b"first").unwrap();
        dir.save(b"second").unwrap();
        assert_eq!(saved(&dir).unwrap(), b"second");
    }

    #[test]
    fn one_agent_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        let first = StateDir::open(temp.path()).unwrap();
        let message = StateDir::open(temp.path()).err().unwrap();
        assert!(message.contains("another peerx"), "{message}");
        drop(first);
        assert!(StateDir::open(temp.path()).is_ok());
    }

    #[test]
    fn every_cut_and_every_changed_bit_is_noticed() {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::open(temp.path()).unwrap();
        dir.save(b"content").unwrap();
        let whole = fs::read(dir.file()).unwrap();
        for cut in 0..whole.len() {
            fs::write(dir.file(), &whole[..cut]).unwrap();
            assert!(saved(&dir).is_err(), "cut at {cut}");
        }
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(dir.file(), bytes).unwrap();
            assert!(saved(&dir).is_err(), "bit {bit}");
        }
        let aside = dir.put_aside().unwrap();
        assert!(aside.exists() && !dir.file().exists());
    }

    /// Neither is what a link leads to read or written, nor does a FIFO hold anything up.
    #[cfg(unix)]
    #[test]
    fn links_and_fifos_in_place_of_its_files_are_not_used() {
        use std::os::unix::fs::symlink;
        let fifo = |path: &Path| {
            rustix::fs::mkfifoat(rustix::fs::CWD, path, 0o600.into()).unwrap();
        };
        let temp = tempfile::tempdir().unwrap();
        let (own, other) = (temp.path().join("own"), temp.path().join("other"));
        let dir = StateDir::open(&own).unwrap();
        dir.save(b"good").unwrap();
        fs::rename(dir.file(), &other).unwrap();
        let before = fs::read(&other).unwrap();
        symlink(&other, dir.file()).unwrap();
        let refused = saved(&dir).unwrap_err();
        assert!(refused.contains("symbolic link"), "{refused}");
        for what in [fifo, |path: &Path| symlink("../other", path).unwrap()] {
            what(&own.join("state.new"));
            dir.save(b"newer").unwrap();
            assert_eq!(saved(&dir).unwrap(), b"newer");
            assert_eq!(fs::read(&other).unwrap(), before);
        }
        fs::remove_file(dir.file()).unwrap();
        fifo(&dir.file());
        let refused = saved(&dir).unwrap_err();
        assert!(refused.contains("a FIFO"), "{refused}");
        drop(dir);
        for what in [fifo, |path: &Path| symlink("../other", path).unwrap()] {
            fs::remove_file(own.join("lock")).unwrap();
            what(&own.join("lock"));
            let refused = StateDir::open(&own).err().unwrap();
            assert!(refused.contains("no regular file"), "{refused}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_is_open_to_others_is_noticed() {
        use std::os::unix::fs::PermissionsExt;
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::open(&temp.path().join("state")).unwrap();
        assert_eq!(dir.open_to_others(), None);
        for mode in [0o755, 0o770, 0o1777] {
            fs::set_permissions(&dir.dir, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(dir.open_to_others(), Some(mode));
        }
    }

    #[test]
    fn a_failed_write_keeps_what_was_there() {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::open(temp.path()).unwrap();
        dir.save(b"good").unwrap();
        // In the way of the new file.
        fs::create_dir(temp.path().join("state.new")).unwrap();
        assert!(dir.save(b"never").is_err());
        assert_eq!(saved(&dir).unwrap(), b"good");
    }
}
