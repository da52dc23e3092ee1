//! Algorithms on directed graphs of numbered nodes, within bounds of time and memory.

mod component;
mod cycles;
mod feedback;
mod shortest;
#[cfg(test)]
mod testing;

pub(super) use component::{Component, Work, components};
pub(super) use cycles::{Cycles, cycles};
pub(super) use feedback::{Feedback, feedback};
