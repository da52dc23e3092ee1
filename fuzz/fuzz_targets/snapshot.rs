//! Any bytes as a snapshot, and the snapshot of a node that has seen a lot.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| peer_exchange_fuzz::snapshot(data));
