//! Tables: what `kubectl get` prints, a row for each object (`pkg/printers/internalversion/printers.go` of Kubernetes
//! 1.34).

mod age;
mod cells;
mod columns;
mod pod;
mod render;

pub(crate) use render::{Include, Rows, table};
