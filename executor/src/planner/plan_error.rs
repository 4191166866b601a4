//! Why there is no plan.

use jiff::Timestamp;

use super::decide::LedgerPath;
use super::reason::Refusal;
use crate::workload::WorkloadKind;

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Everything is as recorded.
    #[error("nothing to roll back: every service and the schema are as the baseline recorded them")]
    NothingDiffers,
    /// The anomaly is older than the release.
    #[error(
        "trigger `{trigger}` held before the deployment too, so a rollback can't help: its condition must be looked into"
    )]
    PredatesRelease {
        /// Name of the trigger.
        trigger: String,
    },
    /// The validation window is over.
    #[error(
        "the release was deployed at {deployed_at} and its validation window is over: roll back only by a person's decision (force)"
    )]
    OutsideWindow {
        /// When the release was deployed.
        deployed_at: Timestamp,
    },
    /// The snapshot is needed, and the one of the baseline is not there.
    #[error(
        "the ledger must be restored ({why}), but {not}. Nothing else may be put back: a person must find the recorded snapshot (a later \
         one of its name leaves it as `NAME__previous`, which can be renamed) or decide which loss to accept"
    )]
    NoSnapshot {
        /// Why a restore.
        why: String,
        /// Why there is none.
        not: String,
    },
    /// The baseline and the runbook do not name the same services.
    #[error("service `{service}` is not in the baseline")]
    NotRecorded {
        /// Deployment.
        service: String,
    },
    /// A workload is gone.
    #[error("{} `{service}` does not exist any more", .kind.word())]
    Gone {
        /// Of which kind it was.
        kind: WorkloadKind,
        /// Its name.
        service: String,
    },
    /// It is not the workload that was recorded.
    #[error("{} `{service}` was deleted and created again since the baseline", .kind.word())]
    Recreated {
        /// Of which kind it is.
        kind: WorkloadKind,
        /// Its name.
        service: String,
    },
    /// No step rolls back a workload of this kind.
    #[error(
        "`{service}` is a {kind}, and no step of the runbook undoes one: add `kubectl rollout undo {}/$SERVICE`", .kind.word()
    )]
    NoUndo {
        /// Of which kind it is.
        kind: WorkloadKind,
        /// Its name.
        service: String,
    },
    /// A Deployment is paused and the runbook has no step that resumes it.
    #[error(
        "deployment `{service}` is paused and the runbook does not resume it: kubectl rollout resume deployment/{service}"
    )]
    Paused {
        /// Deployment.
        service: String,
    },
    /// The ledger needs a step that the runbook has not.
    #[error("the ledger's path is {path}, but the runbook has no step for it")]
    MissingStep {
        /// The path.
        path: LedgerPath,
    },
}

impl PlanError {
    /// Which it is, by a name that stays.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::NothingDiffers => Refusal::NothingDiffers,
            Self::PredatesRelease { .. } => Refusal::PredatesRelease,
            Self::OutsideWindow { .. } => Refusal::OutsideWindow,
            Self::NoSnapshot { .. } => Refusal::NoSnapshot,
            Self::NotRecorded { .. } => Refusal::NotRecorded,
            Self::Gone { .. } => Refusal::Gone,
            Self::Recreated { .. } => Refusal::Recreated,
            Self::Paused { .. } => Refusal::Paused,
            Self::NoUndo { .. } | Self::MissingStep { .. } => Refusal::MissingStep,
        }
    }
}
