//! Files of the repository, and what can be said of one without its neighbours.

use std::fs;
use std::path::Path;

use syn::punctuated::Punctuated;
use syn::{Attribute, Item, Meta, Token};

/// One file of Rust, parsed.
pub(crate) struct Source {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) ast: syn::File,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let ast = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let (path, text) = (path.to_owned(), text.to_owned());
        Self { path, text, ast }
    }
}

/// Examples for the checks' own tests.
pub(crate) fn sources(files: &[(&str, &str)]) -> Vec<Source> {
    let parse = |(path, text): &(&str, &str)| Source::new(path, text);
    files.iter().map(parse).collect()
}

/// One file of the repository.
pub(crate) fn read(path: &str) -> Option<String> {
    fs::read_to_string(root().join(path)).ok()
}

/// All files of Rust below some directories of the repository, in the order of their paths.
pub(crate) fn tree(directories: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for directory in directories {
        walk(&root().join(directory), &mut paths);
    }
    paths.sort();
    let source = |path: &String| Source::new(path, &read(path).expect("it was listed"));
    paths.iter().map(source).collect()
}

fn walk(directory: &Path, paths: &mut Vec<String>) {
    let entries = fs::read_dir(directory).unwrap_or_else(|e| panic!("{directory:?}: {e}"));
    for entry in entries {
        let path = entry.expect("a directory that can be read").path();
        if path.is_dir() && !path.ends_with("target") {
            walk(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let inside = path.strip_prefix(root()).expect("below the root");
            let parts = inside.iter().map(|part| part.to_string_lossy());
            paths.push(parts.collect::<Vec<_>>().join("/"));
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether something is compiled for tests only: `cfg(test)`, `cfg(all(test, …))`, `cfg(doctest)`.
pub(crate) fn for_tests(attributes: &[Attribute]) -> bool {
    let of_cfg = |attribute: &Attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => list.parse_args::<Meta>().ok(),
        _ => None,
    };
    attributes
        .iter()
        .filter_map(of_cfg)
        .any(|meta| demands_test(&meta))
}

fn demands_test(meta: &Meta) -> bool {
    match meta {
        Meta::Path(path) => path.is_ident("test") || path.is_ident("doctest"),
        Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|all| all.iter().any(demands_test)),
        _ => false,
    }
}

/// The attributes of an item, of whatever kind.
pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The name that an item gives to something.
pub(crate) fn defined(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Mod(item) => &item.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}
