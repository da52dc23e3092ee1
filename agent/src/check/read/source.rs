//! Files and standard input, read within bounds.

use crate::input::{InputError, line_at};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

/// How much is looked at before it is decided what a file is.
const HEAD_BYTES: u64 = 64 << 10;
/// A larger configuration is a mistake, such as a disk image given by accident.
pub(super) const MAX_FILE_BYTES: u64 = 4 << 20;
/// A list of thousands of nodes with all their images.
pub(super) const MAX_LIST_BYTES: u64 = 192 << 20;
pub(super) const EXPECTED: &str = "a configuration file, a directory of them, what `kubectl get nodes -o json` prints, or an edge list";

/// A file of which the beginning is known.
pub(super) struct Source {
    pub(super) head: Vec<u8>,
    rest: Box<dyn Read>,
    /// There is more than the head.
    more: bool,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, InputError> {
        let io_error = |error: io::Error| InputError::io(path, &error, EXPECTED);
        let file = File::open(path).map_err(io_error)?;
        Self::new(Box::new(file)).map_err(io_error)
    }

    /// Standard input.
    pub(super) fn stdin() -> Result<Self, InputError> {
        let failed = |error| InputError::io(Path::new("-"), &error, EXPECTED);
        Self::new(Box::new(io::stdin())).map_err(failed)
    }

    fn new(mut rest: Box<dyn Read>) -> io::Result<Self> {
        let mut head = Vec::new();
        rest.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
        let more = head.len() as u64 == HEAD_BYTES;
        Ok(Self { head, rest, more })
    }

    /// Bytes that no text has.
    pub(super) fn is_binary(&self) -> bool {
        self.head.contains(&0)
    }

    /// Whether there is more than the head, and no end of a line in it.
    pub(super) fn is_one_line(&self) -> bool {
        self.more && !self.head.contains(&b'\n')
    }

    /// The beginning as text, as far as it is text, cut at a line's end where there is more.
    pub(super) fn head_text(&self) -> &str {
        let text = match std::str::from_utf8(&self.head) {
            Ok(text) => text,
            Err(error) => {
                std::str::from_utf8(&self.head[..error.valid_up_to()]).unwrap_or_default()
            }
        };
        match text.rfind('\n').filter(|_| self.more) {
            Some(end) => &text[..end],
            None => text,
        }
    }

    /// All of it, for a reader that keeps bounds of its own.
    pub(super) fn reader(self) -> BufReader<impl Read> {
        BufReader::with_capacity(1 << 16, Cursor::new(self.head).chain(self.rest))
    }

    /// All of it as text, up to `limit` bytes.
    pub(super) fn text(self, path: &Path, limit: u64) -> Result<String, InputError> {
        let mut bytes = self.head;
        let left = (limit + 1).saturating_sub(bytes.len() as u64);
        let read = self.rest.take(left).read_to_end(&mut bytes);
        read.map_err(|error| InputError::io(path, &error, EXPECTED))?;
        if bytes.len() as u64 > limit {
            let problem = format!("larger than {limit} bytes; expected {EXPECTED}");
            return Err(InputError::file(path, problem));
        }
        String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let problem = format!("not UTF-8 text; expected {EXPECTED}");
            InputError::line(path, line_at(good), problem)
        })
    }
}
