//! What keeps the shape of the code: read from its source, without compiling it.
//!
//! Each check is a function of files, given as (path, text), that returns what is wrong; one test
//! runs it on the repository, others show that it catches a broken example.

mod cycles;
mod example;
mod graph;
mod layers;
mod machines;
mod rules;
mod size;
mod source;

/// Fails with all that is wrong, one a line, so that it can be worked off as a list.
#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} found:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
