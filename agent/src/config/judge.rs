//! The judgement of one file: every fault in it, what is doubtful, and the settings that it makes.

use super::file::File;
use super::{Checked, Log, Mode, Settings, addresses, admin, core, libp2p, members, names};
use crate::input::InputError;
use std::path::{Path, PathBuf};
use toml::Spanned;
use tracing_subscriber::EnvFilter;

/// What has been found so far.
pub(super) struct Judge<'a> {
    pub(super) file: &'a File,
    pub(super) mode: Mode,
    faults: Vec<InputError>,
    warnings: Vec<InputError>,
}

/// Judges a file that parses.
pub(super) fn judge(file: File, mode: Mode) -> Result<Checked, Vec<InputError>> {
    let mut judge = Judge {
        file: &file,
        mode,
        faults: Vec::new(),
        warnings: Vec::new(),
    };
    let settings = settings(&mut judge);
    let credentials = members::load(&mut judge, &settings);
    let access = admin::access(&mut judge, &settings);
    core::check_record(&mut judge, &settings);
    let Judge {
        mut faults,
        mut warnings,
        ..
    } = judge;
    faults.sort_by_key(InputError::line_number);
    warnings.sort_by_key(InputError::line_number);
    match credentials {
        Ok((membership, key)) if faults.is_empty() => Ok(Checked {
            settings,
            membership,
            key,
            access,
            warnings,
            file,
        }),
        _ => Err(faults),
    }
}

impl Judge<'_> {
    pub(super) fn has_faults(&self) -> bool {
        !self.faults.is_empty()
    }

    pub(super) fn fault(&mut self, fault: InputError) {
        self.faults.push(fault);
    }

    /// A fault of a value that has been read.
    pub(super) fn fault_of<T>(&mut self, value: &Spanned<T>, problem: impl Into<String>) {
        self.fault(self.file.error(value, problem));
    }

    pub(super) fn warn_of<T>(&mut self, value: &Spanned<T>, problem: impl Into<String>) {
        self.warnings.push(self.file.error(value, problem));
    }

    pub(super) fn warn_at_key(&mut self, key: &str, problem: impl Into<String>) {
        self.warnings.push(self.file.error_at_key(key, problem));
    }

    /// A path as the file means it: relative to the file.
    pub(super) fn beside(&self, path: &Path) -> PathBuf {
        match self.file.path.parent() {
            Some(parent) => parent.join(path),
            None => path.to_owned(),
        }
    }

    /// The files that this one names are on this machine.
    pub(super) fn has_files(&self) -> bool {
        self.mode != Mode::Copied
    }
}

fn settings(judge: &mut Judge<'_>) -> Settings {
    let keys = &judge.file.keys;
    let transports = addresses::transports(judge);
    let listen = addresses::listen(judge);
    let admin = addresses::admin(judge, &listen, &transports);
    let state_dir = members::state_dir(judge);
    let key_file = keys
        .key_file
        .as_ref()
        .map(|file| judge.beside(file.get_ref()));
    let node_name = names::node_name(judge);
    names::check_metadata(judge, &node_name);
    Settings {
        path: judge.file.path.clone(),
        node_name,
        listen,
        transports,
        advertise: addresses::advertise(judge),
        upstreams: addresses::upstreams(judge),
        members: members::named(judge),
        key_file: key_file.unwrap_or_else(|| state_dir.join("node.key")),
        state_dir,
        admin,
        admin_names: admin::names(judge),
        admin_files: admin::files(judge, admin),
        on_stop: keys.on_stop,
        cycles: keys.cycles,
        labels: keys.labels.clone(),
        libp2p: libp2p::libp2p(judge),
        dns_interval: core::dns_interval(judge),
        core: core::core(judge),
        half_open: core::half_open(judge),
        log: log(judge),
    }
}

fn log(judge: &mut Judge<'_>) -> Log {
    let keys = &judge.file.keys.log;
    if let Some(level) = &keys.level {
        check_level(judge, level);
    }
    Log {
        format: keys.format,
        level: keys.level.as_ref().map(|level| level.get_ref().clone()),
    }
}

/// Beside what is no filter at all, a word alone that is no level: for the filter it is the name of
/// a module, of which everything is shown, and of all others nothing.
fn check_level(judge: &mut Judge<'_>, level: &Spanned<String>) {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let text = level.get_ref();
    let expected =
        "expected error, warn, info or debug, or a filter such as \"info,peer_exchange=debug\"";
    let bare = |part: &&str| !part.contains(['=', '[']);
    let is_level = |part: &str| LEVELS.iter().any(|level| part.eq_ignore_ascii_case(level));
    let odd = text
        .split(',')
        .map(str::trim)
        .filter(bare)
        .find(|part| !is_level(part));
    if let Some(part) = odd {
        judge.fault_of(
            level,
            format!("`log.level` has \"{part}\", which is no level; {expected}"),
        );
    } else if let Err(error) = EnvFilter::try_new(text) {
        judge.fault_of(
            level,
            format!("`log.level` is \"{text}\": {error}; {expected}"),
        );
    }
}
