//! The exchange that Firedrill drills on, as synchronous state machines.
//!
//! ```text
//! request ─▶ gateway ─▶ exchange ─▶ events        order_log: what exchange accepted, replayable
//!            checks     book + ledger             risk: reconciles exchange, trades and log
//!                                                 rows: exchange ⇄ database rows, by schema version
//! ```
//!
//! Nothing here does I/O, reads a clock or draws a random number: a state is a function of its
//! genesis and its order log. Bad releases ([`release`]) carry their faults in the code path where such a
//! bug would live; what they cost in time is counted as [`types::Work`], not scripted.

pub mod book;
mod causes;
pub mod command;
pub mod exchange;
pub mod exposition;
pub mod gateway;
mod index;
pub mod invariants;
pub mod ledger;
pub mod market;
pub mod migrations;
pub mod order_log;
#[cfg(test)]
mod properties;
pub mod release;
pub mod risk;
pub mod rows;
pub mod service;
#[cfg(test)]
mod testing;
pub mod types;

pub use causes::with_causes;
pub use command::{Command, Event, Failure, Fill, Outcome, Reject, Trade};
pub use exchange::Exchange;
pub use order_log::{LogEntry, OrderLog};
pub use release::{Build, Defect, Release, SchemaVersion, Service};
