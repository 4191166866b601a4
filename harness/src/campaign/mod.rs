//! A campaign: `chaos` or `search` beyond one machine, as a plain Indexed Job of Kubernetes (`batch/v1`).
//!
//! ```text
//! command ─▶ shares ─▶ Job ─▶ pods: `firedrill shard` ─┬─▶ termination message: summary ─┐
//!                                                      └─▶ log: payload ─────────────────┴─▶ attempts ─▶ merged
//! ```
//!
//! - `share`: which numbers are whose. `job`: what is created in the cluster, and `pod`: what is read from it.
//! - `summary`: what a shard says in 4,096 bytes. `payload`: its files, as the last lines of its log. `keep`:
//!   what of its results fits there.
//! - `merge`: what the attempts of all shards come to. `searched`: the files of several searches as one.
//!   `smallest`: the smallest cases of a merged journal.
//!
//! An index may run twice. A drill is a pure function of build, scenario, runbook and seed, so two attempts of one
//! index have the same results. Where they have not, that is a defect of the program, and the campaign fails.
//! An index without a result leaves the answer incomplete.

mod job;
mod keep;
mod merge;
mod payload;
mod pod;
mod searched;
mod share;
mod smallest;
mod summary;

pub use job::{Cluster, FILES_MAX, MANAGED, Objects, Settings, objects};
pub use keep::{Kept, Results, of_chaos, of_search};
pub use merge::{Attempt, Difference, Merged, merge};
pub use payload::{Files, PAYLOAD_MAX, PayloadError, lines, read};
pub use pod::{Ended, ended, finished, is_suspended};
pub use searched::{SearchFile, SearchedError, merge_searches};
pub use share::{Interval, ShareError};
pub use smallest::{Recut, cut};
pub use summary::{Failure, MESSAGE_MAX, Summary, SummaryError, Work};
