//! Any bytes as a page of records.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| peer_exchange_fuzz::page(data));
