//! The cluster simulation: many nodes on encoded bytes in virtual time, with checkers that see
//! every single transition, and properties over random graphs and fault schedules.
#![forbid(unsafe_code)]

mod addresses;
mod band;
mod checkers;
mod clocks;
mod cluster;
mod crashes;
mod cycles;
mod departures;
mod forge;
mod graphs;
mod hints;
mod liveness;
mod lives;
mod mass;
mod mixed;
mod numbers;
mod paths;
mod properties;
mod recovery_cost;
mod rendezvous;
mod repair;
mod scale;
mod shapes;
mod signed;
mod small;
mod spreading;
mod step;
mod traps;
mod troubles;
mod watch;
mod world;
