//! Environment variables: files of `NAME=value` lines, as systemd and shells read them.

use super::words::{Dialect, words};
use super::{Key, Level, Setting, Text};

/// One variable, and the line on which it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) struct Variable {
    pub(in crate::check) name: String,
    pub(in crate::check) value: String,
    pub(in crate::check) line: u64,
}

/// All variables of a file, in order.
pub(in crate::check) fn variables(text: &str) -> Vec<Variable> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim_start_matches('\u{feff}').trim();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        if !is_name(name) {
            continue;
        }
        // A value goes on behind a backslash.
        let mut value = value.to_owned();
        while value.ends_with('\\') {
            value.pop();
            value.push_str(lines.next().map_or("", |(_, next)| next.trim()));
        }
        found.push(Variable {
            name: name.to_owned(),
            value: unquoted(&value),
            line: number as u64 + 1,
        });
    }
    found
}

/// Whether this is what a variable may be called.
pub(in crate::check) fn is_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(word) && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

fn unquoted(value: &str) -> String {
    let value = value.trim();
    if value.starts_with(['\'', '"']) {
        let first = words(value, 1, Dialect::Unit, &|_| None).into_iter().next();
        return first.map_or(String::new(), |word| word.text);
    }
    // A comment of a shell.
    let end = value.find(" #").unwrap_or(value.len());
    value[..end].trim_end().to_owned()
}

impl Variable {
    /// The setting that this is, if it is one; an empty variable is as good as none.
    pub(in crate::check) fn setting(
        &self,
        place: &Text<'_>,
        source: &'static str,
    ) -> Option<Setting> {
        let key = Key::of_variable(&self.name).filter(|_| !self.value.is_empty())?;
        let (value, name) = (self.value.as_str(), self.name.as_str());
        Some(place.setting(key, value, Level::Environment, source, name, self.line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_exports_comments_and_continuations() {
        let text = "# K3S_URL=no\n\nK3S_URL='https://a:1'\nexport B=\"b c\" # d\nC=c # d\nD=x\\\ny\n1E=no\nF\nG=\n";
        let found = variables(text);
        let expected = [
            ("K3S_URL", "https://a:1", 3),
            ("B", "b c", 4),
            ("C", "c", 5),
            ("D", "xy", 6),
            ("G", "", 9),
        ];
        assert_eq!(found.len(), expected.len());
        for (variable, (name, value, line)) in found.iter().zip(expected) {
            assert_eq!(
                (variable.name.as_str(), variable.value.as_str()),
                (name, value)
            );
            if name != "G" {
                assert_eq!(variable.line, line);
            }
        }
    }
}
