//! What of a rollback is told to others: what called for it, how it is dealt with, how its steps and the whole ended.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The phase that a step belongs to, from `rb.phase` or the nearest heading's attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Before the deployment.
    Prepare,
    /// The rollback itself.
    Run,
    /// After recovery: evidence and post-mortem.
    After,
}

/// Class of a trigger, as the procedure names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerClass {
    /// Matching irregularity, lost state determinism.
    P0,
    /// Latency or throughput beyond the service level.
    Sla,
    /// Balance anomaly found by reconciliation.
    DataIntegrity,
}

/// The part of the procedure that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Recording the baseline before a deployment.
    Prepare,
    /// Evaluating triggers after a deployment.
    Watch,
    /// Deciding what to do.
    Plan,
    /// Carrying it out.
    Run,
    /// Carrying on after an interruption.
    Resume,
    /// Evidence and post-mortem.
    After,
}

impl Stage {
    /// Lower-case name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Watch => "watch",
            Self::Plan => "plan",
            Self::Run => "run",
            Self::Resume => "resume",
            Self::After => "after",
        }
    }
}

/// What happens to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LedgerPath {
    /// Nothing: the previous application works on the schema as it is.
    Application,
    /// Undo scripts, newest first.
    Undo,
    /// The snapshot is put back and the order log's tail replayed.
    Restore,
}

impl LedgerPath {
    /// Lower-case name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Undo => "undo",
            Self::Restore => "restore",
        }
    }
}

impl fmt::Display for LedgerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How much a plan may lose, from least to most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Nothing.
    #[default]
    Nothing,
    /// What was written to the ledger since the snapshot by other ways than the log: a correction by hand, for
    /// instance. It stays in the ledger that is set aside.
    OutsideTheLog,
    /// What clients were told about.
    Acknowledged,
}

/// Something that a plan loses or may lose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// What kind.
    pub kind: LossKind,
    /// By which step.
    pub step: String,
    /// What, and where it remains.
    pub what: String,
}

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
    /// It was asked to stop and did, where it can be resumed.
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

/// What a rollback that can't go on says of the application that it leaves behind. `None` where it can't know: the
/// answer to the step that changes it was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whether the ledger is fenced.
    pub fenced: Option<bool>,
    /// Whether orders are refused, by the fence or by the halt flag.
    pub halted: Option<bool>,
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

/// What a program may go by that is told of an error: those kinds after which somebody has something else to do than to
/// read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// Another executor holds the lease.
    LeaseHeld,
    /// Another executor took over.
    Superseded,
    /// A rollback is begun and not ended.
    InProgress,
    /// The last rollback was escalated, and no baseline is newer.
    WasEscalated,
    /// No rollback is begun.
    NothingToResume,
    /// No baseline was recorded.
    NoBaseline,
    /// Any other, also one that a later version tells.
    #[serde(other)]
    Other,
}

impl ErrorKind {
    /// Whether the rollback is left to another executor, which works on it or has begun it.
    #[must_use]
    pub fn gives_way(self) -> bool {
        match self {
            Self::LeaseHeld | Self::Superseded | Self::InProgress | Self::WasEscalated => true,
            Self::NothingToResume | Self::NoBaseline | Self::Other => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{TriggerClass, TriggerEvent};

    /// A value that went through JSON may come back one unit in the last place off;
    /// at another time it is another event.
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
