//! The simulated Kubernetes 1.34 control plane: API server, controllers and kubelet as one synchronous
//! state machine with its own event queue.
//!
//! ```text
//!  ApiRequest ──> api ──> store ──> watch log ──> watches ──> WatchFrame
//!                          │  ▲
//!                 notify   ▼  │ writes
//!   deployment · replicaset · scheduler · kubelet · endpoints · proxy · budget · garbage
//!                                           │
//!                                           └──> Workload (the processes in the pods)
//! ```
//!
//! Controllers work on the store, not over HTTP, and each waits for a drawn watch lag and sync time
//! ([`Timings`]). Determinism: everything is a function of (seed, requests with their instants, workload);
//! each component draws from its own stream.

mod api;
mod autoscaler;
mod budget;
mod claims;
mod custom;
mod daemon_set;
mod deployment;
mod due_items;
mod endpoints;
mod events;
mod garbage;
mod history;
mod job;
mod json;
mod kinds;
mod kubelet;
mod machine;
mod notify;
mod objects;
mod placement;
mod pod_template;
mod queue;
mod replicaset;
mod scheduler;
mod settings;
mod stateful_set;
mod store;
#[cfg(test)]
mod tests;
mod timings;
mod value;
mod wire;

pub use api::quantity::nanos as quantity_nanos;
pub use api::refusal::{Refusal, quantities, refusals, unknown_fields};
pub(crate) use api::status::ApiError;
pub use custom::CustomKind;
pub use json::{Map, Value};
pub use kinds::Kind;
pub use kubelet::{ImageState, Obstacle};
pub use machine::Cluster;
pub use scheduler::NODE_PODS;
pub use timings::Timings;
pub use value::workload_of;
pub use wire::{ApiRequest, ApiResponse, Target, Ticket, WatchFrame, WatchId};
