//! Files that people write: reading them within bounds, and saying what is wrong with them and where.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

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

    /// A file or directory that cannot be read.
    pub(crate) fn io(path: &Path, error: &io::Error, expected: &str) -> Self {
        let problem = match error.kind() {
            io::ErrorKind::NotFound => format!("no such file or directory; expected {expected}"),
            _ => format!("cannot be read ({error}); expected {expected}"),
        };
        Self::file(path, problem)
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

/// A configuration larger than this is a mistake, such as a disk image given by accident.
const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// Reads a configuration file as UTF-8 text.
pub(crate) fn read_text(path: &Path, expected: &str) -> Result<String, InputError> {
    let io_error = |error: io::Error| InputError::io(path, &error, expected);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_CONFIG_BYTES + 1).read_to_end(&mut bytes))
        .map_err(io_error)?;
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
