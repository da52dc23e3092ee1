//! Files and functions stay of a size that can be read.

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{Block, Expr, Signature};

use crate::assert_none;
use crate::source::{Source, sources, tree};

/// Lines of a file: beyond them it has a second subject.
const FILE: usize = 500;

/// Lines of a function from its `fn` to its end: one screen.
const FUNCTION: usize = 60;

/// Entries of a table; what has fewer is a part of the code around it.
const TABLE: usize = 8;

/// Written by a program.
const GENERATED: &str = "generated.rs";

fn long_files(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources
        .iter()
        .filter(|source| !source.path.ends_with(GENERATED))
    {
        let lines = source.text.lines().count();
        if lines > FILE {
            wrong.push(format!(
                "{} has {lines} lines, more than {FILE}",
                source.path
            ));
        }
    }
    wrong
}

fn long_functions(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources
        .iter()
        .filter(|source| !source.path.ends_with(GENERATED))
    {
        let mut functions = Functions(Vec::new());
        functions.visit_file(&source.ast);
        for Function {
            name,
            line,
            lines,
            of_tables,
        } in functions.0
        {
            if lines - of_tables > FUNCTION {
                wrong.push(format!(
                    "{}:{line} {name} has {lines} lines, more than {FUNCTION}",
                    source.path
                ));
            }
        }
    }
    wrong
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
    /// Those that are entries of a table: they are looked up, not followed.
    of_tables: usize,
}

/// All functions of a file, tests too. One inside another counts for both.
struct Functions(Vec<Function>);

impl Functions {
    fn add(&mut self, signature: &Signature, block: &Block) {
        let line = signature.fn_token.span.start().line;
        let end = block.brace_token.span.close();
        let mut tables = Tables(0);
        tables.visit_block(block);
        let name = signature.ident.to_string();
        let lines = end.end().line - line + 1;
        self.0.push(Function {
            name,
            line,
            lines,
            of_tables: tables.0,
        });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

/// Lines inside the brackets of arrays, and inside the braces of `match` whose arms have no blocks.
struct Tables(usize);

impl<'ast> Visit<'ast> for Tables {
    fn visit_expr(&mut self, expr: &'ast Expr) {
        let (open, close): (Span, Span) = match expr {
            Expr::Array(array) if array.elems.len() >= TABLE => (
                array.bracket_token.span.open(),
                array.bracket_token.span.close(),
            ),
            Expr::Match(table)
                if table.arms.len() >= TABLE
                    && !table
                        .arms
                        .iter()
                        .any(|arm| matches!(*arm.body, Expr::Block(_))) =>
            {
                (
                    table.brace_token.span.open(),
                    table.brace_token.span.close(),
                )
            }
            _ => return visit::visit_expr(self, expr),
        };
        self.0 += close.start().line.saturating_sub(open.end().line + 1);
    }
}

fn all() -> Vec<Source> {
    tree(&["src", "transports", "agent/src"])
}

#[test]
fn files_have_one_subject() {
    assert_none(&long_files(&all()));
}

#[test]
fn functions_fit_on_a_screen() {
    assert_none(&long_functions(&all()));
}

#[test]
fn what_is_too_long_is_caught() {
    let lines = |n: usize, line: &str| line.repeat(n);
    let long = format!(
        "mod a {{ impl A {{\nfn f() {{\n{}}}\n}} }}\n",
        lines(59, "g();\n")
    );
    let short = format!("fn f() {{\n{}}}\n", lines(58, "g();\n"));
    let file = lines(501, "// …\n");
    let sources = sources(&[
        ("src/a.rs", &long),
        ("src/b.rs", &short),
        ("src/c.rs", &file),
        ("src/generated.rs", &file),
    ]);
    assert_eq!(
        long_functions(&sources),
        ["src/a.rs:2 f has 61 lines, more than 60"]
    );
    assert_eq!(
        long_files(&sources),
        ["src/c.rs has 501 lines, more than 500"]
    );
}

#[test]
fn a_table_may_be_long() {
    let of = |head: &str, entry: &str, tail: &str| {
        format!("fn f() {{\n{head}\n{}{tail}\n}}\n", entry.repeat(100))
    };
    let array = of("let all = [", "(1, true),\n", "];");
    let names = of("match kind {", "A => \"a\",\n", "}");
    let flow = of("match kind {", "A => { a(); b() }\n", "}");
    let found = |text: &str| long_functions(&sources(&[("src/a.rs", text)]));
    assert!(found(&array).is_empty() && found(&names).is_empty());
    assert_eq!(found(&flow), ["src/a.rs:1 f has 104 lines, more than 60"]);
}
