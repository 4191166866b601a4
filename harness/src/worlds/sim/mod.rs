//! The deterministic simulation: the real executor and a scripted deployer on one world.
//!
//! ```text
//! setup ─▶ warm-up ─▶ prepare ─▶ deploy ─▶ watch ─▶ run ─▶ hold ─▶ end      (acts)
//!    look ─ look ─ look ─ look ─ look ─ look ─ look ─ look ─ look─▶ harvest  (prober)
//! ```
//!
//! - `perform`: the drill from its beginning to the evidence.
//! - `objects`: what is in the cluster before the drill.
//! - `stage`: what happens in this world in the acts of a drill; `recorder`: what is written down meanwhile.
//! - `described`: the same for an application that a file describes; `cluster_state`: what is read of any cluster.
//! - `deployer`: deploys the bad release, as people do.
//! - `ports`: what the executor acts through; `outside`: an executor that is a program of its own.
//! - `faults`: what else goes wrong.
//! - `probe`: looks at the ledger and the pods while the drill runs.
//! - `settled`: whether the drill may end before its `duration`.
//! - `harvest`: the evidence at the end; `record`: what of it rests on the world's own record.

mod cluster_state;
mod deployer;
mod described;
mod faults;
mod harvest;
mod objects;
mod outside;
mod perform;
mod ports;
mod probe;
mod record;
mod recorder;
mod serving;
mod settled;
mod stage;
mod to_come;

pub use self::outside::{Opened, Session, SessionEnd, make_way};
pub use self::perform::{perform, play, serve, serve_healthy};
pub use self::ports::{clock, database, http};
pub use self::stage::PortDecorator;
pub use super::common::no_ledger;
