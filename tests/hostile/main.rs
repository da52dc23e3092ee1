//! Hostile bytes and hostile members: each has a defined answer, and no bound gives way.

#[path = "../support/mod.rs"]
mod support;

mod accusers;
mod addresses;
mod announcers;
mod floods;
mod forged;
mod liars;
mod links;
mod malformed;
mod odd_inputs;
mod partners;
mod records;
mod signed;
mod tables;
