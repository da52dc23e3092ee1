//! Files, directories and standard input, as they are given.

use super::recognise::{self, Kind, Reason, recognise};
use super::source::{MAX_FILE_BYTES, MAX_LIST_BYTES, Source};
use super::{EXPECTED, Reader, locate, source};
use crate::check::places::Text;
use crate::edges::EdgeList;
use crate::input::InputError;
use std::io;
use std::path::{Path, PathBuf};

impl Reader {
    pub(super) fn path(&mut self, path: &Path) -> Result<(), InputError> {
        if path == Path::new("-") {
            return self.source(path, Source::stdin()?, None, true);
        }
        let metadata = std::fs::metadata(path)
            .map_err(|error| InputError::io(path, &error, source::EXPECTED))?;
        if metadata.is_dir() {
            self.directory(path);
            return Ok(());
        }
        let length = metadata.is_file().then_some(metadata.len());
        self.file(path, length, true)
    }

    /// Everything below a directory. Links may lead round in circles, so each directory is entered once.
    fn directory(&mut self, path: &Path) {
        let mut waiting = vec![path.to_owned()];
        while let Some(directory) = waiting.pop() {
            if !self.first_time(&directory) {
                continue;
            }
            match entries(&directory) {
                Ok(entries) => {
                    let mut below = Vec::new();
                    for entry in entries {
                        if let Err(problem) = self.entry(&entry, &mut below) {
                            self.problems.push(problem);
                        }
                    }
                    waiting.extend(below.into_iter().rev());
                }
                Err(problem) => self.problems.push(problem),
            }
            self.directories.push(directory);
        }
    }

    fn entry(&mut self, path: &Path, below: &mut Vec<PathBuf>) -> Result<(), InputError> {
        let name = locate::file_name(path);
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_loop(path) => {
                self.skip(path, None, Reason::new("a link that leads nowhere"));
                return Ok(());
            }
            Err(error) => return Err(InputError::io(path, &error, source::EXPECTED)),
        };
        // Links of systemd to its own units; absolute ones would lead to those of this machine.
        let links = metadata.is_dir() && (name.ends_with(".wants") || name.ends_with(".requires"));
        let base = path.parent().and_then(locate::drop_in_base);
        let reason = if name.starts_with('.') {
            "hidden"
        } else if base.is_some_and(|base| metadata.is_dir() || !is_drop_in(&base, path)) {
            "among drop-ins, where no program reads it"
        } else if links {
            "links of systemd to units"
        } else if metadata.is_dir() {
            below.push(path.to_owned());
            return Ok(());
        } else if !metadata.is_file() {
            "neither a file nor a directory"
        } else if recognise::is_copy(&name) {
            "a copy or a sample, which no program reads"
        } else {
            return self.file(path, Some(metadata.len()), false);
        };
        self.skip(path, None, Reason::new(reason));
        Ok(())
    }

    fn file(&mut self, path: &Path, length: Option<u64>, given: bool) -> Result<(), InputError> {
        if !self.first_time(path) {
            return Ok(());
        }
        let source = Source::open(path)?;
        self.source(path, source, length, given)
    }

    fn source(
        &mut self,
        path: &Path,
        source: Source,
        length: Option<u64>,
        given: bool,
    ) -> Result<(), InputError> {
        let stdin = path == Path::new("-");
        let name = name_of(path, stdin);
        if source.is_binary() {
            const INSTEAD: &str = "give text: archives unpacked, disk images mounted";
            self.skip(path, None, Reason::instead("binary data", INSTEAD));
            return Ok(());
        }
        let kind = recognise(&name, source.head_text(), given);
        if source.is_one_line() && kind != Kind::Yaml {
            self.skip(
                path,
                None,
                Reason::new("begins with a line of more than 65536 bytes"),
            );
            return Ok(());
        }
        match kind {
            Kind::Other(_) if !given && std::str::from_utf8(&source.head).is_err() => {
                self.skip(path, None, Reason::new("not UTF-8 text"));
                return Ok(());
            }
            Kind::Other(reason) => {
                self.skip(path, None, reason);
                return Ok(());
            }
            Kind::Edges => {
                let list = EdgeList::parse(source.reader(), path)?;
                self.edge_lists.push((path.to_owned(), list));
                return Ok(());
            }
            _ => {}
        }
        let limit = limit(&kind, source.head_text());
        if length.is_some_and(|length| length > limit) {
            if given || limit == MAX_LIST_BYTES {
                let problem = format!("larger than {limit} bytes; expected {}", source::EXPECTED);
                return Err(InputError::file(path, problem));
            }
            self.skip(path, None, Reason::new("too large for a configuration"));
            return Ok(());
        }
        let text = source.text(path, limit)?;
        let text = Text::whole(text.trim_start_matches('\u{feff}'), path.into());
        let absolute = if stdin {
            PathBuf::from("/standard input")
        } else {
            absolute(path)
        };
        self.content(&locate::locate(&absolute), &name, kind, &text, given)
    }

    pub(super) fn first_time(&mut self, path: &Path) -> bool {
        let canonical = path.canonicalize().or_else(|_| std::path::absolute(path));
        self.seen
            .insert(canonical.unwrap_or_else(|_| path.to_owned()))
    }
}

/// How large a file may be: lists of nodes may be long, nothing else is.
fn limit(kind: &Kind, head: &str) -> u64 {
    let json = || head.trim_start().starts_with(['{', '[']);
    let list = *kind == Kind::Yaml && (head.contains("apiVersion") || json());
    if list { MAX_LIST_BYTES } else { MAX_FILE_BYTES }
}

/// The absolute path, without `.` and `..`, links left as they are: they may have the host's name.
pub(super) fn absolute(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in std::path::absolute(path)
        .unwrap_or_else(|_| path.to_owned())
        .components()
    {
        match component {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            component => clean.push(component),
        }
    }
    clean
}

/// Whether a file is laid over `base` by its programs: RKE2 and K3s take YAML, systemd takes `.conf`.
fn is_drop_in(base: &Path, path: &Path) -> bool {
    let extension = |path: &Path| {
        path.extension()
            .map(|extension| extension.to_ascii_lowercase())
    };
    let unit = extension(base).is_some_and(|extension| extension == "service");
    let takes: &[&str] = if unit { &["conf"] } else { &["yaml", "yml"] };
    extension(path).is_some_and(|extension| takes.iter().any(|takes| extension == *takes))
}

/// Whether a link leads back to itself.
fn is_loop(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|metadata| metadata.is_symlink())
        && path.canonicalize().is_err()
}

/// What a directory holds, by name.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, InputError> {
    let fail = |error| InputError::io(directory, &error, EXPECTED);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(fail)? {
        paths.push(entry.map_err(fail)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Standard input has no name.
fn name_of(path: &Path, stdin: bool) -> String {
    if stdin {
        String::new()
    } else {
        locate::file_name(path)
    }
}
