//! Manifests of Kubernetes, loaded as `kubectl apply` loads them, each value with its place in the file.

mod load;
mod object;
mod scalar;
mod typed;
mod values;
mod workload;
mod yaml;

#[cfg(test)]
mod tests;

pub(crate) use load::quantities;
pub use load::{Document, LoadError, Manifests, STANDARD_INPUT};
pub use object::{Object, at};
pub(crate) use typed::strict;
pub use workload::{Workload, WorkloadKind};
pub use yaml::Tree;
