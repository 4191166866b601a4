//! Any application that a file describes, as an application of the simulated world.
//!
//! - [`manifests`] reads what a team deploys, as `kubectl apply` reads it.
//! - [`describe`] reads how its services, clients and releases behave, from a file in TOML.
//! - [`engine`] is the application itself: open-loop clients, calls, queues, timeouts and retries.
//! - [`form`] reads the form of a file in TOML, whatever is wrong in it.
//! - [`hooks`] reads how long the commands of `preStop` hooks take.
//! - [`metrics`] has the names that libraries and proxies give to what is counted.
//! - [`mistake`] is how everything that is wrong with a file is told: its place, and what would be right.

pub mod describe;
pub mod engine;
pub mod form;
pub mod hooks;
pub mod manifests;
pub mod metrics;
pub mod mistake;
pub mod suggest;
