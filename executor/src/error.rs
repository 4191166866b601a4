//! Why a phase could not be carried out.

use std::time::Duration;

pub use contract::rollback::ErrorKind;
use jiff::Timestamp;

use crate::journal::IllegalTransition;
use crate::kubernetes::told_once;
use crate::planner::{Loss, PlanError};
use crate::ports::DatabaseError;

/// What keeps a phase from being carried out. A rollback that was begun and can't be finished is
/// not an error but an [`Outcome::Escalated`](crate::Outcome::Escalated), as long as the journal can be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster refused, or did not answer within the budget.
    #[error("could not {what}")]
    Kubernetes {
        /// What was tried.
        what: String,
        /// The last answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// Something took longer than it may.
    #[error("{what}: {}", too_late(*.limit))]
    Deadline {
        /// What was tried.
        what: String,
        /// The limit.
        limit: Duration,
    },
    /// Prometheus or Loki refused or did not answer.
    #[error("query failed: {reason}")]
    Query {
        /// Why.
        reason: String,
    },
    /// The database refused or did not answer.
    #[error("could not {what}")]
    Database {
        /// What was tried.
        what: String,
        /// The last answer.
        #[source]
        source: DatabaseError,
    },
    /// No plan can be made.
    #[error("no plan can be made")]
    Plan(#[from] PlanError),
    /// Another executor is at work.
    #[error("another executor holds the lease: {holder}, until {until} unless it renews")]
    LeaseHeld {
        /// Its identity.
        holder: String,
        /// When its lease runs out.
        until: Timestamp,
    },
    /// Another executor took over. This one must not act any more.
    #[error("another executor took over: {by}")]
    Superseded {
        /// Who or what shows it.
        by: String,
    },
    /// It was asked to stop before it had done anything.
    #[error("stopped before anything was done")]
    Interrupted,
    /// The plan may lose more than it was told that it may.
    #[error("{}", would_lose(.losses))]
    WouldLose {
        /// What it may lose.
        losses: Vec<Loss>,
    },
    /// The lease could not be renewed in time, so another executor may hold it by now. This one stopped.
    #[error("the lease ran out: {why}")]
    LeaseRanOut {
        /// The last error.
        why: String,
    },
    /// The journal has entries that this host did not know of: an earlier holder of the lease wrote them late.
    #[error("the journal is ahead of this host: {what}")]
    Outdated {
        /// The newest of them.
        what: String,
    },
    /// A rollback is under way: resume it first.
    #[error("a rollback begun at {since} is not finished: resume it")]
    InProgress {
        /// When its plan was journaled.
        since: Timestamp,
    },
    /// A rollback was escalated, and nobody has finished it: another plan would begin from what it left half done.
    #[error(
        "the rollback begun at {since} was escalated: `rollback resume` goes on with it. If it was finished by hand, \
         `rollback prepare` records what there is now; --force plans anew all the same"
    )]
    WasEscalated {
        /// When its plan was journaled.
        since: Timestamp,
    },
    /// There is no unfinished rollback in the journal.
    #[error("there is nothing to resume: the journal holds no plan")]
    NothingToResume,
    /// `prepare` did not run before the deployment.
    #[error("no baseline is recorded: run `rollback prepare` before a deployment")]
    NoBaseline,
    /// What is stored in the cluster can't be read.
    #[error("{what} can't be read: {reason}")]
    Unreadable {
        /// Which object.
        what: String,
        /// Why.
        reason: String,
    },
    /// A document of an incident could not be written.
    #[error("could not write {what}: {reason}")]
    Document {
        /// Which document.
        what: String,
        /// Why.
        reason: String,
    },
    /// The journal's order of entries is impossible.
    #[error("the journal is inconsistent")]
    Journal(#[from] IllegalTransition),
    /// A step of the prepare phase failed.
    #[error("step `{step}` failed: {reason}")]
    Step {
        /// Name in the runbook.
        step: String,
        /// Why.
        reason: String,
    },
    /// A query or command uses a placeholder that has no value here.
    #[error("`{name}` has no value in step `{step}`")]
    Placeholder {
        /// The placeholder, with its dollar sign.
        name: String,
        /// Name in the runbook.
        step: String,
    },
}

fn would_lose(losses: &[Loss]) -> String {
    let losses: Vec<String> = losses
        .iter()
        .map(|loss| format!("step `{}` may lose {}", loss.step, loss.what))
        .collect();
    format!(
        "{}. This was not allowed, and nothing was done",
        losses.join("; ")
    )
}

/// A limit for a reader: what is less than a second is told in milliseconds.
/// The least that an answer is waited for. Whoever has no time left asks once all the same, since an answer that is
/// there at once is better than none.
pub(crate) const NO_TIME: Duration = Duration::from_millis(1);

fn too_late(limit: Duration) -> String {
    if limit <= NO_TIME {
        "the time for it was over already".to_owned()
    } else {
        format!("not done within {}", span(limit))
    }
}

fn span(limit: Duration) -> String {
    if limit < Duration::from_secs(1) {
        format!("{} ms", limit.as_millis())
    } else {
        format!("{} s", limit.as_secs())
    }
}

impl Error {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::LeaseHeld { .. } => ErrorKind::LeaseHeld,
            Self::Superseded { .. } => ErrorKind::Superseded,
            Self::InProgress { .. } => ErrorKind::InProgress,
            Self::WasEscalated { .. } => ErrorKind::WasEscalated,
            Self::NothingToResume => ErrorKind::NothingToResume,
            Self::NoBaseline => ErrorKind::NoBaseline,
            _ => ErrorKind::Other,
        }
    }

    /// The error and its sources in one line, each told once.
    #[must_use]
    pub fn chain(&self) -> String {
        told_once(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_was_over_is_not_told_as_a_short_one() {
        let told = |limit| {
            let what = "list deployments".to_owned();
            Error::Deadline { what, limit }.to_string()
        };
        for limit in [Duration::ZERO, NO_TIME] {
            let said = told(limit);
            assert_eq!(said, "list deployments: the time for it was over already");
        }
        let said = told(Duration::from_millis(2));
        assert_eq!(said, "list deployments: not done within 2 ms");
        let said = told(Duration::from_secs(3));
        assert_eq!(said, "list deployments: not done within 3 s");
    }
}
