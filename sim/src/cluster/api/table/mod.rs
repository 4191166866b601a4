//! Tables: what `kubectl get` prints, a row for each object (`pkg/printers/internalversion/printers.go` of Kubernetes
//! 1.34).

mod age;
mod cells;
mod columns;
mod custom;
mod pod;
mod render;
mod settings;
mod workloads;

pub(crate) use render::{Include, Rows, table};
pub(in crate::cluster) use settings::DEFAULT_CLASS;
