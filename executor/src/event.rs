//! What the executor tells those who look on: the command line, a drill's timeline.

use std::sync::Arc;
use std::time::Duration;

pub use contract::rollback::Stage;
use jiff::Timestamp;

use crate::planner::{Observed, Plan};
use crate::report::{Outcome, StepOutcome, TriggerEvent};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A phase began.
    PhaseStarted {
        /// Which.
        stage: Stage,
    },
    /// The lease was taken.
    LeaseAcquired {
        /// Fencing token.
        token: u64,
        /// Who held it before, if anybody did.
        taken_from: Option<String>,
    },
    /// A trigger's condition began to hold; its debounce runs.
    TriggerPending {
        /// Name of the trigger.
        trigger: String,
        /// Value that satisfied the condition.
        value: f64,
    },
    /// A pending trigger's condition stopped holding before the debounce was over.
    TriggerCleared {
        /// Name of the trigger.
        trigger: String,
    },
    /// A trigger fired.
    TriggerFired(TriggerEvent),
    /// A trigger's condition holds, but it held before the deployment too: rollback can't help.
    TriggerPredatesRelease {
        /// Name of the trigger.
        trigger: String,
        /// Its value when the baseline was recorded.
        baseline: f64,
    },
    /// The state on which the plan of a `run` rests: it follows from this and the runbook alone.
    Observed(Arc<Observed>),
    /// The plan is made (and, in `run`, journaled).
    Planned {
        /// One line: path and services.
        summary: String,
    },
    /// This plan is carried out.
    PlanInForce {
        /// The plan.
        plan: Arc<Plan>,
        /// Position of the first step that is not done yet; 0 unless it is resumed.
        next: usize,
    },
    /// A step began.
    StepStarted {
        /// Name in the runbook.
        name: String,
        /// Service, for a step that runs once for each.
        service: Option<String>,
        /// Its budget.
        budget: Duration,
    },
    /// A step waits. Sent when the reason changes.
    StepWaiting {
        /// Name in the runbook.
        name: String,
        /// Service, for a step that runs once for each.
        service: Option<String>,
        /// What it waits for.
        why: String,
    },
    /// A request is repeated.
    Retrying {
        /// What was tried.
        what: String,
        /// Why it is tried again.
        why: String,
    },
    /// A step ended.
    StepFinished {
        /// Name in the runbook.
        name: String,
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
    /// The rollback ended.
    Finished {
        /// How.
        outcome: Outcome,
    },
}

/// Looks on. Called synchronously, in order.
pub trait Observer: Send + Sync {
    /// `event` happened at `at`.
    fn event(&self, at: Timestamp, event: &Event);
}

/// Looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _at: Timestamp, _event: &Event) {}
}

/// An observer that does nothing.
#[must_use]
pub fn silent() -> Arc<dyn Observer> {
    Arc::new(Silent)
}
