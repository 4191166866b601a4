//! What the phases hand back.

use std::time::Duration;

pub use contract::rollback::{
    Outcome, Standing, StepOutcome, StepReport, TriggerEvent, WatchOutcome,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::planner::{LedgerPath, Plan};

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
    /// What stands of the fence and of the halt, where it ended without recovery and there was a plan.
    #[serde(default)]
    pub standing: Option<Standing>,
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
    /// How the ledger was dealt with: as planned, unless the undo failed and the snapshot was restored instead.
    /// `None` if nothing was planned.
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
