//! Manifests of Kubernetes, loaded as `kubectl apply` loads them, each value with its place in the file.

mod kinds;
mod load;
mod object;
mod scalar;
mod typed;
mod workload;
mod yaml;

#[cfg(test)]
mod tests;

pub use load::{Document, LoadError, Manifests, STANDARD_INPUT};
pub use object::{Object, at};
pub(crate) use typed::look;
pub use workload::{Workload, WorkloadKind};
pub use yaml::{Place, Tree};
