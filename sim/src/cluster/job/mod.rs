//! The Job controller (`pkg/controller/job`), and the one that deletes finished Jobs
//! (`pkg/controller/ttlafterfinished`).
//!
//! Simpler than the real one: a pod is counted and released in the same step, so that `uncountedTerminatedPods` is
//! always empty. Policies for failures and successes of single pods are not looked at, and indexed Jobs are refused.

mod expiry;
mod pods;
mod sync;

pub(crate) use pods::is_tracked;
