//! peer-exchange and other crates at the same work, in one harness: virtual time, encoded bytes,
//! CPU time and memory. What is measured, and how fairly, is in the package's README.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod case;
pub mod cluster;
pub mod harness;
pub mod measure;
pub mod plot;
pub mod process;
pub mod systems;
pub mod table;
