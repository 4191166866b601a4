//! Entries of the journal and the only ways in which they may follow each other.
//!
//! ```text
//! Empty ─planned─▶ Ready ─intent─▶ Acting ─done─▶ Ready ─closed─▶ Closed
//!                  │  ▲              │  ▲ └─failed─▶ Stopped ─closed─▶ Closed
//!                  └checked          └intent (again, by whoever resumes)
//! resumed: anywhere between, and changes nothing
//! ```

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::report::{Outcome, StepReport};

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Position, from 1.
    pub seq: u32,
    /// When it was written.
    pub at: Timestamp,
    /// Fencing token of the writer.
    pub token: u64,
    /// Identity of the writer.
    pub by: String,
    /// What it says.
    #[serde(flatten)]
    pub record: Record,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "record")]
pub enum Record {
    /// The plan is fixed; it is stored beside the entries.
    Planned {
        /// Number of steps in the plan.
        steps: usize,
    },
    /// A step with a side effect is about to act.
    Intent {
        /// Index in the plan.
        step: usize,
        /// What acts instead of the step itself, because it found something changed: another step of the plan,
        /// by its label.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remedy: Option<String>,
    },
    /// What a remedy was begun for is made good, so that the step is tried again.
    MadeGood {
        /// Index in the plan of the step that found it.
        step: usize,
    },
    /// Whoever writes it carries on with a token of its own, which the fence gets too.
    Resumed,
    /// A step is done and verified.
    Done {
        /// Index in the plan.
        step: usize,
        /// How it went.
        report: StepReport,
        /// What later steps must know.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        data: Value,
    },
    /// A step failed for good.
    Failed {
        /// Index in the plan.
        step: usize,
        /// How it went.
        report: StepReport,
        /// Whether the procedure goes on without it (`rb.on-fail` = `continue`).
        go_on: bool,
    },
    /// The end.
    Closed {
        /// How it ended.
        outcome: Outcome,
    },
}

/// Where a journal stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing is planned.
    #[default]
    Empty,
    /// `next` is the step to do.
    Ready {
        /// Index in the plan.
        next: usize,
        /// Steps in the plan.
        steps: usize,
    },
    /// `step` may or may not have taken effect.
    Acting {
        /// Index in the plan.
        step: usize,
        /// Steps in the plan.
        steps: usize,
    },
    /// `step` failed and the procedure stopped.
    Stopped {
        /// Index in the plan.
        step: usize,
        /// Steps in the plan.
        steps: usize,
    },
    /// It ended.
    Closed {
        /// The step that failed, if it ended without recovery.
        stopped: Option<(usize, usize)>,
    },
}

/// An entry that can't follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{record}` can't follow in state {state:?}")]
pub struct IllegalTransition {
    /// State before.
    pub state: State,
    /// The entry.
    pub record: String,
}

impl State {
    /// The state after `record`.
    ///
    /// # Errors
    /// [`IllegalTransition`] if `record` can't follow.
    pub fn apply(&self, record: &Record) -> Result<Self, IllegalTransition> {
        let illegal = || IllegalTransition {
            state: self.clone(),
            record: record.name(),
        };
        let next = match (self, record) {
            (Self::Empty | Self::Closed { .. }, Record::Planned { steps }) => Self::Ready {
                next: 0,
                steps: *steps,
            },
            (Self::Ready { .. } | Self::Acting { .. } | Self::Stopped { .. }, Record::Resumed)
            | (Self::Closed { stopped: Some(_) }, Record::Resumed) => self.clone(),
            (Self::Ready { next, steps }, Record::Intent { step, .. })
                if step == next && step < steps =>
            {
                Self::Acting {
                    step: *step,
                    steps: *steps,
                }
            }
            (
                Self::Acting { step: open, steps }
                | Self::Stopped { step: open, steps }
                | Self::Closed {
                    stopped: Some((open, steps)),
                },
                Record::Intent { step, .. },
            ) if step == open => Self::Acting {
                step: *step,
                steps: *steps,
            },
            (Self::Acting { step: open, steps }, Record::MadeGood { step }) if step == open => {
                Self::Ready {
                    next: *step,
                    steps: *steps,
                }
            }
            // A check has no side effect and needs no intent.
            (
                Self::Ready { next: open, steps }
                | Self::Acting { step: open, steps }
                | Self::Stopped { step: open, steps }
                | Self::Closed {
                    stopped: Some((open, steps)),
                },
                Record::Done { step, .. }
                | Record::Failed {
                    step, go_on: true, ..
                },
            ) if step == open && step < steps => Self::Ready {
                next: step + 1,
                steps: *steps,
            },
            (
                Self::Ready { next: open, steps }
                | Self::Acting { step: open, steps }
                | Self::Stopped { step: open, steps }
                | Self::Closed {
                    stopped: Some((open, steps)),
                },
                Record::Failed {
                    step, go_on: false, ..
                },
            ) if step == open && step < steps => Self::Stopped {
                step: *step,
                steps: *steps,
            },
            (Self::Ready { next, steps }, Record::Closed { .. }) if next == steps => {
                Self::Closed { stopped: None }
            }
            (
                Self::Stopped { step, steps },
                Record::Closed {
                    outcome: Outcome::Escalated { .. },
                },
            ) => Self::Closed {
                stopped: Some((*step, *steps)),
            },
            _ => return Err(illegal()),
        };
        Ok(next)
    }

    /// The step to do next, if there is one.
    #[must_use]
    pub fn next_step(&self) -> Option<usize> {
        match self {
            Self::Ready { next, steps } => (next < steps).then_some(*next),
            Self::Acting { step, .. } | Self::Stopped { step, .. } => Some(*step),
            Self::Closed { stopped } => stopped.map(|(step, _)| step),
            Self::Empty => None,
        }
    }

    /// Whether a rollback is under way.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(
            self,
            Self::Ready { .. } | Self::Acting { .. } | Self::Stopped { .. }
        )
    }
}

impl Record {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Planned { steps } => format!("planned {steps} steps"),
            Self::Intent { step, remedy: None } => format!("intent {step}"),
            Self::Intent {
                step,
                remedy: Some(remedy),
            } => format!("intent {step} by {remedy}"),
            Self::MadeGood { step } => format!("made good {step}"),
            Self::Resumed => "resumed".to_owned(),
            Self::Done { step, .. } => format!("done {step}"),
            Self::Failed { step, .. } => format!("failed {step}"),
            Self::Closed { .. } => "closed".to_owned(),
        }
    }
}
