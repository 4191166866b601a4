//! The simulated world: a Kubernetes control plane, metrics, logs and an application under load, as one deterministic
//! machine.
//!
//! [`world`] puts the parts together and drives them; [`cluster`], [`observe`] and the [`Application`] are synchronous
//! state machines with an event queue each; [`fabric`] is the one place through which requests pass.
//! Nothing here knows any application: that of a drill comes from a crate of its own, and [`application::Plain`] is
//! there for who wants a cluster only. Determinism: a run is a pure function of (build, configuration, seed).

pub mod alone;
pub mod application;
pub mod cluster;
pub mod event_queue;
pub mod fabric;
pub mod fingerprint;
pub mod guard;
pub mod measured;
pub mod observe;
pub mod rng;
pub mod time;
pub mod workload;
pub mod world;

pub use application::Application;
pub use world::{Halt, Limits, World, WorldConfig, WorldState, run};

/// The example of the README is compiled and run with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
