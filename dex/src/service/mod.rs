//! The exchange as HTTP services on PostgreSQL: the same domain code as in the simulation, with real I/O around it.
//!
//! ```text
//! client ─POST /orders─▶ gateway ─POST /commands─▶ matching ─one statement per batch─▶ PostgreSQL
//!                        one worker                leader by epoch                        │
//!                        halt flag: a file         risk ◀──── rows, trades, log, 5 s ─────┘
//! ```
//!
//! One program serves all three; which service and which version it is comes from `DEX_BUILD`, which an image sets
//! when it is built. Every service answers `/health` (readiness), `/livez` and `/metrics`. Peers and the database are
//! addressed by IP, since a static program without a name service runs in an empty image.

pub mod api;
mod clock;
mod database;
mod engine;
mod gateway;
mod http;
mod leadership;
mod load;
mod log;
mod matching;
mod metrics;
pub mod migrate;
mod risk;
mod run;
mod seed;
mod settings;
mod status;
mod write;

pub use run::{Failure, run};
pub use settings::SettingsError;
