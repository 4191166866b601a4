//! Any application that a file describes, as an application of the simulated world.
//!
//! [`manifests`] reads what a team deploys, as `kubectl apply` reads it. [`mistake`] is how everything that is wrong
//! with a file is told: its place, and what would be right.

pub mod manifests;
pub mod mistake;
