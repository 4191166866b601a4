//! The commands, each idempotent: act only if it is not so already, and verify what came of it.

mod answer;
mod bound;
mod concurrent;
mod config;
mod context;
mod counter;
#[cfg(test)]
mod fixtures;
mod heard;
mod holding;
mod ledger;
mod logs;
mod looks;
mod obstacle;
mod ordered;
mod owners;
mod perform;
mod pod_logs;
mod pods;
mod post_mortem;
mod proof;
mod query;
mod replace;
mod replica_sets;
mod revisions;
mod rollout;
mod scale;
mod scenario;
mod silence;
pub(crate) mod streams;
mod symptom;
mod undo;
mod window;

pub use rollout::WAITS_FOR_OLD_PODS;

pub(crate) use perform::perform;
pub(crate) use post_mortem::of_report as post_mortem_of;
pub(crate) use replace::{LOOK, Look, Pods};

pub(crate) use context::{Changed, Context, Facts, Stop, Success};
