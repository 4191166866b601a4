//! The PostgreSQL server that keeps the ledger, as a synchronous state machine.
//!
//! One server holds the ledger in use, its snapshots and ledgers that were set aside. Operations take
//! time ([`DatabaseTimings`]) and take effect atomically when they finish; each is idempotent. What is simpler
//! than PostgreSQL: locks are held on all of the ledger's tables or on none; a copy has the content of the
//! instant at which it is complete (nobody can write meanwhile); superuser connections never run out.
//!
//! - `ops`: the vocabulary.
//! - `ledger`: one database.
//! - `sessions`: who is connected, and who holds locks.
//! - `server`: the databases, and how operations begin and finish; `server::effects`: what they do.
//! - `timings`: how long things take.
//! - `faults`: what can go wrong with the server.

mod faults;
mod ledger;
mod ops;
mod schema;
mod server;
mod sessions;
#[cfg(test)]
mod tests;
mod timings;

pub use faults::DbFault;
pub use ledger::{Handover, LedgerTables, TradeRow, order_content, trade_content};
pub use ops::{DbOp, DbReply};
pub use server::{IN_USE, LedgerDb};
pub use timings::DatabaseTimings;
