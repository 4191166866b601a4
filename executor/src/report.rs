//! What the phases hand back.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::planner::{LedgerPath, Plan};
use crate::runbook::{Trigger, TriggerClass};

/// A trigger that fired, or a person's decision to roll back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriggerEvent {
    /// Name of the trigger; `manual` for a person's decision.
    pub name: String,
    /// Class.
    pub class: TriggerClass,
    /// Value at the time, if it came from a query.
    pub value: Option<f64>,
    /// Since when the condition had held.
    pub since: Timestamp,
    /// When the debounce was over. The RTO counts from here.
    pub fired_at: Timestamp,
    /// The query and its condition, or the person's reason.
    pub reason: String,
}

impl TriggerEvent {
    /// Whether both are the same event: by name and time. A value that went through text may differ in its last digit.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.name == other.name && self.fired_at == other.fired_at
    }

    /// A person decided to roll back.
    #[must_use]
    pub fn manual(class: TriggerClass, at: Timestamp, reason: &str) -> Self {
        Self {
            name: "manual".to_owned(),
            class,
            value: None,
            since: at,
            fired_at: at,
            reason: reason.to_owned(),
        }
    }

    /// `trigger` fired with `value`.
    #[must_use]
    pub fn fired(trigger: &Trigger, value: f64, since: Timestamp, at: Timestamp) -> Self {
        Self {
            name: trigger.name.clone(),
            class: trigger.class,
            value: Some(value),
            since,
            fired_at: at,
            reason: format!("{} {}", trigger.query, trigger.condition),
        }
    }
}

/// How the watch ended.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchOutcome {
    /// A rollback is mandatory.
    Triggered(TriggerEvent),
    /// The validation window passed without a trigger.
    WindowClosed {
        /// When.
        at: Timestamp,
        /// Triggers whose condition held, as it had before the deployment. A person must look.
        predating: Vec<String>,
    },
}

/// How a rollback ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Outcome {
    /// Every check of the runbook passed.
    Recovered,
    /// It can't go on by itself; trading stays as halted as the ledger needs it.
    Escalated {
        /// What went wrong, where things stand and what a person must do.
        reason: String,
    },
    /// It was asked to stop ([`Options::stop`](crate::Options::stop)) and did, where it can be resumed.
    Stopped {
        /// Where things stand.
        reason: String,
    },
    /// There is nothing to roll back.
    NothingToDo {
        /// Why.
        reason: String,
    },
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// Done and verified.
    Done,
    /// It was already so; nothing was changed.
    AlreadySo,
    /// Not done within its budget, or refused.
    Failed,
    /// Passed over: it stands by for another step's failure, and that one succeeded.
    Skipped,
    /// A check that found too little to decide on within its budget. Never a pass.
    Inconclusive,
}

impl StepOutcome {
    /// Whether it is so now, because of this step or before it.
    #[must_use]
    pub fn is_done(self) -> bool {
        matches!(self, Self::Done | Self::AlreadySo)
    }

    /// Whether the procedure may go on as if nothing had happened.
    #[must_use]
    pub fn is_ok(self) -> bool {
        matches!(self, Self::Done | Self::AlreadySo | Self::Skipped)
    }
}

impl fmt::Display for StepOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::AlreadySo => "already so",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// One step as it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// Name in the runbook.
    pub name: String,
    /// Heading in the runbook.
    pub title: String,
    /// Service, for a step that runs once for each.
    pub service: Option<String>,
    /// When it began (its last attempt, if it was resumed).
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Its budget.
    pub budget: Duration,
    /// What it took beyond that, out of the reserve: a server refused for a while, or the exchange was not back yet.
    #[serde(default)]
    pub borrowed: Duration,
    /// How it ended.
    pub outcome: StepOutcome,
    /// What was found or done.
    pub detail: String,
}

/// A rollback as it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// What started it.
    pub trigger: Option<TriggerEvent>,
    /// When `run` began.
    pub started_at: Timestamp,
    /// The first instant from which the checks held, as the executor sees it: the end of the last
    /// step that changed anything, known only after the checks have passed. A claim, not a verdict.
    pub recovered_at: Option<Timestamp>,
    /// Every step, in order.
    pub steps: Vec<StepReport>,
    /// What was planned; `None` if there was nothing to do or no plan could be made.
    pub plan: Option<Plan>,
    /// Names of what was put into the evidence store.
    pub evidence: Vec<String>,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl Report {
    /// How the ledger was dealt with: as planned, unless the undo failed and the snapshot was restored instead. `None` if
    /// nothing was planned.
    #[must_use]
    pub fn path_taken(&self) -> Option<LedgerPath> {
        let plan = self.plan.as_ref()?;
        Some(plan.path_taken(&self.steps))
    }

    /// Trigger to recovered, as the executor sees it.
    #[must_use]
    pub fn rto_claimed(&self) -> Option<Duration> {
        let recovered = self.recovered_at?;
        let fired = self.trigger.as_ref()?.fired_at;
        Duration::try_from(recovered.duration_since(fired)).ok()
    }

    /// Whether it ended because a check could not be decided.
    #[must_use]
    pub fn is_inconclusive(&self) -> bool {
        matches!(self.outcome, Outcome::Escalated { .. })
            && self
                .steps
                .iter()
                .any(|step| step.outcome == StepOutcome::Inconclusive)
            && self
                .steps
                .iter()
                .all(|step| step.outcome != StepOutcome::Failed)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::TriggerEvent;
    use crate::runbook::TriggerClass;

    /// A value that went through JSON may come back one unit in the last place off; at another time it is another event.
    #[test]
    fn an_event_is_known_by_name_and_time() {
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        let mut event = TriggerEvent::manual(TriggerClass::P0, at(100), "a test");
        event.value = Some(0.1 + 0.2);
        let mut read_back = event.clone();
        read_back.value = Some(0.3);
        assert!(event != read_back && event.is(&read_back));
        read_back.fired_at = at(101);
        assert!(!event.is(&read_back));
    }
}
