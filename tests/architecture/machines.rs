//! What a machine of the core may be (ARCHITECTURE.md): it owns its state and knows no other.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{FnArg, ImplItem, Item, ReceiverKind, Type, Visibility};

use crate::assert_none;
use crate::example::example;
use crate::graph::{Graph, Module, graph, module, within};
use crate::source::{Source, attributes, for_tests, tree};

/// Where the machines are, one a file or folder.
const STATE: &str = "node::state";

/// What composes the machines, and what they therefore never name.
const COMPOSERS: [&str; 5] = ["Node", "Base", "Exchange", "Detector", "Guard"];

/// Machines that use each other.
fn acquainted(graph: &Graph) -> Vec<String> {
    let depth = STATE.split("::").count();
    let machine = |module: &Module| {
        within(module, STATE)
            .then(|| module.get(depth).cloned())
            .flatten()
    };
    let both = |((from, to), places): (&(Module, Module), &Vec<String>)| {
        let (from, to) = (machine(from)?, machine(to)?);
        (from != to).then(|| format!("machine {from} uses machine {to}: {}", places[0]))
    };
    graph.edges.iter().filter_map(both).collect()
}

/// The files of the machines.
fn machines(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources
        .iter()
        .filter(|source| module(&source.path).is_some_and(|module| within(&module, STATE)))
}

/// What composes the machines, named in one of them.
fn composers_named(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in machines(sources) {
        let mut names = Names(Vec::new());
        names.visit_file(&source.ast);
        for (name, line) in names.0 {
            if COMPOSERS.contains(&name.as_str()) {
                wrong.push(format!("a machine names {name}: {}:{line}", source.path));
            }
        }
    }
    wrong
}

/// All names in code that is not for tests, with their lines.
struct Names(Vec<(String, usize)>);

impl Names {
    fn tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => self.visit_ident(&ident),
                TokenTree::Group(group) => self.tokens(group.stream()),
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item(&mut self, item: &'ast Item) {
        if !for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_ident(&mut self, ident: &syn::Ident) {
        self.0.push((ident.to_string(), ident.span().start().line));
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
}

/// Machines whose fields others can see, and files of machines without unit tests.
///
/// A machine is a struct with a method that takes `&mut self`; the values that it gives and takes
/// have none.
fn open_or_untested(sources: &[Source]) -> Vec<String> {
    let items = machines(sources).flat_map(|source| &source.ast.items);
    let all: BTreeSet<String> = items.filter_map(changing).collect();
    let mut wrong = Vec::new();
    for source in machines(sources) {
        let structs = source.ast.items.iter().filter_map(|item| match item {
            Item::Struct(item) => Some(item),
            _ => None,
        });
        let here: Vec<_> = structs
            .filter(|item| all.contains(&item.ident.to_string()))
            .collect();
        for (machine, field) in here
            .iter()
            .flat_map(|m| m.fields.iter().map(|f| (&m.ident, f)))
        {
            if !matches!(field.vis, Visibility::Inherited) {
                let name = field
                    .ident
                    .as_ref()
                    .map_or("0".to_owned(), ToString::to_string);
                let path = &source.path;
                wrong.push(format!(
                    "{path}: others can see the field {name} of the machine {machine}"
                ));
            }
        }
        let tests = |item: &Item| matches!(item, Item::Mod(item) if for_tests(&item.attrs));
        if !here.is_empty() && !source.ast.items.iter().any(tests) {
            wrong.push(format!(
                "{}: a machine without unit tests beside it",
                source.path
            ));
        }
    }
    wrong
}

/// The type of an `impl` block in which a method takes `&mut self`.
fn changing(item: &Item) -> Option<String> {
    let Item::Impl(item) = item else { return None };
    let Type::Path(of) = &*item.self_ty else {
        return None;
    };
    let changes = |item: &ImplItem| match item {
        ImplItem::Fn(item) => match item.sig.inputs.first() {
            Some(FnArg::Receiver(receiver)) => {
                matches!(receiver.kind, ReceiverKind::Reference(_, _, Some(_)))
            }
            _ => false,
        },
        _ => false,
    };
    (item.trait_.is_none() && item.items.iter().any(changes))
        .then(|| of.path.segments.last().map(|s| s.ident.to_string()))?
}

#[test]
fn machines_do_not_use_each_other() {
    assert_none(&acquainted(&graph(&tree(&["src"]))));
}

#[test]
fn machines_do_not_name_what_composes_them() {
    assert_none(&composers_named(&tree(&["src"])));
}

#[test]
fn machines_have_private_fields_and_unit_tests() {
    assert_none(&open_or_untested(&tree(&["src"])));
}

#[test]
fn machines_that_are_right_pass() {
    let right = example(&[]);
    let nothing: [String; 0] = [];
    assert_eq!(acquainted(&graph(&right)), nothing);
    assert_eq!(composers_named(&right), nothing);
    assert_eq!(open_or_untested(&right), nothing);
}

#[test]
fn machines_that_know_too_much_are_caught() {
    let sources = example(&[(
        "src/node/state/own.rs",
        "use super::Links;\nfn f(base: &crate::node::Base) {}",
    )]);
    assert_eq!(
        acquainted(&graph(&sources)),
        ["machine own uses machine links: src/node/state/own.rs:1 super::Links"]
    );
    assert_eq!(
        composers_named(&sources),
        ["a machine names Base: src/node/state/own.rs:2"]
    );
}

#[test]
fn open_and_untested_machines_are_caught() {
    let sources = example(&[(
        "src/node/state/own.rs",
        "pub struct Own { pub(crate) at: u8, epoch: u8 }\nimpl Own { fn rise(&mut self) {} }\npub struct Verdict { pub ok: bool }\nimpl Verdict { fn f(&self) {} }",
    )]);
    assert_eq!(
        open_or_untested(&sources),
        [
            "src/node/state/own.rs: others can see the field at of the machine Own",
            "src/node/state/own.rs: a machine without unit tests beside it",
        ]
    );
}
