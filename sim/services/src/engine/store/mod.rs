//! The data store, as a synchronous state machine: a database server with the store in use and copies of it.
//!
//! - `ops`: what can be asked of it.
//! - `tables`: one database: rows, and the migrations that are applied.
//! - `server`: which operations may begin, how long they take, and what they do.
//! - `requests`: what a service's request reads and writes.

mod ops;
mod requests;
mod server;
mod tables;

#[cfg(test)]
mod tests;

pub use ops::{StoreChange, StoreOp, StoreReply, StoreSeen};
pub(super) use requests::Served;
pub(super) use server::Server;
pub(super) use tables::Reads;
pub use tables::Stored;
