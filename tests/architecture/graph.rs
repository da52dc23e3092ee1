//! Which module of a crate uses which: computed from its `use` lines and the paths in its code.
//!
//! A module is a file. What a path means is looked up as the compiler does, so a re-export is no
//! dependency of the module that it stands in: who imports through it depends on the module that
//! *defines* the item. So a parent that only declares and re-exports its children is a face and
//! depends on nobody, and its children may use what it defines itself; a parent whose own code uses
//! a child may not be used by that child. A call of a method names no module and is not seen.
//!
//! What is compiled for tests only is left out: it may use anything.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Item, UseTree};

use crate::source::{Source, attributes, defined, for_tests};

/// `["node", "state", "links"]`; the crate's root is empty.
pub(crate) type Module = Vec<String>;

/// Who uses whom, and where: `src/node/ask.rs:7 crate::node::Node`.
pub(crate) struct Graph {
    pub(crate) modules: BTreeSet<Module>,
    pub(crate) edges: BTreeMap<(Module, Module), Vec<String>>,
    /// Paths into other crates: by whom, the crate, where.
    pub(crate) foreign: Vec<(Module, String, String)>,
}

/// Imports of imports that a path is followed through: more would be a circle of them.
const HOPS: usize = 8;

/// One path as it is written.
struct Mention {
    segments: Vec<String>,
    line: usize,
    /// An import: one of a module is no use yet, paths that begin with its name are.
    import: bool,
}

/// What the names of a module mean.
#[derive(Default)]
struct Scope {
    defines: BTreeSet<String>,
    imports: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    mentions: Vec<Mention>,
    /// How many inline modules the visitor is in: their `super` is this file.
    depth: usize,
}

/// The graph of the crate whose files lie in `src/`.
pub(crate) fn graph(sources: &[Source]) -> Graph {
    let tests = test_modules(sources);
    let mut scopes = BTreeMap::new();
    let mut paths = BTreeMap::new();
    for source in sources {
        let Some(module) = module(&source.path) else {
            continue;
        };
        if tests.iter().any(|test| module.starts_with(test)) {
            continue;
        }
        let mut scope = Scope::default();
        scope.visit_file(&source.ast);
        paths.insert(module.clone(), source.path.clone());
        scopes.insert(module, scope);
    }
    let mut edges: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut foreign = Vec::new();
    for (module, scope) in &scopes {
        // A single name is a local one, or its import is a mention too.
        for mention in scope.mentions.iter().filter(|m| m.segments.len() > 1) {
            let what = mention.segments.join("::");
            let place = format!("{}:{} {what}", paths[module], mention.line);
            let used = match resolve(&scopes, module, &mention.segments, HOPS) {
                Some(Found::Item(used)) => used,
                Some(Found::Module(used)) if !mention.import => used,
                Some(Found::Module(_)) => continue,
                None => {
                    let krate = mention.segments[0].clone();
                    foreign.push((module.clone(), krate, place));
                    continue;
                }
            };
            if used != *module {
                let edge = edges.entry((module.clone(), used)).or_default();
                edge.push(place);
            }
        }
    }
    Graph {
        modules: scopes.into_keys().collect(),
        edges,
        foreign,
    }
}

/// The module of a file, if it is one of the crate.
pub(crate) fn module(path: &str) -> Option<Module> {
    let path = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut module: Module = path.split('/').map(str::to_owned).collect();
    if module
        .last()
        .is_some_and(|last| last == "mod" || (last == "lib" && module.len() == 1))
    {
        module.pop();
    }
    Some(module)
}

/// `node::state::links`, or `crate`.
pub(crate) fn name(module: &[String]) -> String {
    if module.is_empty() {
        "crate".into()
    } else {
        module.join("::")
    }
}

/// Whether a module is the one of that name, or below it.
pub(crate) fn within(module: &[String], layer: &str) -> bool {
    match layer.strip_suffix("::self") {
        Some(own) => module.iter().eq(own.split("::")),
        None => {
            module.len() >= layer.split("::").count()
                && layer.split("::").zip(module).all(|(a, b)| a == b)
        }
    }
}

/// The modules in files of their own that are declared for tests only.
fn test_modules(sources: &[Source]) -> Vec<Module> {
    let mut tests = Vec::new();
    for source in sources {
        let Some(parent) = module(&source.path) else {
            continue;
        };
        for item in &source.ast.items {
            if let Item::Mod(item) = item
                && for_tests(&item.attrs)
            {
                tests.push([parent.clone(), vec![item.ident.to_string()]].concat());
            }
        }
    }
    tests
}

enum Found {
    /// An item that this module defines.
    Item(Module),
    Module(Module),
}

/// What a path in `module` leads to; nothing if that is not of this crate.
fn resolve(
    scopes: &BTreeMap<Module, Scope>,
    module: &Module,
    segments: &[String],
    hops: usize,
) -> Option<Found> {
    let (first, rest) = segments.split_first()?;
    let child = || [module.clone(), vec![first.clone()]].concat();
    match first.as_str() {
        "crate" => follow(scopes, Module::new(), rest, hops),
        "self" => follow(scopes, module.clone(), rest, hops),
        "super" => {
            let mut parent = module.clone();
            parent.pop()?;
            if rest.first().is_some_and(|next| next == "super") {
                return resolve(scopes, &parent, rest, hops);
            }
            follow(scopes, parent, rest, hops)
        }
        _ if scopes.contains_key(&child()) => follow(scopes, child(), rest, hops),
        _ => {
            let meaning = scopes[module].imports.get(first)?;
            // `use bytes::bytes` would lead to itself.
            (meaning[0] != *first && hops > 0).then_some(())?;
            resolve(scopes, module, &[meaning, rest].concat(), hops - 1)
        }
    }
}

/// Goes down from a module along a path: to children, through imports, to what is defined.
fn follow(
    scopes: &BTreeMap<Module, Scope>,
    module: Module,
    rest: &[String],
    hops: usize,
) -> Option<Found> {
    let Some((next, rest)) = rest.split_first() else {
        return Some(Found::Module(module));
    };
    let scope = scopes.get(&module)?;
    let child = [module.clone(), vec![next.clone()]].concat();
    let import = scope.imports.get(next).filter(|_| hops > 0);
    // `wire::decode` is a module and, by a re-export of the same name, its function.
    if scopes.contains_key(&child) && (import.is_none() || !rest.is_empty()) {
        return follow(scopes, child, rest, hops);
    }
    if let Some(meaning) = import {
        return resolve(scopes, &module, &[meaning, rest].concat(), hops - 1);
    }
    if !scope.defines.contains(next) && hops > 0 {
        let behind = |glob: &Vec<String>| match resolve(scopes, &module, glob, hops - 1) {
            Some(Found::Module(behind)) if scopes[&behind].knows(next) => Some(behind),
            _ => None,
        };
        if let Some(behind) = scope.globs.iter().find_map(behind) {
            return follow(scopes, behind, std::slice::from_ref(next), hops - 1);
        }
    }
    Some(Found::Item(module))
}

impl Scope {
    fn knows(&self, name: &str) -> bool {
        self.defines.contains(name) || self.imports.contains_key(name)
    }

    fn mention(&mut self, segments: Vec<String>, span: Span, import: bool) {
        let inside = segments.iter().take(self.depth);
        let up = inside.take_while(|segment| *segment == "super").count();
        let segments = match &segments[up..] {
            rest @ [next, ..] if up > 0 && next != "super" => [&["self".to_owned()], rest].concat(),
            rest => rest.to_vec(),
        };
        let line = span.start().line;
        self.mentions.push(Mention {
            segments,
            line,
            import,
        });
    }

    fn import(&mut self, tree: &UseTree, before: &[String]) {
        let path = |ident: &syn::Ident| [before, &[ident.to_string()]].concat();
        match tree {
            UseTree::Path(tree) => self.import(&tree.tree, &path(&tree.ident)),
            UseTree::Group(group) => group
                .items
                .iter()
                .for_each(|tree| self.import(tree, before)),
            UseTree::Glob(glob) => {
                self.mention(before.to_vec(), glob.star_token.spans[0], false);
                self.globs.push(before.to_vec());
            }
            UseTree::Name(name) if name.ident == "self" => {
                self.bind(before.last().cloned(), before.to_vec(), name.ident.span());
            }
            UseTree::Name(name) => {
                self.bind(
                    Some(name.ident.to_string()),
                    path(&name.ident),
                    name.ident.span(),
                );
            }
            UseTree::Rename(tree) if tree.ident == "self" => {
                self.bind(
                    Some(tree.rename.to_string()),
                    before.to_vec(),
                    tree.ident.span(),
                );
            }
            UseTree::Rename(tree) => {
                self.bind(
                    Some(tree.rename.to_string()),
                    path(&tree.ident),
                    tree.ident.span(),
                );
            }
        }
    }

    fn bind(&mut self, name: Option<String>, path: Vec<String>, span: Span) {
        self.mention(path.clone(), span, true);
        if let Some(name) = name {
            self.imports.insert(name, path);
        }
    }

    /// Paths in the arguments of a macro, which are only tokens to the parser.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        let mut span = Span::call_site();
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.path_of_tokens(&mut path, span);
                    }
                    if path.is_empty() {
                        span = ident.span();
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.path_of_tokens(&mut path, span);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.path_of_tokens(&mut path, span);
    }

    fn path_of_tokens(&mut self, path: &mut Vec<String>, span: Span) {
        if path.len() > 1 {
            self.mention(path.clone(), span, false);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Scope {
    fn visit_item(&mut self, item: &'ast Item) {
        if for_tests(attributes(item)) {
            return;
        }
        if self.depth == 0 {
            self.defines.extend(defined(item));
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.depth += 1;
        visit::visit_item_mod(self, item);
        self.depth -= 1;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        // A re-export is a name, and no dependency.
        let exports = !matches!(item.vis, syn::Visibility::Inherited);
        let before = self.mentions.len();
        self.import(&item.tree, &[]);
        if exports {
            self.mentions.truncate(before);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if let Some(first) = path.segments.first() {
            self.mention(segments, first.ident.span(), false);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.tokens(call.tokens.clone());
    }

    // `pub(in crate::node)` says who may use this, and attributes nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
}
