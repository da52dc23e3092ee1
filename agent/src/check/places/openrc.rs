//! OpenRC: `/etc/init.d/k3s` and `/etc/conf.d/k3s`, which set variables as shells do.

use super::env::{Variable, is_name};
use super::words::{Dialect, Token, Word, split, words};
use super::{Launch, Product, Text, command};

const SOURCE: &str = "OpenRC service";

/// Reads one file. Both set `command_args`; the one of `conf.d` has the last word.
pub(in crate::check) fn openrc(text: &Text<'_>) -> Launch {
    let mut known: Vec<Variable> = Vec::new();
    for token in split(text.text, 1, Dialect::Shell, &|_| None) {
        let Token::Word(Word { text, line }) = token else {
            continue;
        };
        if let Some((name, value)) = text.split_once('=').filter(|(name, _)| is_name(name)) {
            known.push(Variable {
                name: name.to_owned(),
                value: value.to_owned(),
                line,
            });
        }
    }
    let mut launch = Launch::default();
    for variable in &known {
        launch
            .settings
            .extend(variable.setting(text, "environment of the OpenRC service"));
        if matches!(variable.name.as_str(), "command" | "name") {
            launch.product = launch.product.or(Product::of(&variable.value));
        }
    }
    let lookup = |name: &str| {
        let found = known.iter().rev().find(|variable| variable.name == name);
        found.map(|variable| variable.value.clone())
    };
    for variable in known
        .iter()
        .filter(|v| matches!(v.name.as_str(), "command_args" | "k3s_args" | "rke2_args"))
    {
        let args = words(&variable.value, variable.line, Dialect::Shell, &lookup);
        let flags = command::until_redirection(&args);
        launch
            .settings
            .extend(command::settings(flags, text, SOURCE));
    }
    launch
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_arguments_are_one_quoted_variable() {
        let text = "#!/sbin/openrc-run\nname=k3s\ncommand=\"/usr/local/bin/k3s\"\ncommand_args=\"server \\\n  '--server' \\\n  'https://a:1' \\\n  >>/var/log/k3s.log 2>&1\"\n";
        let launch = openrc(&Text::whole(text, Path::new("k3s").into()));
        assert_eq!(launch.product, Product::K3s);
        assert_eq!(launch.settings.len(), 1);
        assert_eq!(launch.settings[0].spelled, "--server");
    }
}
