//! The cluster simulation: many nodes on encoded bytes in virtual time, with checkers that see
//! every single transition, and properties over random graphs and fault schedules.
#![forbid(unsafe_code)]

mod band;
mod checkers;
mod cluster;
mod crashes;
mod departures;
mod forge;
mod lives;
mod mixed;
mod numbers;
mod properties;
mod recovery_cost;
mod signed;
mod spreading;
mod step;
mod traps;
mod world;
