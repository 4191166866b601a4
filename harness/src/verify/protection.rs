//! What the parts of a runbook protect against.

use executor::runbook::{Command, Phase, Step};
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
    /// Recovery is dated after the last gateway has opened.
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

const REOPENING: (Protection, &str) = (
    Protection::Reopening,
    "recovery begins when the last gateway has stopped refusing",
);

/// What a step is there for.
pub(super) fn purpose(step: &Step) -> (Protection, &'static str) {
    match &step.command {
        Command::RecordRelease => (
            Protection::Prepare,
            "the target of a rollback is what was recorded",
        ),
        Command::Snapshot { .. } => (
            Protection::Prepare,
            "without a snapshot a wrong ledger can't be restored",
        ),
        Command::SetConfigValue { .. } => (
            Protection::Halt,
            "clients are told that trading is halted, and open",
        ),
        Command::Fence => (
            Protection::Fence,
            "a writer that missed the halt flag writes into a ledger that is being rewritten",
        ),
        Command::Unfence => (
            Protection::Reopening,
            "a fence that stays up keeps everybody out",
        ),
        Command::DumpLogs { .. } => (Protection::Logs, "they vanish with the pods"),
        Command::UndoSchema => (Protection::Replay, "the old code can't read the new schema"),
        Command::RestoreSnapshot { .. } | Command::ReplayOrders => (
            Protection::Replay,
            "what clients were told since the snapshot must come back",
        ),
        Command::RestoreConfig => (
            Protection::Configuration,
            "`rollout undo` does not touch ConfigMaps",
        ),
        Command::ReplacePods => (
            Protection::Configuration,
            "no rollout replaces pods whose template stays",
        ),
        Command::RestoreReplicas => (
            Protection::Rollout,
            "`rollout undo` does not bring replicas back",
        ),
        Command::RolloutResume => (
            Protection::Paused,
            "an undo of a paused Deployment is refused",
        ),
        Command::RolloutUndo { .. } | Command::RolloutStatus => (
            Protection::Rollout,
            "exit code 0 of an undo says nothing of its pods",
        ),
        Command::ReviewReplicaSets => (
            Protection::Rollout,
            "the old ReplicaSet must serve at full size and the new one be gone",
        ),
        Command::CheckHealth { .. } => (
            Protection::Health,
            "a Service hides a sick pod among sound ones",
        ),
        Command::CheckBuildInfo { .. } => (Protection::Build, "an undo can do nothing and exit 0"),
        Command::PromQuery { .. } | Command::LogQuery { .. }
            if step.phase == Phase::After || step.hold.is_some() =>
        {
            (
                Protection::Hold,
                "something may put the bad release back: a GitOps controller, a colleague",
            )
        }
        Command::CheckCounter { .. } => REOPENING,
        Command::PromQuery { query } if !query.contains("$WINDOW") && query.contains('[') => {
            REOPENING
        }
        Command::PromQuery { .. } | Command::LogQuery { .. } => (
            Protection::Proof,
            "a recovery that nobody checked is a claim",
        ),
        Command::WritePostMortem | Command::WriteScenario => {
            (Protection::WriteUp, "a person must write it instead")
        }
    }
}
