//! Opening files in which somebody may have put something else.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

/// What to make of a path that ends in a symbolic link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Links {
    /// Whoever can put one there chooses what is read: refused, for what is secret or this program's own.
    Refused,
    /// For what a person has named and may be public.
    Followed,
}

/// Opens a file to be read: nothing but a file. A FIFO or a device would hold up whoever reads it, and
/// says so at once instead.
///
/// # Errors
/// When it cannot be opened, and when it is no file, with what it is and what to do.
pub fn open_file(path: impl AsRef<Path>, links: Links) -> io::Result<File> {
    let path = path.as_ref();
    let mut options = OpenOptions::new();
    options.read(true);
    set_up(&mut options, links);
    let file = options
        .open(path)
        .map_err(|error| explain(path, links, error))?;
    check(&file)?;
    Ok(file)
}

/// Reads a secret, into memory that is wiped: a file that is no link, at most so many bytes of it.
///
/// # Errors
/// As [`open_file`], and when it cannot be read.
pub fn read_secret(path: impl AsRef<Path>, most: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = open_file(path, Links::Refused)?;
    read_wiped(file, most)
}

/// Room for all of it at once: what a buffer leaves behind when it grows is wiped by nobody.
pub(crate) fn read_wiped(file: File, most: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let length = file.metadata()?.len().min(most);
    // And one byte more, so that it need not grow to find the end.
    let mut content = Zeroizing::new(Vec::with_capacity(length as usize + 64));
    file.take(most).read_to_end(&mut content)?;
    Ok(content)
}

/// Refuses what is open and no file.
///
/// # Errors
/// With what it is.
fn check(file: &File) -> io::Result<()> {
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let message = format!("it is no file but {}; expected a regular file", named(kind));
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

#[cfg(unix)]
fn named(kind: std::fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}

#[cfg(not(unix))]
fn named(kind: std::fs::FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else {
        "something else"
    }
}

#[cfg(unix)]
fn set_up(options: &mut OpenOptions, links: Links) {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    // A FIFO is opened at once, whether or not anybody writes, and then refused.
    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    if links == Links::Refused {
        flags |= OFlags::NOFOLLOW;
    }
    options.custom_flags(flags.bits() as i32);
}

#[cfg(not(unix))]
fn set_up(_: &mut OpenOptions, _: Links) {}

/// The system's own words for a link are "too many levels".
fn explain(path: &Path, links: Links, error: io::Error) -> io::Error {
    let is_link = || path.symlink_metadata().is_ok_and(|it| it.is_symlink());
    if links == Links::Followed || error.kind() == io::ErrorKind::NotFound || !is_link() {
        return error;
    }
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "it is a symbolic link, which is not followed; name the file that it leads to (in a volume of Kubernetes that is ..data/NAME)",
    )
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_link_is_refused_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, "secret").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(**read_secret(&file, 3).unwrap(), *b"sec");
        let refused = read_secret(&link, 100).unwrap_err();
        assert!(refused.to_string().contains("symbolic link"), "{refused}");
        assert!(open_file(&link, Links::Followed).is_ok());
        // One that leads nowhere is one, too.
        std::fs::remove_file(&file).unwrap();
        let refused = read_secret(&link, 100).unwrap_err();
        assert!(refused.to_string().contains("symbolic link"), "{refused}");
        // A directory on the way may be one.
        let way = dir.path().join("way");
        symlink(dir.path(), &way).unwrap();
        std::fs::write(&file, "secret").unwrap();
        assert!(read_secret(way.join("file"), 100).is_ok());
    }

    /// None of them holds up whoever opens it.
    #[test]
    fn what_is_no_file_is_refused_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
        let socket = dir.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        for (path, what) in [
            (fifo.as_path(), "a FIFO"),
            (dir.path(), "a directory"),
            (Path::new("/dev/zero"), "a device"),
        ] {
            for links in [Links::Refused, Links::Followed] {
                let refused = open_file(path, links).unwrap_err().to_string();
                assert!(refused.contains(what), "{refused}");
            }
        }
        // The system says so by itself.
        assert!(open_file(&socket, Links::Refused).is_err());
    }
}
