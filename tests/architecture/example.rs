//! A crate of the core's layers, for the checks' own tests.

use std::collections::BTreeMap;

use crate::source::{Source, sources};

/// A small crate in which nothing is wrong, with some files replaced or added.
pub(crate) fn example(changed: &[(&'static str, &'static str)]) -> Vec<Source> {
    let machine = "use crate::node::cx::Cx;\npub struct Links { all: u8 }\n\
        impl Links { pub fn up(&mut self, cx: &mut Cx) {} }\n#[cfg(test)]\nmod tests { use crate::node::Node; }";
    let mut files = BTreeMap::from([
        (
            "src/lib.rs",
            "mod driver; mod limits; mod node; mod table; mod time;\nmod addr; mod contract; mod id; mod record; mod sketch; mod wire;\npub use wire::Message;",
        ),
        ("src/addr.rs", ""),
        ("src/contract.rs", ""),
        ("src/id.rs", ""),
        ("src/record.rs", ""),
        ("src/sketch.rs", ""),
        ("src/time.rs", ""),
        ("src/driver.rs", "use crate::node::Node;"),
        ("src/limits/mod.rs", "pub mod caps;"),
        ("src/limits/caps.rs", ""),
        ("src/table.rs", ""),
        (
            "src/wire/mod.rs",
            "mod decode; mod message;\npub use decode::decode;\npub use self::message::*;\npub const VERSION: u8 = 1;",
        ),
        (
            "src/wire/decode.rs",
            "use super::{Message, VERSION};\npub fn decode() {}",
        ),
        ("src/wire/message.rs", "pub enum Message { Hello }"),
        (
            "src/node/mod.rs",
            "mod base; mod cx; mod detector; mod exchange; mod flow; mod guard; mod state; mod view;\nuse self::base::Base;\npub struct Node(Base);",
        ),
        (
            "src/node/base.rs",
            "use crate::node::state::Links;\npub struct Base(Links);",
        ),
        ("src/node/cx.rs", "pub struct Cx;"),
        ("src/node/detector.rs", ""),
        ("src/node/exchange.rs", ""),
        (
            "src/node/flow.rs",
            "use crate::{node::Node, wire};\nimpl Node { fn f() { wire::decode() } }",
        ),
        (
            "src/node/state/mod.rs",
            "mod links; mod own;\npub use links::Links;",
        ),
        ("src/node/state/links.rs", machine),
        ("src/node/state/own.rs", ""),
        ("src/node/guard.rs", ""),
        ("src/node/view.rs", ""),
    ]);
    files.extend(changed.iter().copied());
    sources(&files.into_iter().collect::<Vec<_>>())
}
