//! Which host each upstream means, by graded evidence.

mod build;
mod evidence;
mod resolve;

pub(super) use build::cluster;
