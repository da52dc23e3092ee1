//! The wire contract: golden bytes, tolerance of what is newer, and every limit.

#[path = "../support/mod.rs"]
mod support;

mod conversation;
mod golden;
mod limits;
mod newer;
mod outline;
mod page1;
mod page_sizes;
mod signed;
mod version1;
