//! Edge lists: `FROM TO` a line, FROM's configured upstream is TO; any whitespace, `#` comments.
//! The format of the SNAP collections, so files of a million edges are ordinary.

use crate::input::InputError;
use indexmap::IndexSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// What an edge list should look like, for messages.
const EXPECTED: &str = "an edge list: `FROM TO` on each line, `#` starts a comment";
/// Longer lines are no edge; a file without line breaks must not be read into memory as a whole.
const MAX_LINE_BYTES: u64 = 4096;
/// Half a gigabyte of edges and names at the most.
const MAX_EDGES: usize = 1 << 24;

/// A directed graph by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct EdgeList {
    /// Names in order of appearance; an edge's numbers are indices into this.
    pub(crate) names: Vec<Box<str>>,
    /// (from, to) in file order, repetitions and self-references included.
    pub(crate) edges: Vec<(u32, u32)>,
}

impl EdgeList {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, InputError> {
        let file = File::open(path).map_err(|error| InputError::io(path, &error, EXPECTED))?;
        Self::parse(BufReader::with_capacity(1 << 16, file), path)
    }

    /// Parses what `reader` yields; `path` is for messages.
    pub(crate) fn parse(mut reader: impl BufRead, path: &Path) -> Result<Self, InputError> {
        let mut names = IndexSet::new();
        let mut edges = Vec::new();
        let mut line = Vec::new();
        let mut number = 0;
        while read_line(&mut reader, &mut line)
            .map_err(|error| InputError::io(path, &error, EXPECTED))?
        {
            number += 1;
            let edge = parse_line(&line, number == 1)
                .map_err(|problem| InputError::line(path, number, problem))?;
            let Some((from, to)) = edge else { continue };
            if edges.len() == MAX_EDGES {
                let problem = format!("more than {MAX_EDGES} edges; split the list");
                return Err(InputError::line(path, number, problem));
            }
            edges.push((intern(&mut names, from), intern(&mut names, to)));
        }
        if edges.is_empty() {
            return Err(InputError::file(
                path,
                format!("holds no edge; expected {EXPECTED}"),
            ));
        }
        Ok(Self {
            names: names.into_iter().collect(),
            edges,
        })
    }
}

/// Reads one line, or one byte more than a line may have. False at the end.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let read = reader
        .by_ref()
        .take(MAX_LINE_BYTES + 1)
        .read_until(b'\n', line)?;
    Ok(read > 0)
}

/// The two names of a line, or nothing for a blank one.
fn parse_line(line: &[u8], first: bool) -> Result<Option<(&str, &str)>, String> {
    if line.len() as u64 > MAX_LINE_BYTES {
        return Err(format!(
            "longer than {MAX_LINE_BYTES} bytes; expected {EXPECTED}"
        ));
    }
    let text =
        std::str::from_utf8(line).map_err(|_| format!("not UTF-8 text; expected {EXPECTED}"))?;
    let text = if first {
        text.trim_start_matches('\u{feff}')
    } else {
        text
    };
    let mut words = text
        .split_whitespace()
        .take_while(|word| !word.starts_with('#'));
    match (words.next(), words.next(), words.count()) {
        (None, ..) => Ok(None),
        (Some(from), Some(to), 0) => Ok(Some((from, to))),
        // Not which one: a token may have been given by accident.
        (Some(_), None, _) => Err(format!("only one name; expected {EXPECTED}")),
        (_, _, more) => Err(format!("{} words; expected {EXPECTED}", more + 2)),
    }
}

/// The number of a name. `MAX_EDGES` keeps it far below 2^32.
fn intern(names: &mut IndexSet<Box<str>>, name: &str) -> u32 {
    let index = match names.get_index_of(name) {
        Some(index) => index,
        None => names.insert_full(name.into()).0,
    };
    index as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Result<EdgeList, String> {
        EdgeList::parse(text, Path::new("list.txt")).map_err(|error| error.to_string())
    }

    #[test]
    fn whitespace_comments_blank_lines_and_crlf() {
        let list = parse("\u{feff}# head\n\n a\tb # why\r\nb   a\r\na a\n#end".as_bytes()).unwrap();
        assert_eq!(list.names, ["a".into(), "b".into()]);
        assert_eq!(list.edges, [(0, 1), (1, 0), (0, 0)]);
    }

    #[test]
    fn errors_name_file_line_and_expectation() {
        let cases: [(&[u8], &str); 5] = [
            (b"a b\na\n", "list.txt:2: only one name; expected"),
            (b"a b c d\n", "list.txt:1: 4 words; expected"),
            (b"a b\n\n\xff b\n", "list.txt:3: not UTF-8"),
            (b"# nothing\n", "list.txt: holds no edge; expected"),
            (b"", "list.txt: holds no edge; expected"),
        ];
        for (text, start) in cases {
            let message = parse(text).unwrap_err();
            assert!(message.starts_with(start), "{message}");
            assert!(message.contains("`FROM TO`"), "{message}");
        }
    }

    #[test]
    fn an_endless_line_is_refused_before_it_fills_the_memory() {
        let endless = BufReader::new(io::repeat(b'x'));
        let error = EdgeList::parse(endless, Path::new("zero")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("zero:1: longer than 4096 bytes"),
            "{error}"
        );
    }
}
