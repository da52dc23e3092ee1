//! What bounds a node: every cap in one place, token buckets, backoff.

pub(crate) mod backoff;
pub(crate) mod bucket;
pub mod caps;
pub(crate) mod rates;
pub(crate) mod reputation;
