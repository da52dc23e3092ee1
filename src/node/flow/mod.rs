//! What follows from each kind of input: one file a subject, all of them methods of
//! [`Node`](super::Node), which alone sees both tiers and the guard.

mod check;
mod detect;
mod dial;
mod end_link;
mod link;
mod merge;
mod penalty;
mod request;
mod response;
mod trace;
mod update;
