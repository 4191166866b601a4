//! The deterministic simulation: the real executor, a scripted deployer and an application on one world.
//!
//! ```text
//! setup ─▶ warm-up ─▶ prepare ─▶ deploy ─▶ watch ─▶ run ─▶ hold ─▶ end      (acts)
//!    look ─ look ─ look ─ look ─ look ─ look ─ look ─ look ─ look─▶ harvest  (prober)
//! ```
//!
//! - `application`: what a drill needs of the application that is drilled; `exchange` and `described` have it.
//! - `perform`: who carries out the drill, and in which world. `drill`: the drill from its beginning to the evidence.
//! - `stage`: what happens in this world in the acts of a drill; `recorder`: what is written down meanwhile.
//! - `ports`: what the executor acts through; `outside`: an executor that is a program of its own.
//! - `faults`: what else goes wrong.
//! - `probe`: looks at the application and its pods while the drill runs; `serving`: whether the deployed release
//!   serves.
//! - `settled`: whether the drill may end before its `duration`; `to_come`: what of the load is still ahead.
//! - `harvest`: the evidence that is read of the world. `cluster_state`: what is read of any cluster.
//! - `post`: how objects are created before the drill.

mod application;
mod cluster_state;
mod described;
mod drill;
mod exchange;
mod faults;
mod harvest;
mod outside;
mod perform;
mod ports;
mod post;
mod probe;
mod recorder;
mod serving;
mod settled;
mod stage;
mod to_come;

pub use self::application::{Bursts, Drilled, NextLook, Service};
pub use self::exchange::database;
pub use self::faults::{Beginning, Begun};
pub use self::outside::{Opened, Session, SessionEnd, make_way};
pub use self::perform::{perform, perform_of, play, serve, serve_healthy};
pub use self::ports::{clock, http};
pub use self::post::post;
pub use self::stage::PortDecorator;
pub use executor::no_ledger;
