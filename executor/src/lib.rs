//! The rollback executor: carries out a written runbook on a Kubernetes cluster.
//!
//! ```text
//! prepare ─▶ Baseline            watch ─▶ TriggerEvent ─▶ run ─▶ Report
//!              │                                          │ ▲
//!              └──────── Observed ─▶ planner ─▶ Plan ─────┘ └── resume, from the journal, on any host
//! ```
//!
//! Nothing here reads a clock or opens a connection: time, the cluster, Prometheus, Loki, the ledger
//! database and the evidence store are [`ports`], handed in. Given the same answers at the same instants it
//! makes the same requests in the same order.

pub mod baseline;
pub mod clock;
pub mod journal;
#[cfg(feature = "live")]
pub mod live;
pub mod planner;
pub mod ports;
pub mod runbook;
pub mod wire;

mod application;
mod budget;
mod error;
mod event;
mod executor;
mod exposition;
mod kubernetes;
mod lease;
mod no_ledger;
mod phases;
mod placeholders;
mod pod_port;
mod printable;
mod pulse;
mod queries;
mod report;
mod server_time;
mod steps;
mod stop;
mod text_file;
mod verdict;
mod workload;

pub use application::Application;
pub use baseline::Baseline;
pub use budget::CALL as TIME_TO_CALL;
pub use error::{Error, ErrorKind};
pub use event::{Event, Observer, Silent, Stage, silent};
pub use executor::{Executor, Options};
pub use kubernetes::in_words;
pub use no_ledger::no_ledger;
pub use phases::{Document, standing, steps_to_recovery};
pub use planner::Plan;
pub use pod_port::PodPort;
pub use printable::{printable, printable_but};
pub use report::{Outcome, Report, Standing, StepOutcome, StepReport, TriggerEvent, WatchOutcome};
pub use steps::WAITS_FOR_OLD_PODS;
pub use text_file::{TEXT_BYTES_MAX, read_text};
pub use verdict::show_value;
pub use workload::WorkloadKind;
