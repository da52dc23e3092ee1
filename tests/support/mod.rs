//! What the test binaries share. Each uses a part of it.
#![allow(dead_code, reason = "every binary uses another part")]

pub(crate) mod build;
pub(crate) mod pair;
pub(crate) mod rig;
