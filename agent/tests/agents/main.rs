//! `peerx run` as processes on this machine: each with an address of its own in 127.0.0.0/8, or in
//! a network namespace where that is permitted. Nothing here asserts how long something takes; all
//! waiting is bounded, and every process ends with its test.
// Processes are frozen and killed, and looked at in /proc.
#![cfg(target_os = "linux")]

mod addresses;
mod admin;
mod balancer;
mod blocked;
mod clients;
mod crashes;
mod descriptors;
mod harness;

mod fifty;
mod files;
mod flood;
mod identity;
mod idle;
mod names;
mod namespaces;
mod outsiders;
mod relay;
mod ring;
mod signals;
mod silent;
mod spegel;
mod start;
mod state;
mod stuck;
mod verdicts;
