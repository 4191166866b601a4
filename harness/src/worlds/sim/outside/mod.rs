//! An executor that is a program of its own, in the simulated world: it talks to the world over HTTP, and a process of
//! it is run for each phase.
//!
//! - `reach`: the world's addresses, and the files that the program gets and leaves.
//! - `child`: one process, its end, and its death.
//! - `host`: the program as an executor on a host of the drill.

mod child;
mod host;
mod reach;

pub(super) use host::OutsideHost;
pub(super) use reach::Reach;
