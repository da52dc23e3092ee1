//! Compose files: services that run K3s or RKE2 in containers.

use super::env::Variable;
use super::words::{Dialect, Word, words};
use super::{Launch, Product, Text, command};
use crate::check::yaml::{Entry, Tree};

const SOURCE: &str = "command of the service";

/// One service that is a host.
#[derive(Debug)]
pub(in crate::check) struct Service {
    pub(in crate::check) name: String,
    /// Under which names and addresses the others reach it.
    pub(in crate::check) own: Vec<String>,
    pub(in crate::check) launch: Launch,
}

/// The services of a file: those that are hosts, and the names of the others.
pub(in crate::check) fn services(tree: &Tree, place: &Text<'_>) -> (Vec<Service>, Vec<String>) {
    let (mut hosts, mut others) = (Vec::new(), Vec::new());
    for entry in tree.get("services").map_or(&[][..], Tree::entries) {
        match service(entry, place) {
            Some(service) => hosts.push(service),
            None => others.push(entry.key.clone()),
        }
    }
    (hosts, others)
}

fn service(entry: &Entry, place: &Text<'_>) -> Option<Service> {
    let tree = &entry.value;
    let image = tree.get("image").and_then(Tree::text).unwrap_or_default();
    let environment = environment(tree.get("environment"), entry.line);
    let mut product = Product::of(image);
    let entrypoint = command_words(tree, "entrypoint");
    let command = command_words(tree, "command");
    let whole = [entrypoint, command.clone()].concat();
    let flags = match command::started(&whole, &|_| None) {
        Some(started) => {
            product = started.product;
            started.flags
        }
        None => {
            let (role, flags) = command.split_first().unzip();
            let starts = role.is_some_and(|word: &Word| command::is_role(&word.text));
            match flags {
                Some(flags) if starts => flags.to_vec(),
                _ if product == Product::Unknown => return None,
                // The program's own start: a server that asks nobody, unless a variable says so.
                _ => command,
            }
        }
    };
    let mut settings = Vec::new();
    for variable in &environment {
        product = product.or(Product::of(&variable.name));
        settings.extend(variable.setting(place, "environment of the service"));
    }
    settings.extend(command::settings(&flags, place, SOURCE));
    Some(Service {
        name: entry.key.clone(),
        own: own(tree),
        launch: Launch { product, settings },
    })
}

fn command_words(tree: &Tree, key: &str) -> Vec<Word> {
    let Some(entry) = tree.entry(key) else {
        return Vec::new();
    };
    match &entry.value {
        Tree::Text(text) => words(text, entry.value_line, Dialect::Unit, &|_| None),
        Tree::List(items) => {
            let word = |item: &crate::check::yaml::Item| {
                let text = item.value.text()?.to_owned();
                Some(Word {
                    text,
                    line: item.line,
                })
            };
            items.iter().filter_map(word).collect()
        }
        _ => Vec::new(),
    }
}

/// `[A=b]` or `{A: b}`.
fn environment(tree: Option<&Tree>, line: u64) -> Vec<Variable> {
    let variable = |name: &str, value: &str, line| Variable {
        name: name.to_owned(),
        value: value.to_owned(),
        line,
    };
    match tree {
        Some(Tree::List(items)) => {
            let pair = |item: &crate::check::yaml::Item| {
                let (name, value) = item.value.text()?.split_once('=')?;
                Some(variable(name, value, item.line.max(line)))
            };
            items.iter().filter_map(pair).collect()
        }
        Some(Tree::Map(entries)) => {
            let pair = |entry: &Entry| Some(variable(&entry.key, entry.value.text()?, entry.line));
            entries.iter().filter_map(pair).collect()
        }
        _ => Vec::new(),
    }
}

/// Names and addresses within the networks of the containers.
fn own(tree: &Tree) -> Vec<String> {
    let mut own = Vec::new();
    for key in ["container_name", "hostname"] {
        own.extend(tree.get(key).and_then(Tree::text).map(str::to_owned));
    }
    for network in tree.get("networks").map_or(&[][..], Tree::entries) {
        for key in ["ipv4_address", "ipv6_address"] {
            own.extend(
                network
                    .value
                    .get(key)
                    .and_then(Tree::text)
                    .map(str::to_owned),
            );
        }
        let aliases = network.value.get("aliases").map_or(&[][..], Tree::items);
        own.extend(
            aliases
                .iter()
                .filter_map(|item| item.value.text().map(str::to_owned)),
        );
    }
    own
}
