//! The horizontal pod autoscaler (`pkg/controller/podautoscaler`).
//!
//! It measures CPU alone, as [`Workload::cpu_millis`](crate::workload::Workload::cpu_millis) has it. Where that has
//! nothing, the autoscaler says so in its conditions, as on a cluster without a metrics server. Of
//! `spec.behavior` it knows the stabilization windows and `selectPolicy: Disabled`.

mod replicas;
mod sync;

pub(crate) use sync::Recommendations;
