//! The world as a whole: its state, the loop that drives it, and the front that programs talk to.
//!
//! ```text
//!   drill and executor (futures)            world (state machines)
//!   kube::Client, HTTP, database  ─ front ─▶ fabric ─▶ event queue ─▶ cluster │ application │ prometheus │ loki
//!        ▲                                                        │
//!        └───────────────── replies, watch frames, timers ◀───────┘
//! ```
//!
//! The futures run on one current_thread runtime with paused time and no I/O driver. Whenever none
//! of them can go on, the driver takes the next due event of the world, and time jumps there.
//! Determinism: a run is a pure function of (build, configuration, seed).

mod driver;
mod front;
mod scrapes;
mod state;
#[cfg(test)]
mod tests;
mod writes;

pub use driver::{GoOn, Halt, Idle, Limits, Pace, run, run_at};
pub use front::{ConnectionCut, HttpService, KubeService, World, WorldBody};
pub use state::{WorldConfig, WorldState};
pub use writes::{Change, Write};
