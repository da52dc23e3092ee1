//! Files that people write: reading them within bounds, and saying what is wrong with them and where.

use peer_exchange_tls::{Links, open_file};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Something wrong with an input file: where, what, and what was expected instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputError {
    path: PathBuf,
    line: Option<u64>,
    problem: String,
}

impl InputError {
    /// A problem with a whole file or directory.
    pub(crate) fn file(path: &Path, problem: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            problem: problem.into(),
        }
    }

    /// A problem on one line, counted from 1.
    pub(crate) fn line(path: &Path, line: u64, problem: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: Some(line),
            problem: problem.into(),
        }
    }

    /// On which line it is; `None` for a problem with the whole file.
    pub(crate) fn line_number(&self) -> Option<u64> {
        self.line
    }

    /// A file or directory that cannot be read.
    pub(crate) fn io(path: &Path, error: &io::Error, expected: &str) -> Self {
        Self::file(path, format!("{}; expected {expected}", unread(error)))
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for InputError {}

/// All of them, one a line, but not a flood.
pub(crate) fn listed(problems: &[InputError]) -> String {
    const SHOWN: usize = 20;
    let shown = problems.iter().take(SHOWN);
    let mut lines: Vec<String> = shown.map(InputError::to_string).collect();
    if let Some(more @ 1..) = problems.len().checked_sub(SHOWN) {
        lines.push(format!("and {more} more problems"));
    }
    lines.join("\n")
}

/// An address or a URL for a message, without the user and the password that some have in them.
pub(crate) fn shown(text: &str) -> String {
    let (scheme, rest) = match text.find("://") {
        Some(at) => text.split_at(at + 3),
        None => ("", text),
    };
    // Wherever it is: with a slash in the password it is no URL any more, and still a secret.
    let whole = match rest.rfind('@') {
        Some(at) => format!("{scheme}…{}", &rest[at..]),
        None => text.to_owned(),
    };
    whole.replace(char::is_control, "?")
}

/// No token, key or certificate file is longer.
const LONGEST: u64 = 1 << 20;

/// Why a file could not be read.
pub(crate) fn unread(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        _ => format!("cannot be read ({error})"),
    }
}

/// Reads a file that a configuration names, which somebody may have made as long as a disk, or no
/// file at all.
pub(crate) fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = open_file(path, Links::Followed)?;
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same of a secret: the file itself, into memory that is wiped.
pub(crate) fn read_secret(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    peer_exchange_tls::read_secret(path, LONGEST)
}

/// A configuration larger than this is a mistake, such as a disk image given by accident.
const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// Reads a file that somebody gives a command as UTF-8 text: a pipe will do as well, such as one of a
/// shell.
pub(crate) fn read_text(path: &Path, expected: &str) -> Result<String, InputError> {
    text_of(File::open(path), path, expected)
}

/// Reads an agent's configuration as UTF-8 text. It is read again later, while the agent runs: nothing
/// but a file, since a FIFO without a writer would hold it up.
pub(crate) fn read_config(path: &Path, expected: &str) -> Result<String, InputError> {
    text_of(open_file(path, Links::Followed), path, expected)
}

fn text_of(file: io::Result<File>, path: &Path, expected: &str) -> Result<String, InputError> {
    let io_error = |error: io::Error| InputError::io(path, &error, expected);
    let mut bytes = Vec::new();
    let read = |bytes: &mut Vec<u8>| {
        let file = file?;
        // At once: it may have a token in it, and what a buffer leaves behind when it grows is wiped by
        // nobody.
        let length = file.metadata()?.len().min(MAX_CONFIG_BYTES);
        bytes.reserve(length as usize + 64);
        file.take(MAX_CONFIG_BYTES + 1).read_to_end(bytes)
    };
    read(&mut bytes).map_err(io_error)?;
    if bytes.len() as u64 > MAX_CONFIG_BYTES {
        let problem = format!("larger than {MAX_CONFIG_BYTES} bytes; expected {expected}");
        return Err(InputError::file(path, problem));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let problem = format!("not UTF-8 text; expected {expected}");
        InputError::line(path, line_at(good), problem)
    })
}

/// The line that follows these bytes of a file, counted from 1.
pub(crate) fn line_at(before: &[u8]) -> u64 {
    1 + before.iter().filter(|&&byte| byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_passwords_are_not_shown() {
        for (text, expected) in [
            ("https://user:secret@a:1/x", "https://…@a:1/x"),
            ("user:secret@a", "…@a"),
            ("http://user:se/cret@a/x", "http://…@a/x"),
            ("https://a:1/x", "https://a:1/x"),
            ("a\u{1b}[2J", "a?[2J"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn many_problems_are_not_a_flood() {
        let problem = |n| InputError::line(Path::new("a"), n, "wrong");
        let many: Vec<_> = (1..=25).map(problem).collect();
        assert_eq!(listed(&many).lines().count(), 21);
        assert!(listed(&many).ends_with("and 5 more problems"));
        assert_eq!(listed(&many[..20]).lines().count(), 20);
    }
}
