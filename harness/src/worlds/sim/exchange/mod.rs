//! The exchange as it is drilled in the simulated world.
//!
//! - `application`: what a drill needs of it.
//! - `objects`: what is in the cluster before the drill. `deployer`: deploys a release, as people do.
//! - `database`: the executor's port onto the ledger. `operations`: the same for programs outside.
//! - `harvest`: the evidence that only the exchange can give. `record`: what of it rests on the world's own record.

mod application;
mod database;
mod deployer;
mod harvest;
mod objects;
mod operations;
mod record;

pub(super) use application::Exchange;
pub use database::database;
