//! The exchange under load as an application of the simulated world: clients, gateway, matching and risk pods, around
//! the ledger [`database`].
//!
//! The pods run the exchange's own code (crate `dex`). Traffic is advanced lazily: every entry point first
//! lets happen, in the order of time, whatever was due up to that instant, in one tight loop; so the
//! result does not depend on how often anybody looks. Queueing is real: a gateway works on one request at a
//! time, and so does the matching engine.
//!
//! ```text
//! client ─ connection ─▶ gateway (queue) ─▶ matching leader (queue) ─ commit ─▶ ledger database
//!    ▲                      │ reject, halt                │ fence, no session, unreadable rows
//!    └──────────────────────┴── answer ───────────────────┘                  risk ─▶ reconciles
//! ```
//!
//! What is simpler than the real thing:
//! - A client's connection is multiplexed: requests on it do not wait for each other.
//! - A gateway admits a request, and decides on the halt flag, when it is sent, not when its turn comes.
//! - A command takes effect when the matching engine begins with it; the commit some 2 ms later only delays
//!   the answer. A pod that dies in between leaves the order committed and its client without an answer
//!   (an error, and an order of unknown fate), as a real one does that dies after the commit.
//! - A gateway counts an answer when it is decided, not when it has been written.
//! - The leader's state is the database's: it is written through, never batched.
//! - While the ledger is closed to connections on purpose (a snapshot is being copied), requests are refused as
//!   maintenance; while a pool reconnects after its sessions were terminated, they fail with 503.

mod clients;
mod config;
pub mod database;
mod draws;
pub mod measured;
mod mounts;
mod pod;
mod record;
#[cfg(test)]
mod tests;
mod venue;

use sim::{Halt, Limits};

pub use config::{Activity, Arrivals, Bursts, ExchangeConfig, LoadConfig, ServiceTimings};
pub use mounts::SYNC_FREQUENCY;
pub use record::{Acknowledged, ClientRecord, ErrorKind, LatencyHistogram, Second};
pub use venue::{Alarm, Missing, ShownIn, SimulatedExchange};

/// A handle on a world in which the exchange runs.
pub type World = sim::world::World<SimulatedExchange>;
/// The state of a world in which the exchange runs.
pub type WorldState = sim::world::WorldState<SimulatedExchange>;
/// How such a world is set up.
pub type WorldConfig = sim::world::WorldConfig<ExchangeConfig>;

/// [`sim::run`] with the exchange.
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
    sim::run(config, seed, limits, program)
}
