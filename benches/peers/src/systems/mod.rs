//! What is measured, one file each.

pub mod chitchat;
pub mod foca;
pub mod iroh_gossip;
pub mod peer_exchange;
