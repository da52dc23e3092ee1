//! Where an RKE2 or K3s host gets its settings from: flags, environment, files.
//!
//! Only the settings that tell hosts apart, or that name whom to ask, are kept: a token is never stored.

mod command;
mod compose;
mod config;
mod env;
mod keys;
mod nodes;
mod openrc;
mod script;
mod unit;
mod url;
mod words;

pub(super) use compose::services;
pub(super) use config::settings as config_settings;
pub(super) use env::{Variable, variables};
pub(super) use keys::{Key, is_flag_name};
pub(super) use nodes::{NodeObject, from_json, from_yaml, node_args_lines};
pub(super) use openrc::openrc;
pub(super) use script::script;
pub(super) use unit::{Service as UnitFile, assemble as assemble_unit, parse as unit};
pub(super) use url::{parse as server_url, shown as shown_value, template};

use std::path::Path;
use std::rc::Rc;

/// Kinds of places, in rising precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Level {
    /// `config.yaml`, or another file that `--config` names.
    Config,
    /// A file of `config.yaml.d`.
    DropIn,
    Environment,
    Flag,
}

impl Level {
    /// As reports call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Config => "config.yaml",
            Self::DropIn => "config.yaml.d",
            Self::Environment => "environment",
            Self::Flag => "flag",
        }
    }
}

/// A value: those programs turn every scalar into text for a flag, and a list into repeated flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Texts(Vec<String>),
    Mapping,
}

/// One setting, as one place has it.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) key: Key,
    pub(super) value: Value,
    /// Adds to what files before it say, rather than replacing it.
    pub(super) append: bool,
    /// As written there: `server`, `s`, `--server`, `K3S_URL`.
    pub(super) spelled: String,
    pub(super) level: Level,
    /// What kind of file that is.
    pub(super) source: &'static str,
    pub(super) file: Rc<Path>,
    pub(super) line: u64,
}

/// A text, and where it stands in a file of its own or within another.
#[derive(Debug, Clone)]
pub(super) struct Text<'a> {
    pub(super) text: &'a str,
    pub(super) file: Rc<Path>,
    /// Where its first line stands.
    pub(super) first_line: u64,
    /// Its lines are lines of the file; otherwise it was decoded from what stands on `first_line`.
    pub(super) exact: bool,
}

impl<'a> Text<'a> {
    /// All of a file.
    pub(super) fn whole(text: &'a str, file: Rc<Path>) -> Self {
        Self {
            text,
            file,
            first_line: 1,
            exact: true,
        }
    }

    /// The line of the file on which the text's line `line`, counted from 1, stands.
    pub(super) fn line(&self, line: u64) -> u64 {
        if self.exact {
            self.first_line + line - 1
        } else {
            self.first_line
        }
    }

    /// A setting on one of its lines.
    pub(super) fn setting(
        &self,
        key: Key,
        value: impl Into<String>,
        level: Level,
        source: &'static str,
        spelled: impl Into<String>,
        line: u64,
    ) -> Setting {
        Setting {
            key,
            value: Value::Texts(vec![value.into()]),
            append: false,
            spelled: spelled.into(),
            level,
            source,
            file: self.file.clone(),
            line: self.line(line),
        }
    }
}

/// Which program, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Product {
    #[default]
    Unknown,
    Rke2,
    K3s,
}

impl Product {
    /// Of a name of a program, unit, variable or directory.
    pub(super) fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        match (name.contains("rke2"), name.contains("k3s")) {
            (true, _) => Self::Rke2,
            (_, true) => Self::K3s,
            _ => Self::Unknown,
        }
    }

    /// This one, or the other where it is not known.
    pub(super) fn or(self, other: Self) -> Self {
        if self == Self::Unknown { other } else { self }
    }
}

/// How a host starts the program, in whatever way.
#[derive(Debug, Clone, Default)]
pub(super) struct Launch {
    pub(super) product: Product,
    /// Flags and environment.
    pub(super) settings: Vec<Setting>,
}
