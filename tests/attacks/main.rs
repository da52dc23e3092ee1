//! One member with the token against forty that keep to the protocol, in the default configuration:
//! what each attack reaches (R50 to R55), and what it would without the defence.
#![forbid(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

mod dials;
mod floods;
mod tables;
mod words;
mod world;
