//! Any bytes as the filter of a request.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| peer_exchange_fuzz::filter(data));
