//! What time is spent on: the cause of each step, by the command that it runs.

use std::collections::BTreeMap;

use executor::runbook::{Command, Part, Runbook};
use serde::Serialize;

/// What a span of the time to the recovery is spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// From the first harm to the trigger: scrapes, the window of the query, and its `for`.
    Detection,
    /// The lease and the plan.
    Decision,
    /// Saving what a post-mortem needs.
    Evidence,
    /// Trading is halted and opened again.
    Halt,
    /// The ledger is undone, restored or replayed.
    Data,
    /// Configuration, undo and rollout.
    Pods,
    /// Checks and queries that show the recovery.
    Proof,
}

impl Cause {
    /// All of them, in the order in which they come.
    pub const ALL: [Self; 7] = [
        Self::Detection,
        Self::Decision,
        Self::Evidence,
        Self::Halt,
        Self::Data,
        Self::Pods,
        Self::Proof,
    ];

    /// As it stands in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Detection => "detection",
            Self::Decision => "decision",
            Self::Evidence => "evidence",
            Self::Halt => "halt",
            Self::Data => "data",
            Self::Pods => "pods",
            Self::Proof => "proof",
        }
    }

    /// What it is, in a sentence's part.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Detection => "from the first harm to the trigger",
            Self::Decision => "the lease and the plan",
            Self::Evidence => "saving what a post-mortem needs",
            Self::Halt => "trading is halted and opened again",
            Self::Data => "the ledger is undone, restored or replayed",
            Self::Pods => "configuration, undo and rollout",
            Self::Proof => "checks and queries that show the recovery",
        }
    }

    /// `None`: the command looks whether the step before it did what it is there for.
    fn of(command: &Command) -> Option<Self> {
        match command.spec().part {
            Part::Halt => Some(Self::Halt),
            Part::Data => Some(Self::Data),
            Part::Evidence => Some(Self::Evidence),
            Part::Pods => Some(Self::Pods),
            Part::Proof => Some(Self::Proof),
            Part::AsBefore => None,
        }
    }
}

/// The cause of each step, by its name. A look at a counter is part of what comes before it: whether trading is halted,
/// or open again.
#[must_use]
pub(super) fn causes(runbook: &Runbook) -> BTreeMap<&str, Cause> {
    let mut before = Cause::Proof;
    let mut found = BTreeMap::new();
    for step in &runbook.steps {
        before = Cause::of(&step.command).unwrap_or(before);
        found.insert(step.name.as_str(), before);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Cause, causes};
    use crate::runbooks::LoadedRunbook;

    #[test]
    fn each_step_of_the_built_in_runbook_has_the_cause_that_people_would_name() {
        let runbook = LoadedRunbook::built_in().expect("it is right").runbook;
        let causes = causes(&runbook);
        for (step, cause) in [
            ("halt-trading", Cause::Halt),
            ("fence-ledger", Cause::Halt),
            ("dump-logs", Cause::Evidence),
            ("undo-schema", Cause::Data),
            ("restore-ledger", Cause::Data),
            ("undo-app", Cause::Pods),
            ("rollout-status", Cause::Pods),
            ("check-health", Cause::Proof),
            ("error-rate", Cause::Proof),
            ("stay-recovered", Cause::Proof),
        ] {
            assert_eq!(causes.get(step), Some(&cause), "{step}");
        }
    }
}
