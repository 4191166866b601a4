//! Faults in the simulated world: begun when their instant comes, ended when their time is over, and counted.
//!
//! ```text
//! reached(anchor) ──▶ due now: begins at once, before anything else happens
//!        └──────────▶ due later: `run` waits for it
//! ```
//!
//! - `injector`: when each fault begins and ends.
//! - `beginning`: what begins it, and what the table's rows see of the drill.
//! - `messages`: what befalls requests of the executor on their way.
//! - `ledger`: what befalls the database, its undo scripts, and the gateways that should stop writing.
//! - `sight`: what keeps the executor from seeing how the exchange fares.
//! - `hosts`: what befalls the hosts that run the executor.
//! - `cluster`: what befalls pods, nodes and watches.
//! - `node`: what befalls the node as a whole, its API server, and connections that everybody shares.
//! - `alarms`: what sets a trigger off though the release is not to blame.
//! - `exchange`: what befalls the exchange's processes, its clients and its books beside the bad release.
//! - `others`: what other people and controllers do.

mod alarms;
mod beginning;
mod cluster;
mod exchange;
mod hosts;
mod injector;
mod ledger;
mod messages;
mod node;
mod others;
mod sight;

use beginning::{Begun, Changed};
pub(super) use injector::Injector;
