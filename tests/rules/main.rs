//! The rules of the design that one or two hand-driven nodes show best.

#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod ahead;
mod at_rest;
mod backoff;
mod blocked;
mod clocks;
mod crowded;
mod cycles;
mod determinism;
mod events;
mod exchanges;
mod hearsay;
mod hints;
mod liveness;
mod losses;
mod news;
mod own;
mod partners;
mod reached;
mod rendezvous;
mod renewals;
mod sketches;
mod snapshots;
mod tables;
mod upstreams;
mod views;
