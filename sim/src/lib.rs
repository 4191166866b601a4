//! The simulated world: a Kubernetes control plane, metrics, logs and an application under load, as one deterministic
//! machine.
//!
//! [`world`] puts the parts together and drives them; [`cluster`], [`observe`] and the [`Application`] are synchronous state
//! machines with an agenda each; [`fabric`] is the one place through which requests pass. The [`exchange`] with its ledger
//! [`database`] is an application. Determinism: a run is a pure function of (build, configuration, seed).

pub mod agenda;
pub mod application;
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

pub use application::Application;
pub use world::{Halt, Limits};

/// A handle on a world in which the exchange runs.
pub type World = world::World<exchange::Exchange>;
/// The state of a world in which the exchange runs.
pub type WorldState = world::WorldState<exchange::Exchange>;
/// How such a world is set up.
pub type WorldConfig = world::WorldConfig<exchange::ExchangeConfig>;

/// [`world::run`] with the exchange.
///
/// # Errors
/// As there.
///
/// # Panics
/// As there.
pub fn run<T, F: Future<Output = T>>(
    config: WorldConfig,
    seed: u64,
    limits: Limits,
    program: impl FnOnce(World) -> F,
) -> Result<T, Halt> {
    world::run(config, seed, limits, program)
}
