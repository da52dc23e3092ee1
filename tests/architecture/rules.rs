//! The rules of `docs/protocol.md`, each with the way to its code and its test.
//!
//! Each rule ends with one line of this form, with one or more of either:
//!
//! ```text
//!   Code: `src/node/state/own.rs::Own::rise`, `src/table/merge.rs`; test: `tests/rules/own.rs::meets_itself`
//! ```
//!
//! `#` is as good as `::`. A name is that of something which the file declares, and a test's is one
//! that the test runner will run.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};
use syn::{Ident, ImplItemFn, Item, TraitItemFn};

use crate::assert_none;
use crate::source::{Source, read, sources, tree};

const PROTOCOL: &str = "docs/protocol.md";

/// A rule as the document has it.
struct Rule {
    number: u32,
    line: usize,
    /// Its lines, the first one included.
    lines: Vec<String>,
}

fn rules(protocol: &str) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut open = false;
    for (i, line) in protocol.lines().enumerate() {
        let number = line
            .strip_prefix("- **R")
            .and_then(|rest| rest.split_once("**"));
        if let Some(number) = number.and_then(|(number, _)| number.parse().ok()) {
            rules.push(Rule {
                number,
                line: i + 1,
                lines: Vec::new(),
            });
            open = true;
        }
        open &= !line.trim().is_empty();
        if let Some(rule) = rules.last_mut()
            && open
        {
            rule.lines.push(line.to_owned());
        }
    }
    rules
}

/// What is wrong with the rules and where they lead. `file` gives the text of a file, if there is one.
fn misled(protocol: &str, file: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for rule in rules(protocol) {
        let mut say =
            |what: String| wrong.push(format!("{PROTOCOL}:{} R{}: {what}", rule.line, rule.number));
        if !seen.insert(rule.number) {
            say("there are two of that number".into());
        }
        let found: Vec<_> = rule
            .lines
            .iter()
            .filter_map(|line| line.trim().strip_prefix("Code: "))
            .collect();
        let [line] = found[..] else {
            say(format!(
                "{} lines \"Code: `…`; test: `…`\" instead of one",
                found.len()
            ));
            continue;
        };
        let Some((code, tests)) = line.split_once("; test: ") else {
            say("no \"; test: \" after its code".into());
            continue;
        };
        for (list, check) in [(code, code_fault as Check), (tests, test_fault)] {
            for quoted in list.split(", ") {
                let inner = quoted
                    .strip_prefix('`')
                    .and_then(|rest| rest.strip_suffix('`'));
                match inner {
                    Some(reference) => check(reference, file).into_iter().for_each(&mut say),
                    None => say(format!(
                        "{quoted} is not `in backticks`, or not separated by a comma"
                    )),
                }
            }
        }
    }
    wrong
}

type Check = fn(&str, &dyn Fn(&str) -> Option<String>) -> Option<String>;

/// `path`, `path::name` or `path::Type::name`, with `#` for the first `::` or not.
fn split(reference: &str) -> (&str, Vec<&str>) {
    let end = reference
        .find("::")
        .into_iter()
        .chain(reference.find('#'))
        .min();
    let (path, names) = reference.split_at(end.unwrap_or(reference.len()));
    (
        path,
        names
            .split([':', '#'])
            .filter(|name| !name.is_empty())
            .collect(),
    )
}

fn code_fault(reference: &str, file: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let (path, names) = split(reference);
    let Some(text) = file(path) else {
        return Some(format!("there is no file {path}"));
    };
    if names.is_empty() {
        return None;
    }
    let mut declared = Declared(BTreeSet::new());
    declared.visit_file(&Source::new(path, &text).ast);
    let missing = names.iter().find(|name| !declared.0.contains(**name));
    missing.map(|name| format!("{path} declares no {name}"))
}

fn test_fault(reference: &str, file: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let (path, names) = split(reference);
    let Some(name) = names.last() else {
        return Some(format!("{path} names no test of that file"));
    };
    let Some(text) = file(path) else {
        return Some(format!("there is no file {path}"));
    };
    // Not parsed: a property is an argument of a macro.
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is = |line: &&str| line.contains(&format!("fn {name}("));
    let Some(at) = lines.iter().position(is) else {
        return Some(format!("{path} has no fn {name}("));
    };
    let above = lines[..at]
        .iter()
        .rev()
        .take_while(|line| line.starts_with(['#', '/', ')']));
    let runs = above
        .into_iter()
        .any(|line| line.starts_with("#[test]") || line.contains("::test"));
    (!runs).then(|| format!("{name} in {path} is no test"))
}

/// The names that a file declares, of whatever kind.
struct Declared(BTreeSet<String>);

impl Declared {
    fn add(&mut self, ident: &Ident) {
        self.0.insert(ident.to_string());
    }
}

impl<'ast> Visit<'ast> for Declared {
    fn visit_item(&mut self, item: &'ast Item) {
        self.0.extend(crate::source::defined(item));
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.add(&item.sig.ident);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        self.add(&item.sig.ident);
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.add(&variant.ident);
    }
}

/// Rules that the code cites and the document does not have.
fn unknown_rules(protocol: &str, sources: &[Source]) -> Vec<String> {
    let known: BTreeSet<u32> = rules(protocol).iter().map(|rule| rule.number).collect();
    let mut wrong = Vec::new();
    for source in sources {
        for (i, line) in source.text.lines().enumerate() {
            for number in cited(line).filter(|number| !known.contains(number)) {
                wrong.push(format!(
                    "{}:{} cites R{number}, which is not in {PROTOCOL}",
                    source.path,
                    i + 1
                ));
            }
        }
    }
    wrong
}

/// The numbers of a line's `R12`, as words of their own.
fn cited(line: &str) -> impl Iterator<Item = u32> {
    let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.filter_map(|word| word.strip_prefix('R')?.parse().ok())
}

#[test]
fn every_rule_leads_to_its_code_and_its_test() {
    let protocol = read(PROTOCOL).expect("the rules");
    assert!(
        rules(&protocol).len() >= 29,
        "the list of rules is not read as one"
    );
    assert_none(&misled(&protocol, &|path| read(path)));
}

#[test]
fn every_rule_that_the_code_cites_exists() {
    let protocol = read(PROTOCOL).expect("the rules");
    assert_none(&unknown_rules(
        &protocol,
        &tree(&["src", "transports", "agent/src"]),
    ));
}

/// Two files, for the examples below.
fn example(path: &str) -> Option<String> {
    match path {
        "src/a.rs" => Some("struct Own; impl Own { fn rise(&self) {} } enum Kind { Hello }".into()),
        "tests/a.rs" => Some("#[test]\nfn rises() {}\n\nfn helps() {}\n".into()),
        _ => None,
    }
}

/// What is said of one rule with this last line.
fn said(line: &str) -> String {
    misled(
        &format!("# Rules\n\n- **R1** It rises.\n  {line}\n\nMore.\n"),
        &example,
    )
    .join("; ")
}

#[test]
fn a_rule_that_leads_somewhere_passes() {
    for code in [
        "src/a.rs",
        "src/a.rs::Own::rise",
        "src/a.rs#Kind",
        "src/a.rs, `src/a.rs::Hello".replace(", `", "`, `").as_str(),
    ] {
        assert_eq!(
            said(&format!("Code: `{code}`; test: `tests/a.rs::rises`")),
            ""
        );
    }
}

#[test]
fn a_rule_that_leads_nowhere_is_caught() {
    let at = |what: &str| format!("docs/protocol.md:3 R1: {what}");
    let test = "; test: `tests/a.rs::rises`";
    assert_eq!(
        said("And so on."),
        at("0 lines \"Code: `…`; test: `…`\" instead of one")
    );
    assert_eq!(
        said("Code: `src/a.rs`"),
        at("no \"; test: \" after its code")
    );
    assert_eq!(
        said(&format!("Code: src/a.rs{test}")),
        at("src/a.rs is not `in backticks`, or not separated by a comma")
    );
    assert_eq!(
        said(&format!("Code: `src/b.rs`{test}")),
        at("there is no file src/b.rs")
    );
    assert_eq!(
        said(&format!("Code: `src/a.rs::Own::falls`{test}")),
        at("src/a.rs declares no falls")
    );
    assert_eq!(
        said("Code: `src/a.rs`; test: `tests/a.rs`"),
        at("tests/a.rs names no test of that file")
    );
    assert_eq!(
        said("Code: `src/a.rs`; test: `tests/a.rs::sinks`"),
        at("tests/a.rs has no fn sinks(")
    );
    assert_eq!(
        said("Code: `src/a.rs`; test: `tests/a.rs::helps`"),
        at("helps in tests/a.rs is no test")
    );
}

#[test]
fn doubles_and_unknown_rules_are_caught() {
    let rule = |n| format!("- **R{n}** It is so.\n  Code: `src/a.rs`; test: `tests/a.rs::rises`\n");
    let protocol = [rule(1), rule(3), rule(3)].concat();
    assert_eq!(
        misled(&protocol, &example),
        ["docs/protocol.md:5 R3: there are two of that number",]
    );
    let citing = sources(&[("src/a.rs", "// As R1 and (R3) say, not R2 nor R4b.\n")]);
    assert_eq!(
        unknown_rules(&protocol, &citing),
        ["src/a.rs:1 cites R2, which is not in docs/protocol.md"]
    );
}
