//! Manifests of Kubernetes, loaded as `kubectl apply` loads them, each value with its place in the file.

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
pub use workload::{Workload, WorkloadKind};
pub use yaml::Tree;
