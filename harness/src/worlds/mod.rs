//! Worlds: where a drill happens. A world performs a drill and hands back evidence; it judges nothing.
//!
//! - `world`: what a world is asked to do, and what it hands back.
//! - `common`: what both worlds need.
//! - `recording`: what is recorded of a drill with a program outside.
//! - `in_flight`: the drills that this process simulates just now.
//! - `sim`: the simulation. `kind`: a cluster. They don't know each other.

pub(crate) mod common;
pub mod in_flight;
#[cfg(feature = "kind")]
pub mod kind;
pub mod recording;
pub mod sim;
mod world;

pub use world::{
    DrillPlan, Performed, Program, Record, Until, WorldError, WorldKind, check, perform,
};
