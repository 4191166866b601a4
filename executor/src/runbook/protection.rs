//! What the parts of a runbook protect against.

use serde::Serialize;

/// What a part of the runbook protects against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// Clients are told of the halt.
    Halt,
    /// Writers that missed the halt are kept out of the ledger.
    Fence,
    /// A repeated undo, or a second operator's, does not return to the bad release.
    Pin,
    /// The bad release's logs outlive its pods.
    Logs,
    /// What was acknowledged after the snapshot is not lost.
    Replay,
    /// The way back exists.
    Prepare,
    /// The configuration goes back with the code.
    Configuration,
    /// A paused Deployment can be rolled back.
    Paused,
    /// A rollout that does not complete is noticed.
    Rollout,
    /// A sick pod is noticed.
    Health,
    /// An undo that did nothing is noticed.
    Build,
    /// Recovery is proved before it is claimed.
    Proof,
    /// Recovery is dated after the last pod has stopped refusing.
    Reopening,
    /// A relapse is noticed.
    Hold,
    /// The incident is written up.
    WriteUp,
    /// A bad release is noticed.
    Detection,
    /// A sound release is left alone.
    Debounce,
    /// Each step stays within its share of the objective.
    Budget,
    /// A failed step stops what would make it worse.
    Stop,
    /// Services come back in the order in which they depend on each other.
    Order,
    /// What the procedure promises.
    Objective,
    /// Where things are.
    Address,
}
