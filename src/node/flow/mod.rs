//! What follows from each kind of input: one file a subject, all of them methods of
//! [`Node`](super::Node), which alone sees both tiers and the guard.

mod check;
mod clones;
mod detect;
mod dial;
mod dial_back;
mod end_link;
mod link;
mod merge;
mod mirror;
mod penalty;
mod request;
mod response;
mod update;
mod wall;
