//! Any bytes as places that a response wants.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| peer_exchange_fuzz::picks(data));
