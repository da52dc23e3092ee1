//! The machines: each owns its state, in private fields, and the rules that it keeps.
//!
//! None knows another, or the node: they are given the context or the time, and return what
//! follows. What connects them stands in the tiers above ([`super::base`], [`super::exchange`],
//! [`super::flow`]).

pub(crate) mod accusations;
pub(crate) mod ahead;
pub(crate) mod bans;
pub(crate) mod blocked;
pub(crate) mod checks;
pub(crate) mod claims;
pub(crate) mod clones;
pub(crate) mod contact;
pub(crate) mod cycles;
pub(crate) mod dial_backs;
pub(crate) mod dialer;
pub(crate) mod false_accusers;
pub(crate) mod hearing;
pub(crate) mod hints;
pub(crate) mod invitations;
pub(crate) mod late;
pub(crate) mod links;
pub(crate) mod mass;
pub(crate) mod mirrors;
pub(crate) mod named;
pub(crate) mod occupants;
pub(crate) mod outbox;
pub(crate) mod own;
pub(crate) mod own_addresses;
pub(crate) mod pace;
pub(crate) mod peers;
pub(crate) mod repairs;
pub(crate) mod round;
pub(crate) mod standing;
pub(crate) mod targets;
pub(crate) mod tree;
pub(crate) mod uncounted;
pub(crate) mod upstreams;
pub(crate) mod walks;
pub(crate) mod wall;
pub(crate) mod watchers;
pub(crate) mod watches;
