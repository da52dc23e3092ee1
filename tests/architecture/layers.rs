//! Who may know whom in the core (ARCHITECTURE.md).

use std::collections::BTreeSet;

use crate::assert_none;
use crate::cycles::{Edges, cycles, describe};
use crate::example::example;
use crate::graph::{Graph, Module, graph, name, within};
use crate::source::{Source, tree};

/// Modules with all below them, and those that they may not use. `node::self` is the file of
/// `node` without its children.
const LAYERS: [(&str, &[&str]); 17] = [
    ("contract", &["wire", "table", "limits", "node", "driver"]),
    ("time", &["wire", "table", "limits", "node", "driver"]),
    ("id", &["wire", "table", "limits", "node", "driver"]),
    ("addr", &["wire", "table", "limits", "node", "driver"]),
    ("record", &["wire", "table", "limits", "node", "driver"]),
    ("sketch", &["wire", "table", "limits", "node", "driver"]),
    ("wire", &["table", "limits", "node", "driver"]),
    ("limits", &["table", "node", "driver"]),
    ("table", &["node", "driver"]),
    ("node", &["driver"]),
    (
        "node::cx",
        &[
            "node::self",
            "node::state",
            "node::base",
            "node::exchange",
            "node::detector",
            "node::guard",
            "node::flow",
            "node::view",
        ],
    ),
    (
        "node::state",
        &[
            "node::self",
            "node::base",
            "node::exchange",
            "node::detector",
            "node::guard",
            "node::flow",
            "node::view",
        ],
    ),
    (
        "node::base",
        &[
            "node::self",
            "node::exchange",
            "node::detector",
            "node::guard",
            "node::flow",
            "node::view",
        ],
    ),
    (
        "node::exchange",
        &[
            "node::self",
            "node::detector",
            "node::guard",
            "node::flow",
            "node::view",
        ],
    ),
    (
        "node::detector",
        &[
            "node::self",
            "node::exchange",
            "node::guard",
            "node::flow",
            "node::view",
        ],
    ),
    (
        "node::guard",
        &[
            "node::self",
            "node::base",
            "node::exchange",
            "node::flow",
            "node::view",
        ],
    ),
    ("node::view", &["node::flow"]),
];

/// The state machine: `wire` parses for it.
const STATEFUL: [&str; 3] = ["node", "table", "limits"];

/// Cycles between the modules of the crate: at each level, between its files and folders, each folder
/// with all that is in it. (A cycle of files anywhere is one of these, where their paths part.)
fn circles(graph: &Graph) -> Vec<String> {
    let parents: BTreeSet<Module> = graph
        .modules
        .iter()
        .filter_map(|m| Some(m[..m.len().checked_sub(1)?].to_vec()))
        .collect();
    let part = |parent: &Module, module: &Module| {
        let below = module.strip_prefix(parent.as_slice())?;
        let own = || format!("{}::self", name(parent));
        Some(below.first().map_or_else(own, |child| {
            name(&[parent.as_slice(), std::slice::from_ref(child)].concat())
        }))
    };
    let mut found = Vec::new();
    for parent in &parents {
        let mut edges = Edges::new();
        for ((from, to), places) in &graph.edges {
            if let (Some(from), Some(to)) = (part(parent, from), part(parent, to))
                && from != to
            {
                edges
                    .entry((from, to))
                    .or_default()
                    .extend(places.iter().cloned());
            }
        }
        found.extend(told(&edges));
    }
    found
}

fn told(edges: &Edges) -> Vec<String> {
    cycles(edges)
        .iter()
        .map(|cycle| describe(cycle, edges))
        .collect()
}

/// Uses that go up.
fn upward(graph: &Graph) -> Vec<String> {
    let mut wrong = Vec::new();
    let named: BTreeSet<&str> = LAYERS
        .iter()
        .flat_map(|(low, high)| high.iter().chain([low]))
        .copied()
        .collect();
    for name in named {
        if !graph.modules.iter().any(|module| within(module, name)) {
            wrong.push(format!("there is no module {name}, of which LAYERS speaks"));
        }
    }
    for ((from, to), places) in &graph.edges {
        for (low, high) in LAYERS {
            let up = || high.iter().find(|high| within(to, high));
            if within(from, low)
                && let Some(up) = up()
            {
                wrong.extend(
                    places
                        .iter()
                        .map(|place| format!("{low} may not use {up}: {place}")),
                );
            }
        }
    }
    for (module, krate, place) in &graph.foreign {
        if krate == "prost" && STATEFUL.iter().any(|layer| within(module, layer)) {
            wrong.push(format!("the state machine knows no prost: {place}"));
        }
    }
    wrong
}

fn core() -> Vec<Source> {
    tree(&["src"])
}

#[test]
fn no_cycle_among_the_modules_of_the_core() {
    assert_none(&circles(&graph(&core())));
}

#[test]
fn modules_of_the_core_are_used_downwards_only() {
    assert_none(&upward(&graph(&core())));
}

#[test]
fn what_is_right_passes() {
    let right = example(&[]);
    let graph = graph(&right);
    let nothing: [String; 0] = [];
    assert_eq!(circles(&graph), nothing);
    assert_eq!(upward(&graph), nothing);
}

#[test]
fn a_circle_of_files_is_caught_through_re_exports_macros_and_renamed_imports() {
    let circle = |text| circles(&graph(&example(&[("src/wire/message.rs", text)])));
    let (head, back) = (
        "wire::decode → wire::message → wire::decode\n    wire::decode uses wire::message: src/wire/decode.rs:1 super::Message\n    wire::message uses wire::decode: ",
        "src/wire/message.rs",
    );
    assert_eq!(
        circle("pub enum Message {}\nuse super::decode;"),
        [format!("{head}{back}:2 super::decode")]
    );
    assert_eq!(
        circle("pub enum Message {}\nfn f() { vec![crate::wire::decode()]; }"),
        [format!("{head}{back}:2 crate::wire::decode")]
    );
    assert_eq!(
        circle("use crate::wire as w;\npub enum Message {}\nfn f() { w::decode() }"),
        [format!("{head}{back}:3 w::decode")]
    );
    assert_eq!(
        circle("pub enum Message {}\nmod a { use super::super::decode; }"),
        [format!("{head}{back}:2 super::decode")]
    );
}

#[test]
fn a_parent_and_a_child_that_use_each_other_are_caught() {
    let changed = [(
        "src/node/base.rs",
        "use crate::node::Node;\npub struct Base(Node);",
    )];
    let found = circles(&graph(&example(&changed)));
    assert_eq!(
        found,
        [
            "node::base → node::self → node::base\n    node::base uses node::self: src/node/base.rs:1 crate::node::Node\n    node::self uses node::base: src/node/mod.rs:2 self::base::Base"
        ]
    );
}

#[test]
fn a_circle_of_folders_is_caught_that_is_none_of_files() {
    let changed = [
        (
            "src/limits/mod.rs",
            "mod gate; pub mod caps;\nuse crate::wire::Message;",
        ),
        ("src/wire/decode.rs", "use crate::limits::caps::BYTES;"),
        ("src/limits/caps.rs", "pub const BYTES: u8 = 1;"),
    ];
    assert_eq!(circles(&graph(&example(&changed))).len(), 1);
}

#[test]
fn uses_upwards_are_caught() {
    let found = |path, text| upward(&graph(&example(&[(path, text)])));
    assert_eq!(
        found(
            "src/wire/message.rs",
            "use crate::limits::caps;\nfn f() { caps::f() }"
        ),
        ["wire may not use limits: src/wire/message.rs:2 caps::f"]
    );
    assert_eq!(
        found("src/node/base.rs", "use crate::node::exchange::X;"),
        ["node::base may not use node::exchange: src/node/base.rs:1 crate::node::exchange::X"]
    );
    assert_eq!(
        found("src/node/state/own.rs", "use super::super::Node;"),
        ["node::state may not use node::self: src/node/state/own.rs:1 super::super::Node"]
    );
    assert_eq!(
        found("src/node/cx.rs", "use prost::Message as _;"),
        ["the state machine knows no prost: src/node/cx.rs:1 prost::Message"]
    );
    let mut fewer = example(&[]);
    fewer.retain(|source| source.path != "src/node/exchange.rs");
    assert_eq!(
        upward(&graph(&fewer)),
        ["there is no module node::exchange, of which LAYERS speaks"]
    );
}
