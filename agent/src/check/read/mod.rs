//! From the paths on the command line to hosts: every file is taken for what it holds.

mod assemble;
mod cloud;
mod content;
mod group;
mod kubernetes;
mod locate;
mod recognise;
mod sort;
mod source;
mod walk;

use super::model::{HostConfig, Skipped};
use super::peerx;
use crate::config::Mode;
use crate::edges::EdgeList;
use crate::input::InputError;
use group::Group;
use indexmap::IndexMap;
use locate::Located;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

pub(super) use content::hosts_lines;
use recognise::Reason;

/// What a directory should hold, for messages.
const EXPECTED: &str = "one file (NAME.yaml, NAME.toml) or one directory (NAME/config.yaml, NAME/etc/…) per host; an edge list is given by its own path";

/// Everything that was found.
#[derive(Default)]
pub(super) struct Inputs {
    pub(super) hosts: Vec<HostConfig>,
    pub(super) edge_lists: Vec<(PathBuf, EdgeList)>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) warnings: Vec<String>,
}

impl Inputs {
    /// Reads all paths; on bad input, every problem rather than only the first. A file of peerx that
    /// is given alone is judged as `peerx run` would judge it; several, or those of a directory, are
    /// copies from other machines, and so is one that is `copied`.
    pub(super) fn read(paths: &[PathBuf], copied: bool) -> Result<Self, Vec<InputError>> {
        let mut reader = Reader::default();
        if let [path] = paths {
            let alone = !copied && !path.is_dir();
            reader.mode = if alone { Mode::Here } else { Mode::Copied };
            let is_toml = path.extension().is_some_and(|end| end == "toml");
            if alone && is_toml && !path.is_file() {
                // `peerx run` says the same of it.
                peerx::read(path, Mode::Here)?;
            }
        }
        // A file that is given by its own path counts as that, even if its directory is given as well.
        let (directories, files): (Vec<&PathBuf>, Vec<&PathBuf>) =
            paths.iter().partition(|path| path.is_dir());
        for path in files.into_iter().chain(directories) {
            if let Err(problem) = reader.path(path) {
                reader.problems.push(problem);
            }
        }
        reader.finish(paths)
    }
}

/// Whose file it is: a directory, and the name of the file where the directory has several hosts.
type Owner = (PathBuf, Option<String>);

/// What has been read so far.
#[derive(Default)]
struct Reader {
    groups: IndexMap<Owner, Group>,
    edge_lists: Vec<(PathBuf, EdgeList)>,
    skipped: Vec<Skipped>,
    problems: Vec<InputError>,
    warnings: Vec<String>,
    /// How peerx's own files are judged.
    mode: Mode,
    /// So that a file given twice, by itself and with its directory, is one.
    seen: HashSet<PathBuf>,
    /// Directories that were looked into, as given.
    directories: Vec<PathBuf>,
}

impl Reader {
    fn group(&mut self, located: &Located) -> &mut Group {
        let by_file = located
            .stem
            .as_deref()
            .map(|stem| locate::names(stem).swap_remove(0));
        let owner = (located.root.clone(), by_file);
        self.groups
            .entry(owner)
            .or_insert_with(|| Group::new(located))
    }

    fn skip(&mut self, path: &Path, line: Option<u64>, reason: Reason) {
        self.skipped.push(Skipped {
            path: path.to_owned(),
            line,
            what: reason.what,
            instead: reason.instead,
        });
    }

    /// Puts everything together.
    fn finish(mut self, paths: &[PathBuf]) -> Result<Inputs, Vec<InputError>> {
        self.sort_out();
        let mut notes = assemble::Notes::default();
        let mut hosts = Vec::new();
        for group in std::mem::take(&mut self.groups).into_values() {
            self.hosts_of(group, &mut notes, &mut hosts);
        }
        self.skipped.append(&mut notes.skipped);
        self.warnings.append(&mut notes.warnings);
        self.problems.sort_by_cached_key(InputError::to_string);
        if self.problems.is_empty() && hosts.is_empty() && self.edge_lists.is_empty() {
            self.refuse(paths);
        }
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        Ok(Inputs {
            hosts,
            edge_lists: self.edge_lists,
            skipped: self.skipped,
            warnings: self.warnings,
        })
    }

    fn hosts_of(
        &mut self,
        mut group: Group,
        notes: &mut assemble::Notes,
        hosts: &mut Vec<HostConfig>,
    ) {
        let names = group.names.clone();
        for mut config in std::mem::take(&mut group.peerx) {
            config.file_names.clone_from(&names);
            config.own.extend(group.own.iter().cloned());
            hosts.push(config);
        }
        if !group.is_host() {
            for file in group.silent {
                self.skip(
                    &file,
                    None,
                    Reason::instead(
                        "names of a host of which nothing else is given",
                        "give its other files as well; names and addresses of all hosts go with --hosts FILE",
                    ),
                );
            }
            return;
        }
        match assemble::assemble(group, notes) {
            Ok(host) => hosts.push(host),
            Err(problem) => self.problems.push(problem),
        }
    }

    /// Says why nothing that was given is a host, and what to give.
    fn refuse(&mut self, paths: &[PathBuf]) {
        for path in paths.iter().filter(|path| path.is_dir()) {
            let problem = format!("holds no configuration of a host; expected {EXPECTED}");
            self.problems.push(InputError::file(path, problem));
        }
        for skipped in &self.skipped {
            let problem = format!("{}; {}", skipped.what, skipped.instead);
            self.problems.push(match skipped.line {
                Some(line) => InputError::line(&skipped.path, line, problem),
                None => InputError::file(&skipped.path, problem),
            });
        }
    }
}
