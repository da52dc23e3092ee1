//! Shell scripts that install or start RKE2 or K3s: `curl … | sh -s - server --server URL` and its relatives, and the
//! files that they write on the way.

use super::command;
use super::env::{Variable, is_name};
use super::words::{Dialect, Token, Word, expand, split, words};
use super::{Launch, Product, Text};

const SOURCE: &str = "install script";

/// What a script does that matters here.
#[derive(Debug, Default)]
pub(in crate::check) struct Script {
    /// How the program is started, if it is.
    pub(in crate::check) launch: Option<Launch>,
    pub(in crate::check) files: Vec<Written>,
}

/// A file that a script writes.
#[derive(Debug)]
pub(in crate::check) struct Written {
    pub(in crate::check) path: String,
    pub(in crate::check) text: String,
    /// Where it begins in the script, and whether its lines are those of the script.
    pub(in crate::check) line: u64,
    pub(in crate::check) exact: bool,
}

/// Reads a script.
pub(in crate::check) fn script(text: &Text<'_>) -> Script {
    let (commands, documents) = here_documents(text.text);
    let known = assignments(&split(&commands, 1, Dialect::Shell, &|_| None));
    let lookup = |name: &str| {
        let found = known.iter().rev().find(|variable| variable.name == name);
        found.map(|variable| variable.value.clone())
    };
    let mut reader = Reader {
        text,
        lookup: &lookup,
        script: Script::default(),
    };
    for mut document in documents {
        document.text = expand(&document.text, &lookup);
        reader.script.files.push(document);
    }
    reader.commands(&commands, 1);
    for variable in &known {
        reader.variable(variable);
    }
    reader.script
}

/// The variables that stand before commands, or behind `export`.
fn assignments(tokens: &[Token]) -> Vec<Variable> {
    let mut found = Vec::new();
    for command in tokens.split(|token| *token == Token::End) {
        let words = command.iter().map_while(|token| match token {
            Token::Word(word) if is_prefix(word) => Some(word),
            _ => None,
        });
        found.extend(words.filter_map(assignment));
    }
    found
}

fn assignment(word: &Word) -> Option<Variable> {
    let (name, value) = word.text.split_once('=')?;
    is_name(name).then(|| Variable {
        name: name.to_owned(),
        value: value.to_owned(),
        line: word.line,
    })
}

struct Reader<'a, 't> {
    text: &'a Text<'t>,
    lookup: &'a dyn Fn(&str) -> Option<String>,
    script: Script,
}

impl Reader<'_, '_> {
    fn launch(&mut self) -> &mut Launch {
        self.script.launch.get_or_insert_default()
    }

    /// A variable of those programs, or of their installers.
    fn variable(&mut self, variable: &Variable) {
        let product = Product::of(&variable.name);
        if variable.name.starts_with("INSTALL_") && variable.name.ends_with("_EXEC") {
            let args = words(&variable.value, variable.line, Dialect::Shell, self.lookup);
            self.flags(product, &args);
        } else if let Some(setting) =
            variable.setting(self.text, "environment of the install script")
        {
            let launch = self.launch();
            launch.product = launch.product.or(product);
            launch.settings.push(setting);
        }
    }

    fn flags(&mut self, product: Product, flags: &[Word]) {
        let flags = command::until_redirection(flags);
        let settings = command::settings(flags, self.text, SOURCE);
        let launch = self.launch();
        launch.product = launch.product.or(product);
        launch.settings.extend(settings);
    }

    fn commands(&mut self, text: &str, line: u64) {
        let tokens = split(text, line, Dialect::Shell, self.lookup);
        let mut previous: Vec<Word> = Vec::new();
        for command in tokens.split(|token| *token == Token::End) {
            let words: Vec<Word> = command
                .iter()
                .filter_map(|token| match token {
                    Token::Word(word) => Some(word.clone()),
                    Token::End => None,
                })
                .collect();
            self.command(&words, &previous);
            previous = words;
        }
    }

    fn command(&mut self, words: &[Word], previous: &[Word]) {
        let start = words
            .iter()
            .position(|word| !is_prefix(word))
            .unwrap_or(words.len());
        let (prefix, words) = words.split_at(start);
        let Some((first, rest)) = words.split_first() else {
            return;
        };
        if matches!(first.text.as_str(), "echo" | "printf") {
            return self.echo(rest);
        }
        let mut near = prefix
            .iter()
            .chain(previous)
            .map(|word| Product::of(&word.text));
        let near = near
            .find(|product| *product != Product::Unknown)
            .unwrap_or_default();
        let name = first.text.rsplit('/').next().unwrap_or_default();
        if matches!(name, "sh" | "bash" | "ash" | "dash" | "zsh" | "ksh") {
            return self.shell(rest, near);
        }
        if let Some(started) = command::started(words, self.lookup) {
            self.flags(started.product, &started.flags);
        } else if is_installer(name) {
            self.flags(near.or(Product::of(name)), rest);
        }
    }

    /// `sh -s - ARGUMENTS`, `sh FILE ARGUMENTS`, `sh -c COMMANDS`.
    fn shell(&mut self, words: &[Word], near: Product) {
        let mut rest = words.iter();
        let mut from_input = false;
        while let Some(word) = rest.as_slice().first() {
            match word.text.as_str() {
                "-" | "--" => from_input = true,
                option if option.starts_with('-') => {
                    if option.contains('c') && !option.starts_with("--") {
                        rest.next();
                        if let Some(inner) = rest.next() {
                            self.inner(&inner.clone());
                        }
                        return;
                    }
                    from_input |= option.contains('s');
                }
                _ => break,
            }
            rest.next();
        }
        let rest = rest.as_slice();
        let (args, near) = match rest.split_first() {
            Some((file, args)) if !from_input => {
                let name = file.text.rsplit('/').next().unwrap_or_default();
                if !is_installer(name) {
                    return;
                }
                (args, near.or(Product::of(name)))
            }
            _ => (rest, near),
        };
        let flagged = args
            .first()
            .is_some_and(|word| command::is_role(&word.text))
            || !command::settings(args, self.text, SOURCE).is_empty();
        if near != Product::Unknown || flagged {
            self.flags(near, args);
        }
    }

    /// The script behind `sh -c`, with variables of its own.
    fn inner(&mut self, script: &Word) {
        let tokens = split(&script.text, script.line, Dialect::Shell, self.lookup);
        for variable in assignments(&tokens) {
            self.variable(&variable);
        }
        self.commands(&script.text, script.line);
    }

    /// `echo TEXT > FILE`.
    fn echo(&mut self, words: &[Word]) {
        let Some(path) = target(words) else { return };
        let text = command::until_redirection(words).iter();
        let text = text
            .map(|word| word.text.as_str())
            .filter(|word| !matches!(*word, "-e" | "-n"));
        let text = text.collect::<Vec<_>>().join(" ").replace("\\n", "\n");
        self.script.files.push(Written {
            path,
            text: text + "\n",
            line: words.first().map_or(1, |word| word.line),
            exact: false,
        });
    }
}

/// What may stand before a command: variables, `sudo -E`, `env`, `export`.
fn is_prefix(word: &Word) -> bool {
    const WORDS: [&str; 18] = [
        "local", "declare", "readonly", "typeset", "sudo", "env", "exec", "export", "nohup",
        "time", "then", "do", "else", "if", "!", "{", "-E", "-",
    ];
    WORDS.contains(&word.text.as_str()) || assignment(word).is_some()
}

/// Whether a script of this name installs one of those programs.
fn is_installer(name: &str) -> bool {
    let script = name.ends_with(".sh") || !name.contains('.') && name.contains("install");
    script && (name.contains("install") || Product::of(name) != Product::Unknown)
}

/// The path behind `>` or `tee`.
fn target(words: &[Word]) -> Option<String> {
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let tee = texts.iter().position(|word| *word == "tee");
    if let Some(path) = tee.and_then(|at| texts[at + 1..].iter().find(|w| !w.starts_with('-'))) {
        return Some((*path).to_owned());
    }
    let at = texts.iter().position(|word| word.starts_with('>'))?;
    let path = match texts[at].trim_start_matches('>') {
        "" => texts.get(at + 1)?,
        path => path,
    };
    Some(path.to_owned())
}

/// Takes `<<END` documents out of a script: the commands without them, and each that goes into a file.
fn here_documents(text: &str) -> (String, Vec<Written>) {
    let mut commands = String::new();
    let mut documents = Vec::new();
    let mut lines = text.lines().zip(1u64..);
    while let Some((line, _)) = lines.next() {
        commands.push_str(line);
        commands.push('\n');
        let Some((tabs, end)) = delimiter(line) else {
            continue;
        };
        let found = words(&line.replace('|', " "), 1, Dialect::Shell, &|_| None);
        let (mut body, mut first) = (String::new(), None);
        for (line, number) in lines.by_ref() {
            commands.push('\n');
            let line = if tabs {
                line.trim_start_matches('\t')
            } else {
                line
            };
            if line == end {
                break;
            }
            first.get_or_insert(number);
            body.push_str(line);
            body.push('\n');
        }
        if let (Some(path), Some(line)) = (target(&found), first) {
            documents.push(Written {
                path,
                text: body,
                line,
                exact: true,
            });
        }
    }
    (commands, documents)
}

/// The word that ends the document which begins below `line`, and whether tabs before it are dropped.
fn delimiter(line: &str) -> Option<(bool, String)> {
    let code = line.trim_start();
    let (_, rest) = code.split_once("<<").filter(|_| !code.starts_with('#'))?;
    let (tabs, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let rest = rest.trim_start();
    let quotes = |c: char| matches!(c, '\'' | '"' | '\\');
    let word: String = rest
        .trim_start_matches(quotes)
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    (!word.is_empty() && !rest.starts_with('<')).then_some((tabs, word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::places::{Key, Value};
    use std::path::Path;

    fn read(text: &str) -> Script {
        script(&Text::whole(text, Path::new("install.sh").into()))
    }

    #[test]
    fn installers_are_found_however_they_are_called() {
        for text in [
            "curl -sfL https://get.k3s.io | K3S_TOKEN=x sh -s - server --server https://b:1",
            "curl -sfL https://get.k3s.io | sh -s server --server https://b:1 > log",
            "curl -sfL https://get.k3s.io | INSTALL_K3S_EXEC='server -s https://b:1' sh -",
            "export INSTALL_K3S_EXEC=\"--server https://b:1\"\ncurl -sfL https://get.k3s.io | sh -",
            "FIRST=b\nif true; then\n  sudo -E bash ./install.sh agent --server=https://$FIRST:1\nfi",
            "curl -sfL https://get.k3s.io | K3S_URL=https://b:1 sh -",
            "export K3S_URL=https://b:1\n./k3s-install.sh",
            "sudo k3s server --server https://b:1 &",
            "bash -c 'curl https://get.k3s.io | sh -s - server --server https://b:1'",
        ] {
            let launch = read(text).launch.unwrap_or_else(|| panic!("{text}"));
            let server = launch.settings.iter().find(|s| s.key == Key::Server);
            let value = Value::Texts(vec!["https://b:1".into()]);
            assert_eq!(server.map(|s| &s.value), Some(&value), "{text}");
        }
        for text in [
            "sh -s - x",
            "# k3s server --server https://b:1",
            "echo K3S_URL=https://b:1",
            "make install",
        ] {
            assert!(read(text).launch.is_none(), "{text}");
        }
    }

    #[test]
    fn files_that_a_script_writes() {
        let text = "B=b\ncat <<EOF | sudo tee /etc/rancher/k3s/config.yaml\nserver: https://$B:1\nEOF\necho 'K3S_URL=x' >> /etc/default/k3s\n";
        let files = read(text).files;
        assert_eq!(files.len(), 2);
        assert_eq!(files[0].path, "/etc/rancher/k3s/config.yaml");
        assert_eq!(
            (files[0].text.as_str(), files[0].line),
            ("server: https://b:1\n", 3)
        );
        assert_eq!(
            (files[1].path.as_str(), files[1].text.as_str()),
            ("/etc/default/k3s", "K3S_URL=x\n")
        );
    }
}
