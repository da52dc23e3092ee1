//! A configuration file of peerx, as written: the keys, and where each stands.

use super::suggest;
use super::time::{Detection, Time};
use super::values::{Secret, Texts};
use crate::input::{self, InputError};
use crate::signing::Signing;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

/// What a file should be, for messages.
pub(crate) const EXPECTED: &str = "a peerx configuration, such as `upstreams = [\"server1:7651\"]`";

/// The keys of a file. `agent/peerx.toml` documents each.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    pub(crate) node_name: Option<Spanned<String>>,
    pub(crate) listen: Option<Texts>,
    pub(crate) transports: Option<Texts>,
    #[serde(default)]
    pub(crate) advertise: Texts,
    #[serde(default)]
    pub(crate) upstreams: Texts,
    pub(crate) token: Option<Spanned<Secret>>,
    pub(crate) token_file: Option<Spanned<PathBuf>>,
    pub(crate) authority: Option<Authority>,
    pub(crate) cluster: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) signing: Signing,
    pub(crate) detection: Option<Detection>,
    pub(crate) key_file: Option<Spanned<PathBuf>>,
    pub(crate) state_dir: Option<Spanned<PathBuf>>,
    pub(crate) admin: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) admin_names: Texts,
    pub(crate) admin_certificate_file: Option<Spanned<PathBuf>>,
    pub(crate) admin_key_file: Option<Spanned<PathBuf>>,
    pub(crate) admin_token_file: Option<Spanned<PathBuf>>,
    #[serde(default)]
    pub(crate) on_stop: OnStop,
    #[serde(default)]
    pub(crate) cycles: Cycles,
    #[serde(default)]
    pub(crate) local: bool,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) libp2p: Libp2p,
    #[serde(default)]
    pub(crate) dns: Dns,
    #[serde(default)]
    pub(crate) pace: Pace,
    #[serde(default)]
    pub(crate) limits: Limits,
    #[serde(default)]
    pub(crate) log: Log,
}

/// Membership by certificate.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Authority {
    pub(crate) certificates: Spanned<PathBuf>,
    pub(crate) certificate: Spanned<PathBuf>,
    #[serde(default)]
    pub(crate) revocation_lists: Texts,
}

/// What SIGTERM does beside stopping.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnStop {
    /// Peers forget this node at once.
    #[default]
    Leave,
    /// Peers keep its record until its lifetime ends, as in a short restart.
    Pause,
}

/// What to make of cycles among upstreams.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cycles {
    /// A mistake to be reported.
    #[default]
    Report,
    /// Meant so: every member of a headless service asks all others.
    Expected,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Libp2p {
    #[serde(default)]
    pub(crate) advertise: Texts,
    pub(crate) learn_from: Option<Spanned<String>>,
    pub(crate) ca_file: Option<Spanned<PathBuf>>,
    pub(crate) certificate_file: Option<Spanned<PathBuf>>,
    pub(crate) key_file: Option<Spanned<PathBuf>>,
    pub(crate) interval: Option<Time>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dns {
    pub(crate) interval: Option<Time>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pace {
    pub(crate) lifetime: Option<Time>,
    pub(crate) round: Option<Time>,
    pub(crate) quiet_round: Option<Time>,
    pub(crate) burst: Option<u32>,
    pub(crate) start_jitter: Option<Time>,
    pub(crate) request_timeout: Option<Time>,
    pub(crate) backoff_base: Option<Time>,
    pub(crate) backoff_cap: Option<Time>,
    pub(crate) link_idle: Option<Time>,
    pub(crate) report_interval: Option<Time>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) capacity: Option<usize>,
    pub(crate) max_links: Option<usize>,
    pub(crate) hop_limit: Option<u8>,
    pub(crate) messages_per_second: Option<u32>,
    pub(crate) bytes_per_second: Option<u32>,
    pub(crate) half_open: Option<usize>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    #[serde(default)]
    pub(crate) format: LogFormat,
    pub(crate) level: Option<Spanned<String>>,
}

/// How log lines look.
#[derive(Deserialize, Debug, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

/// A file with its keys; it knows on which line each stands.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) keys: Keys,
    /// It may have a token in it.
    text: Zeroizing<String>,
}

impl File {
    /// Reads the text of a file, and refuses keys that do not exist.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, InputError> {
        let keys = toml::from_str(text).map_err(|error: toml::de::Error| {
            let problem = match suggest::unknown(error.message()) {
                Some(problem) => problem,
                None => format!("{}; expected {EXPECTED}", error.message().trim_end()),
            };
            match error.span() {
                Some(span) => InputError::line(path, line(text, span.start), problem),
                None => InputError::file(path, problem),
            }
        })?;
        let (path, text) = (path.to_owned(), Zeroizing::new(text.to_owned()));
        Ok(Self { path, keys, text })
    }

    /// The line of a value, counted from 1.
    pub(crate) fn line_of<T>(&self, value: &Spanned<T>) -> u64 {
        line(&self.text, value.span().start)
    }

    /// A problem with a value that has been read.
    pub(crate) fn error<T>(&self, value: &Spanned<T>, problem: impl Into<String>) -> InputError {
        InputError::line(&self.path, self.line_of(value), problem)
    }

    /// A problem with the key of this name: of one table as `TABLE.KEY`, else of the top level.
    pub(crate) fn error_at_key(&self, key: &str, problem: impl Into<String>) -> InputError {
        match self.offset_of(key) {
            Some(offset) => InputError::line(&self.path, line(&self.text, offset), problem),
            None => InputError::file(&self.path, problem),
        }
    }

    /// Whether the key is there, written like that.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.offset_of(key).is_some()
    }

    fn offset_of(&self, key: &str) -> Option<usize> {
        let root = DeTable::parse(&self.text).ok()?;
        let (table, key) = match key.split_once('.') {
            Some((table, key)) => match root.get_ref().get(table)?.get_ref() {
                DeValue::Table(table) => (table, key),
                _ => return None,
            },
            None => (root.get_ref(), key),
        };
        let mut names = table.keys();
        names
            .find(|name| name.get_ref() == key)
            .map(|name| name.span().start)
    }
}

fn line(text: &str, offset: usize) -> u64 {
    input::line_at(&text.as_bytes()[..offset.min(text.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        match File::parse(Path::new("peerx.toml"), text) {
            Ok(_) => panic!("accepted: {text}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_likeliest() {
        for (text, line, hint) in [
            ("\nupstream = []\n", ":2: ", "did you mean `upstreams`?"),
            ("[pace]\nrounds = \"1s\"\n", ":2: ", "did you mean `round`?"),
            ("name = \"a\"\n", ":1: ", "did you mean `node_name`?"),
            ("xylophone = 1\n", ":1: ", "Here peerx knows `node_name`"),
            ("on_stop = \"leav\"\n", ":1: ", "did you mean `leave`?"),
        ] {
            let problem = problem(text);
            assert!(
                problem.contains(line) && problem.contains(hint),
                "{problem}"
            );
        }
    }

    #[test]
    fn a_time_needs_its_unit() {
        let problem = problem("\n\n[pace]\nround = \"200\"\n");
        assert!(problem.contains(":4: "), "{problem}");
        assert!(problem.contains("200ms"), "{problem}");
        assert!(self::problem("[pace]\nround = 200\n").contains("200ms"));
    }

    #[test]
    fn one_text_is_a_list_of_one_at_its_place() {
        let text = "\nupstreams = \"a\"\nlisten = [\n\"b\",\n\"c\"]\n";
        let file = File::parse(Path::new("x"), text).unwrap();
        let shown = |texts: &Texts| -> Vec<(String, u64)> {
            let each = texts.iter().map(|t| (t.get_ref().clone(), file.line_of(t)));
            each.collect()
        };
        assert_eq!(shown(&file.keys.upstreams), [("a".to_owned(), 2)]);
        let listen = file.keys.listen.as_ref().unwrap();
        assert_eq!(shown(listen), [("b".to_owned(), 4), ("c".to_owned(), 5)]);
        let problem = problem("upstreams = 7\n");
        assert!(
            problem.contains("a list of strings, or one string"),
            "{problem}"
        );
    }

    #[test]
    fn a_token_is_not_shown_whatever_is_wrong_with_it() {
        for text in ["token = 123456789\n", "\ntoken = [\"123456789\"]\n"] {
            let problem = problem(text);
            assert!(problem.contains("expected a string in quotes"), "{problem}");
            assert!(!problem.contains("123456789"), "{problem}");
        }
    }
}
