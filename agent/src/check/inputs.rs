//! From the paths on the command line to the configurations of hosts.

use super::model::HostConfig;
use super::{peerx, rancher};
use crate::config::Mode;
use crate::edges::EdgeList;
use crate::input::InputError;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// `cluster/server1/etc/rancher/rke2/config.yaml` is four directories deep; a little air on top.
const MAX_DEPTH: usize = 6;
/// What a directory should hold, for messages.
const EXPECTED: &str = "one file (NAME.yaml, NAME.toml) or one directory (NAME/config.yaml) per host; an edge list is given by its own path";

/// Everything that was found.
pub(super) struct Inputs {
    pub(super) hosts: Vec<HostConfig>,
    pub(super) edge_lists: Vec<(PathBuf, EdgeList)>,
    pub(super) warnings: Vec<String>,
    problems: Vec<InputError>,
    /// How peerx's own files are judged.
    mode: Mode,
    /// So that a file given twice, by itself and with its directory, is one host.
    seen: HashSet<PathBuf>,
}

impl Inputs {
    /// Reads all paths; on bad input, every problem rather than only the first. A file of peerx that
    /// is given alone is judged as `peerx run` would judge it; several, or those of a directory, are
    /// copies from other machines, and so is one that is `copied`.
    pub(super) fn read(paths: &[PathBuf], copied: bool) -> Result<Self, Vec<InputError>> {
        let alone = matches!(paths, [path] if !path.is_dir());
        let mut inputs = Self {
            hosts: Vec::new(),
            edge_lists: Vec::new(),
            warnings: Vec::new(),
            problems: Vec::new(),
            mode: if alone && !copied {
                Mode::Here
            } else {
                Mode::Copied
            },
            seen: HashSet::new(),
        };
        for path in paths {
            if let Err(problem) = inputs.path(path) {
                inputs.problems.push(problem);
            }
        }
        if inputs.problems.is_empty() {
            Ok(inputs)
        } else {
            Err(inputs.problems)
        }
    }

    fn path(&mut self, path: &Path) -> Result<(), InputError> {
        if is_toml(path) && !path.is_dir() {
            // Whether it is there or not: `peerx run` says the same of it.
            self.peerx(path);
            return Ok(());
        }
        let metadata = std::fs::metadata(path).map_err(|error| {
            let expected = "a configuration file, a directory of them, or an edge list";
            InputError::io(path, &error, expected)
        })?;
        if !metadata.is_dir() {
            self.file(path);
        } else if let Some(base) = drop_in_base(path) {
            self.rancher(&base);
        } else if !self.directory(path, 0)? {
            let problem = format!("holds no configuration; expected {EXPECTED}");
            return Err(InputError::file(path, problem));
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) {
        if rancher::is_yaml(path) {
            self.rancher(path);
        } else if is_toml(path) {
            self.peerx(path);
        } else if self.first_time(path) {
            match EdgeList::read(path) {
                Ok(list) => self.edge_lists.push((path.to_owned(), list)),
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    fn rancher(&mut self, base: &Path) {
        if self.first_time(base) {
            self.host(rancher::read(base));
        }
    }

    fn peerx(&mut self, path: &Path) {
        if !self.first_time(path) {
            return;
        }
        match peerx::read(path, self.mode) {
            Ok((host, warnings)) => {
                self.hosts.push(host);
                self.warnings.extend(warnings);
            }
            Err(problems) => self.problems.extend(problems),
        }
    }

    fn host(&mut self, result: Result<HostConfig, InputError>) {
        match result {
            Ok(host) => self.hosts.push(host),
            Err(problem) => self.problems.push(problem),
        }
    }

    fn first_time(&mut self, path: &Path) -> bool {
        // A base file may be missing beside its drop-ins; its directory is there.
        let canonical = path.canonicalize().or_else(|_| std::path::absolute(path));
        self.seen
            .insert(canonical.unwrap_or_else(|_| path.to_owned()))
    }

    /// A host's directory, or one that holds hosts. False when there is none in it.
    fn directory(&mut self, directory: &Path, depth: usize) -> Result<bool, InputError> {
        let base = directory.join("config.yaml");
        let entries = entries(directory)?;
        // Beside a host's config.yaml lie registries.yaml and the like, which are no hosts.
        if entries
            .iter()
            .any(|entry| *entry == base || drop_in_base(entry).as_ref() == Some(&base))
        {
            self.rancher(&base);
            return Ok(true);
        }
        let mut found = false;
        for entry in entries {
            found |= self.entry(&entry, depth)?;
        }
        Ok(found)
    }

    /// What a directory that is no host holds. False when that is no host either.
    fn entry(&mut self, entry: &Path, depth: usize) -> Result<bool, InputError> {
        if entry.is_dir() {
            if let Some(base) = drop_in_base(entry) {
                self.rancher(&base);
                return Ok(true);
            }
            // Links may lead round in circles here as well.
            if !self.first_time(entry) {
                return Ok(true);
            }
            let found = depth < MAX_DEPTH && self.directory(entry, depth + 1)?;
            // Perhaps a host whose file was not copied: its absence could hide a cycle.
            if !found && depth == 0 {
                self.warnings.push(format!(
                    "{}: holds no config.yaml and no .toml file, so no host was read from it",
                    entry.display()
                ));
            }
            return Ok(found);
        }
        let yaml = depth == 0 && rancher::is_yaml(entry);
        if yaml {
            self.rancher(entry);
        } else if is_toml(entry) {
            self.peerx(entry);
        }
        Ok(yaml || is_toml(entry))
    }
}

fn is_toml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ext| ext.eq_ignore_ascii_case("toml"))
}

/// `config.yaml` for the directory `config.yaml.d`.
fn drop_in_base(path: &Path) -> Option<PathBuf> {
    let base = path.with_extension("");
    let is_drop_in = path.extension().is_some_and(|ext| ext == "d") && rancher::is_yaml(&base);
    (is_drop_in && path.is_dir()).then_some(base)
}

/// What a directory holds but hidden files, by name.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, InputError> {
    let fail = |error| InputError::io(directory, &error, EXPECTED);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
