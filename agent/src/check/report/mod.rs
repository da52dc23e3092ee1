//! The report: for people, for scripts, for Graphviz.

pub(super) mod dot;
mod explain;
pub(super) mod json;
pub(super) mod text;
