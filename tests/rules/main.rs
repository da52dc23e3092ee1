//! The rules of the design that one or two hand-driven nodes show best.

#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod at_rest;
mod backoff;
mod crowded;
mod determinism;
mod events;
mod exchanges;
mod liveness;
mod losses;
mod news;
mod own;
mod partners;
mod renewals;
mod sketches;
mod snapshots;
mod tables;
mod upstreams;
mod views;
