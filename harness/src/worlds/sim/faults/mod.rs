//! Faults in the simulated world: begun when their instant comes, ended when their time is over, and counted.
//!
//! ```text
//! reached(anchor) ──▶ due now: begins at once, before anything else happens
//!        └──────────▶ due later: `run` waits for it
//! ```
//!
//! - `injector`: when each fault begins and ends.
//! - `beginning`: what begins it, what it can be aimed at, and what the table's rows see of the drill.
//! - `messages`: what affects requests of the executor on their way.
//! - `ledger`: what affects the database, its undo scripts, and the gateways that should stop writing.
//! - `observability`: what keeps the executor from seeing how the exchange fares.
//! - `executor_hosts`: what affects the hosts that run the executor.
//! - `cluster`: what affects pods, nodes and watches.
//! - `node`: what affects the node as a whole, its API server, and connections that everybody shares.
//! - `false_alarms`: what sets a trigger off though the release is not to blame.
//! - `exchange`: what affects the exchange's processes, its clients and its books beside the bad release.
//! - `people`: what other people and controllers do.

mod beginning;
mod cluster;
mod exchange;
mod executor_hosts;
mod false_alarms;
mod injector;
mod ledger;
mod messages;
mod node;
mod observability;
mod people;

use beginning::Changed;
pub(super) use beginning::{Scope, begin, begin_anywhere};
pub(super) use injector::Injector;

pub use beginning::{Beginning, Begun};
