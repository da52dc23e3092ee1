//! systemd units and their drop-ins.

use super::command;
use super::env::{self, Variable};
use super::words::{Dialect, words};
use super::{Key, Launch, Product, Setting, Text, Value};
use std::path::Path;
use std::rc::Rc;

const SOURCE: &str = "systemd unit";
const ENVIRONMENT: &str = "environment of the systemd unit";

/// One setting of the section `[Service]`.
#[derive(Debug, Clone)]
struct Line {
    key: String,
    /// Continuation lines included, as written.
    value: String,
    line: u64,
}

/// One file: a unit, or a drop-in for one.
#[derive(Debug, Clone)]
pub(in crate::check) struct Service {
    lines: Vec<Line>,
    file: Rc<Path>,
    first_line: u64,
    exact: bool,
}

/// A file that `EnvironmentFile=` names.
pub(in crate::check) type UnitEnvironment<'a> =
    &'a dyn Fn(&str) -> Option<(Rc<Path>, Vec<Variable>)>;

/// Reads a file.
pub(in crate::check) fn parse(text: &Text<'_>) -> Service {
    let mut lines = Vec::new();
    let mut in_service = false;
    let mut numbered = text.text.lines().zip(1..);
    while let Some((line, number)) = numbered.next() {
        let line = line.trim();
        if line.starts_with('[') {
            in_service = line == "[Service]";
        }
        let Some((key, value)) = line
            .split_once('=')
            .filter(|_| in_service && !is_comment(line))
        else {
            continue;
        };
        let mut value = value.to_owned();
        while value.trim_end().ends_with('\\') {
            // Comments between continuation lines do not count; lines are kept for their numbers.
            match numbered.next() {
                Some((next, _)) if is_comment(next) => value = value.trim_end().to_owned() + "\n\\",
                Some((next, _)) => {
                    let joined = value.trim_end().trim_end_matches('\\').to_owned();
                    value = joined + "\n" + next;
                }
                None => break,
            }
        }
        lines.push(Line {
            key: key.trim().to_owned(),
            value: value
                .trim_start_matches(' ')
                .trim_end_matches('\\')
                .to_owned(),
            line: number,
        });
    }
    Service {
        lines,
        file: text.file.clone(),
        first_line: text.first_line,
        exact: text.exact,
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with(['#', ';'])
}

impl Service {
    fn place(&self) -> Text<'_> {
        Text {
            text: "",
            file: self.file.clone(),
            first_line: self.first_line,
            exact: self.exact,
        }
    }

    /// Whether it says how to start one of those programs, or with which variables of theirs.
    pub(in crate::check) fn is_ours(&self) -> bool {
        self.lines.iter().any(|line| match line.key.as_str() {
            "ExecStart" => Product::of(&line.value) != Product::Unknown,
            "Environment" => line.value.contains("K3S_") || line.value.contains("RKE2_"),
            _ => false,
        })
    }

    /// The files that its `--config` names.
    pub(in crate::check) fn config_files(&self) -> impl Iterator<Item = String> {
        let launch = assemble("", &[self], &|_| None);
        let named = launch
            .settings
            .into_iter()
            .filter(|setting| setting.key == Key::ConfigFile);
        named.filter_map(|setting| match setting.value {
            Value::Texts(mut texts) => texts.pop(),
            Value::Mapping => None,
        })
    }

    /// Whether it names a file of variables.
    pub(in crate::check) fn has_environment_file(&self) -> bool {
        self.lines.iter().any(|line| line.key == "EnvironmentFile")
    }
}

/// Puts a unit called `name` and its drop-ins, in their order, together.
pub(in crate::check) fn assemble(
    name: &str,
    parts: &[&Service],
    files: UnitEnvironment<'_>,
) -> Launch {
    let mut own: Vec<(&Service, Variable)> = Vec::new();
    let mut from_files: Vec<(Rc<Path>, Variable)> = Vec::new();
    let mut start: Vec<(&Service, &Line)> = Vec::new();
    let lines = parts
        .iter()
        .flat_map(|part| part.lines.iter().map(move |line| (*part, line)));
    for (part, line) in lines {
        let value = line.value.trim();
        match line.key.as_str() {
            // An empty value takes back what came before it.
            "ExecStart" if value.is_empty() => start.clear(),
            "Environment" if value.is_empty() => own.clear(),
            "EnvironmentFile" if value.is_empty() => from_files.clear(),
            "ExecStart" => start.push((part, line)),
            "Environment" => own.extend(assignments(line).map(|variable| (part, variable))),
            "EnvironmentFile" => {
                let path = value
                    .trim_start_matches('-')
                    .replace("%N", name)
                    .replace("%n", name);
                if let Some((file, variables)) = files(&path) {
                    from_files.extend(variables.into_iter().map(|v| (file.clone(), v)));
                }
            }
            _ => {}
        }
    }
    let mut settings: Vec<Setting> = Vec::new();
    for (part, variable) in &own {
        settings.extend(variable.setting(&part.place(), ENVIRONMENT));
    }
    for (file, variable) in &from_files {
        let place = Text::whole("", file.clone());
        settings.extend(variable.setting(&place, "environment file"));
    }
    let known = own
        .iter()
        .map(|(_, v)| v)
        .chain(from_files.iter().map(|(_, v)| v));
    let known: Vec<&Variable> = known.collect();
    let lookup = |name: &str| {
        let found = known.iter().rev().find(|variable| variable.name == name);
        found.map(|variable| variable.value.clone())
    };
    let mut product = Product::of(name);
    for (part, line) in start {
        let command = words(&line.value, line.line, Dialect::Unit, &lookup);
        if let Some(started) = command::started(&command, &lookup) {
            product = started.product;
            settings.extend(command::settings(&started.flags, &part.place(), SOURCE));
        }
    }
    Launch { product, settings }
}

/// `A=b "C=d e"` of `Environment=`.
fn assignments(line: &Line) -> impl Iterator<Item = Variable> + use<> {
    let words = words(&line.value, line.line, Dialect::Unit, &|_| None);
    words.into_iter().filter_map(|word| {
        let (name, value) = word.text.split_once('=')?;
        env::is_name(name).then(|| Variable {
            name: name.to_owned(),
            value: value.to_owned(),
            line: word.line,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(texts: &[&str]) -> Vec<(String, u64)> {
        let parse = |text: &&str| parse(&Text::whole(text, Path::new("k3s.service").into()));
        let units: Vec<Service> = texts.iter().map(parse).collect();
        let parts: Vec<&Service> = units.iter().collect();
        let launch = assemble("k3s", &parts, &|_| None);
        let shown = |setting: Setting| (format!("{:?}", setting.value), setting.line);
        launch.settings.into_iter().map(shown).collect()
    }

    #[test]
    fn continuation_lines_comments_and_resets() {
        let unit = "[Unit]\nExecStart=no\n[Service]\nExecStart=/usr/bin/k3s \\\n  server \\\n# why\n  '--server' \\\n  'https://a:1' \\\n\n[Install]\nX=y\n";
        assert_eq!(flags(&[unit]), [("Texts([\"https://a:1\"])".into(), 7)]);
        let drop_in = "[Service]\nExecStart=\nExecStart=/usr/bin/k3s server -s https://b:1\n";
        assert_eq!(
            flags(&[unit, drop_in]),
            [("Texts([\"https://b:1\"])".into(), 3)]
        );
        let variable = "[Service]\nEnvironment=\"ARGS=--server https://c:1\" X=y\nExecStart=k3s server $ARGS --node-name %H\n";
        assert_eq!(flags(&[variable])[0].0, "Texts([\"https://c:1\"])");
    }
}
