//! The exchange as HTTP services on PostgreSQL: the same domain code as in the simulation, with real I/O around it.
//!
//! ```text
//! client ─POST /orders─▶ gateway ─POST /commands─▶ matching ─one statement per batch─▶ PostgreSQL
//!                        one worker                leader by epoch                        │
//!                        halt flag: a file         risk ◀──── rows, trades, log, 5 s ─────┘
//! ```
//!
//! One program serves them all; which service and which version it is comes from `DEX_BUILD`, which an image sets
//! when it is built. Every service answers `/health` (readiness), `/livez` and `/metrics`. Peers and the database are
//! addressed by IP, since a static program without a name service runs in an empty image.
//!
//! Without the feature `service` there is only [`api`]: the bodies of requests and answers, for clients.

pub mod api;
#[cfg(feature = "service")]
mod clock;
#[cfg(feature = "service")]
mod database;
#[cfg(feature = "service")]
mod engine;
#[cfg(feature = "service")]
mod http;
#[cfg(feature = "service")]
mod leadership;
#[cfg(feature = "service")]
mod load;
#[cfg(feature = "service")]
mod log;
#[cfg(feature = "service")]
mod metrics;
#[cfg(feature = "service")]
pub mod migrate;
#[cfg(feature = "service")]
mod roles;
#[cfg(feature = "service")]
mod run;
#[cfg(feature = "service")]
mod seed;
#[cfg(feature = "service")]
mod settings;
#[cfg(feature = "service")]
mod status;
#[cfg(feature = "service")]
pub mod tables;
#[cfg(feature = "service")]
mod write;

#[cfg(feature = "service")]
pub use run::{ServiceFailure, run};
#[cfg(feature = "service")]
pub use settings::SettingsError;
