//! Command lines that start RKE2 or K3s: which flags they give.

use super::words::{Dialect, Lookup, Word, words};
use super::{Key, Level, Product, Setting, Text, Value};

/// What a command line starts, and the flags that it gives.
pub(super) struct Started {
    pub(super) product: Product,
    pub(super) flags: Vec<Word>,
}

/// Finds `k3s server …` or `rke2 agent …` in the words of one command, also behind `sh -c`, `env` or `sudo`.
pub(super) fn started(command: &[Word], lookup: Lookup<'_>) -> Option<Started> {
    for (index, word) in command.iter().enumerate() {
        if word.text.contains([' ', '\n']) && index > 0 {
            // The script behind `sh -c`.
            let inner = words(&word.text, word.line, Dialect::Shell, lookup);
            if let Some(started) = started(&inner, &|_| None) {
                return Some(started);
            }
        }
        let product = program(&word.text);
        if product == Product::Unknown {
            continue;
        }
        if let [role, flags @ ..] = &command[index + 1..]
            && is_role(&role.text)
        {
            let flags = until_redirection(flags).to_vec();
            return Some(Started { product, flags });
        }
    }
    None
}

/// `server` or `agent`.
pub(super) fn is_role(word: &str) -> bool {
    matches!(word, "server" | "agent")
}

/// What precedes `>file`, `2>&1` and the like.
pub(super) fn until_redirection(words: &[Word]) -> &[Word] {
    let redirects = |word: &Word| {
        let rest = word.text.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.starts_with(['>', '<'])
    };
    &words[..words.iter().position(redirects).unwrap_or(words.len())]
}

/// Which program a path is: `/usr/local/bin/k3s`, `rke2.linux-amd64`.
fn program(word: &str) -> Product {
    // ExecStart= has marks before the path.
    let path = word.trim_start_matches(['-', '@', ':', '+', '!']);
    let name = path.rsplit('/').next().unwrap_or_default();
    let of = |program: &str| {
        let rest = name.strip_prefix(program);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.', '_']))
    };
    match (of("k3s"), of("rke2")) {
        (true, _) => Product::K3s,
        (_, true) => Product::Rke2,
        _ => Product::Unknown,
    }
}

/// The settings that flags give. As those programs take them: `--name value`, `--name=value`, with one dash or two.
pub(super) fn settings(flags: &[Word], place: &Text<'_>, source: &'static str) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut rest = flags.iter().peekable();
    while let Some(word) = rest.next() {
        let Some(name) = word.text.strip_prefix('-') else {
            continue;
        };
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (name, None),
        };
        let Some(key) = Key::of_flag(name) else {
            continue;
        };
        let value = match value {
            Some(value) => value.to_owned(),
            None if key.is_switch() => rest
                .next_if(|next| matches!(next.text.as_str(), "true" | "false"))
                .map_or("true".into(), |next| next.text.clone()),
            None => match rest.next() {
                Some(next) => next.text.clone(),
                None => continue,
            },
        };
        settings.push(Setting {
            key,
            value: Value::Texts(vec![value]),
            append: false,
            spelled: format!("-{}", name),
            level: Level::Flag,
            source,
            file: place.file.clone(),
            line: place.line(word.line),
        });
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn flags(line: &str) -> Option<Vec<(String, Value)>> {
        let command = words(line, 1, Dialect::Unit, &|_| None);
        let started = started(&command, &|_| None)?;
        let place = Text::whole(line, Path::new("unit").into());
        let found = settings(&started.flags, &place, "unit");
        Some(found.into_iter().map(|s| (s.spelled, s.value)).collect())
    }

    #[test]
    fn flags_are_found_however_the_program_is_started() {
        let server = |spelled: &str| {
            let value = Value::Texts(vec!["https://b:1".into()]);
            Some(vec![(spelled.to_owned(), value)])
        };
        for (line, spelled) in [
            ("/usr/local/bin/k3s server --server https://b:1", "--server"),
            ("-/opt/rke2 agent -s=https://b:1 --x", "-s"),
            (
                "/usr/bin/env A=b k3s server '--server=https://b:1'",
                "--server",
            ),
            (
                "/bin/sh -c 'exec k3s server -server https://b:1 >>log 2>&1'",
                "-server",
            ),
            (
                "/usr/bin/rke2.linux-amd64 server --token t --server https://b:1",
                "--server",
            ),
        ] {
            assert_eq!(flags(line), server(spelled), "{line}");
        }
        for line in [
            "/usr/bin/nginx -s reload",
            "k3s kubectl --server https://b:1",
            "k3sup server",
        ] {
            assert_eq!(flags(line), None, "{line}");
        }
        let init = flags("k3s server --cluster-init --server https://b:1").unwrap();
        assert_eq!(init.len(), 2);
    }
}
