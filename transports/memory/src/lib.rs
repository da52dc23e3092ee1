//! In-memory network.
