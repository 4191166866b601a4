//! The simulated world.

pub mod audit;
pub mod rng;
pub mod time;
pub mod workload;
