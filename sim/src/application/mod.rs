//! What runs in the pods: the line between the simulated world and one application.
//!
//! The world knows time, requests, a control plane, metrics and logs. What the processes do, what their clients see and
//! what they store is the application's. The kubelet's side of it is [`Workload`](crate::workload::Workload).

mod interface;
mod plain;

pub use interface::{Application, Done, NoOperation, NothingListens, Operation, PodLogLine};
pub use plain::{Behaviour, Plain, PlainConfig};
