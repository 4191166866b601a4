//! The simulated world: a Kubernetes control plane, an exchange under load, metrics, logs and a
//! ledger database, as one deterministic machine.
//!
//! [`world`] puts the parts together and drives them; [`cluster`], [`exchange`], [`database`] and
//! [`observe`] are synchronous state machines with an agenda each; [`fabric`] is the one place
//! through which requests pass. Determinism: a run is a pure function of (build, configuration, seed).

pub mod agenda;
pub mod audit;
pub mod cluster;
pub mod database;
pub mod exchange;
pub mod fabric;
pub mod measured;
pub mod observe;
pub mod rng;
pub mod sentinel;
pub mod time;
pub mod workload;
pub mod world;

pub use world::{Halt, Limits, World, WorldConfig, WorldState, run};
