//! Of which kind the workload is that keeps a service's pods.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of workloads that a release may be rolled back in.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadKind {
    /// Its pods are interchangeable. Templates that it has had are ReplicaSets.
    #[default]
    Deployment,
    /// Its pods have names that stay and are replaced one after the other. Templates that it has had are
    /// ControllerRevisions.
    StatefulSet,
}

impl WorkloadKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Deployment, Self::StatefulSet];

    /// Its name in a manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
        }
    }

    /// Its name on kubectl's command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
        }
    }

    /// What keeps a template that it has had.
    #[must_use]
    pub fn keeps_history_in(self) -> &'static str {
        match self {
            Self::Deployment => "ReplicaSet",
            Self::StatefulSet => "ControllerRevision",
        }
    }

    /// Whether it goes without saying: plans and baselines that were journaled before there were other kinds say
    /// nothing.
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands a reference to it"
    )]
    pub(crate) fn goes_without_saying(&self) -> bool {
        *self == Self::Deployment
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
