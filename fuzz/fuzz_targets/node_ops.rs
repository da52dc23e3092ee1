//! Any list of operations on a node, or on two that talk to each other.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| peer_exchange_fuzz::node_ops(data));
