//! The Deployment controller (`pkg/controller/deployment`).
//!
//! Simpler than the real one: it reads the store as it is, so that the benign conflicts of stale caches
//! do not happen; the deprecated controller-side rollback is absent.

mod history;
mod progress;
mod recreate;
mod replicasets;
mod rolling;
mod scale;
mod sync;
mod view;

pub(crate) use view::{scaled, spec_replicas, template_hash};
