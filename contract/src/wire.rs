//! `rollback/1`: what `rollback --json` writes, one JSON object a line.
//!
//! Every line has `schema` (`"rollback/1"`), `at` (RFC 3339, UTC) and `event`; the other fields depend on the event and
//! are those of [`Body`]'s variants. Times of day are RFC 3339 in UTC, durations are whole milliseconds and end in
//! `_ms`. What does not apply is `null`. The last line is the result: `report` (after `run`, `resume`, and a `watch
//! --run` that rolled back), `plan`, `watch-ended`, `done`, or `error`. A reader must skip events and fields that it
//! does not know; those that are here keep their meaning as long as the schema's name stays.
//!
//! ```text
//! {"schema":"rollback/1","at":"2026-05-04T10:00:00Z","event":"step-started","step":"undo-app","service":"gateway","budget_ms":2000}
//! ```

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::rollback::{ErrorKind, LedgerPath, Loss, Phase, Standing, StepOutcome, TriggerEvent};

/// Name of the format.
pub const SCHEMA: &str = "rollback/1";

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// [`SCHEMA`].
    pub schema: String,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub body: Body,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Body {
    /// First line: who does what by which runbook.
    Began {
        /// `run`, `resume`, …
        command: String,
        /// Version of the program.
        version: String,
        /// File.
        runbook: String,
        /// Who acts, as in the lease and the journal.
        identity: String,
        /// From the trigger to recovery, as the runbook allows.
        rto_ms: u64,
    },
    /// A phase began: `prepare`, `watch`, `plan`, `run`, `resume`, `after`.
    Phase {
        /// Which.
        phase: String,
    },
    /// The lease was taken.
    Lease {
        /// Fencing token.
        token: u64,
        /// Who held it before and did not give it up.
        taken_from: Option<String>,
    },
    /// A trigger's condition began to hold; its debounce runs.
    TriggerPending {
        /// Name of the trigger.
        name: String,
        /// Value that satisfied the condition.
        value: Option<f64>,
    },
    /// It stopped holding before the debounce was over.
    TriggerCleared {
        /// Name of the trigger.
        name: String,
    },
    /// It fired.
    TriggerFired(TriggerEvent),
    /// It holds, but it held before the deployment too.
    TriggerPredatesRelease {
        /// Name of the trigger.
        name: String,
        /// Its value when the baseline was recorded.
        baseline: Option<f64>,
    },
    /// The plan that is carried out (`run`, `resume`), or that would be (`plan`).
    Plan {
        /// The plan.
        plan: PlanLine,
        /// Position of the first step that is not done yet; 0 unless it is resumed.
        next: usize,
    },
    /// A step began.
    StepStarted {
        /// Name in the runbook.
        step: String,
        /// Service, for a step that runs once for each.
        service: Option<String>,
        /// Its budget.
        budget_ms: u64,
    },
    /// A step waits; written when the reason changes.
    StepWaiting {
        /// Name in the runbook.
        step: String,
        /// Service, for a step that runs once for each.
        service: Option<String>,
        /// For what.
        why: String,
    },
    /// A request is repeated.
    Retrying {
        /// What was tried.
        what: String,
        /// Why again.
        why: String,
    },
    /// A step ended.
    StepFinished {
        /// Name in the runbook.
        step: String,
        /// Service, for a step that runs once for each.
        service: Option<String>,
        /// How.
        outcome: StepOutcome,
        /// What was found or done.
        detail: String,
    },
    /// Something a person should know.
    Note {
        /// The text.
        text: String,
    },
    /// A signal asks for a stop; it comes at the next safe point.
    Stopping {
        /// The signal.
        signal: String,
    },
    /// Last line of a rollback.
    Report(ReportLine),
    /// Last line of `watch` unless it rolls back.
    WatchEnded {
        /// The trigger that fired; `null` if the validation window closed.
        trigger: Option<TriggerEvent>,
        /// Triggers whose condition held, as it had before the deployment.
        predating: Vec<String>,
        /// Of the program.
        exit_code: u8,
    },
    /// Last line of a command that has nothing to report but that it is done.
    Done {
        /// What was done.
        text: String,
        /// Files that were written, below the evidence directory.
        files: Vec<String>,
    },
    /// Last line if it ended without a result. Standard error says the same.
    Error {
        /// What, where, and what to do.
        message: String,
        /// What a program may go by; `null`: the rollback was not even tried.
        #[serde(default)]
        kind: Option<ErrorKind>,
        /// Of the program.
        exit_code: u8,
    },
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanLine {
    /// Title of the runbook.
    pub runbook: String,
    /// Digest of the runbook's text.
    pub digest: String,
    /// What calls for the rollback.
    pub trigger: Option<TriggerEvent>,
    /// `application`, `undo` or `restore`: what happens to the ledger.
    pub path: LedgerPath,
    /// Why.
    pub why: String,
    /// What it may lose; empty if nothing.
    pub may_lose: Vec<Loss>,
    /// Services, in the order in which they are rolled back.
    pub services: Vec<ServiceLine>,
    /// Steps, in order.
    pub steps: Vec<PlannedLine>,
    /// Steps of the runbook that do not apply.
    pub left_out: Vec<LeftOutLine>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// One service of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceLine {
    /// Deployment.
    pub service: String,
    /// Image now.
    pub from_image: String,
    /// Image that was recorded.
    pub to_image: String,
    /// The pinned target, in words.
    pub target: String,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedLine {
    /// Name in the runbook.
    pub name: String,
    /// Heading in the runbook.
    pub title: String,
    /// Service, for a step that runs once for each.
    pub service: Option<String>,
    /// As a person would type it.
    pub command: String,
    /// `run` or `after`.
    pub phase: Phase,
    /// Its budget.
    pub budget_ms: u64,
    /// Why it is done.
    pub why: String,
}

/// One step that is left out of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutLine {
    /// Name in the runbook.
    pub name: String,
    /// Service, for a step that runs once for each.
    pub service: Option<String>,
    /// Why.
    pub why: String,
}

/// How a rollback ended, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeKind {
    /// Every check of the runbook passed.
    Recovered,
    /// It can't go on by itself.
    Escalated,
    /// There was nothing to roll back.
    NothingToDo,
    /// It was asked to stop, and can be resumed.
    Stopped,
}

/// A rollback as it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportLine {
    /// How it ended.
    pub outcome: OutcomeKind,
    /// Why, unless it recovered: what went wrong, where things stand, what a person must do.
    pub reason: Option<String>,
    /// What was done to the ledger in the end: `application`, `undo` or `restore`; `null` if no plan was made.
    pub path: Option<LedgerPath>,
    /// What started it. The RTO counts from its `fired_at`.
    pub trigger: Option<TriggerEvent>,
    /// When `run` began.
    pub started_at: Timestamp,
    /// The first instant from which the checks held, as the executor sees it.
    pub recovered_at: Option<Timestamp>,
    /// What stands of the fence and of the halt, where it ended without recovery. A claim: a drill looks for itself.
    #[serde(default)]
    pub standing: Option<Standing>,
    /// Trigger to recovery, as the executor sees it. A claim: a drill measures for itself.
    pub rto_claimed_ms: Option<u64>,
    /// Steps that were tried, in order.
    pub steps: Vec<StepLine>,
    /// Folder of the files.
    pub evidence_dir: String,
    /// Files that were written, below it.
    pub files: Vec<String>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// The command that goes on, if something is left to do.
    pub resume: Option<String>,
    /// Of the program.
    pub exit_code: u8,
}

/// One step as it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepLine {
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
    pub budget_ms: u64,
    /// How it ended.
    pub outcome: StepOutcome,
    /// What was found or done.
    pub detail: String,
}

/// Whole milliseconds.
#[must_use]
pub fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Line {
    /// `body`, said at `at`.
    #[must_use]
    pub fn new(at: Timestamp, body: Body) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            at,
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Body, Line};

    #[test]
    fn an_unknown_field_does_not_keep_an_older_reader_from_reading() {
        let text = r#"{"schema":"rollback/1","at":"2026-05-04T10:00:00Z","event":"note","text":"x","new":1}"#;
        let line: Line = serde_json::from_str(text).expect("read");
        let text = "x".to_owned();
        assert_eq!(line.body, Body::Note { text });
    }
}
