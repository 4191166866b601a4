//! From (runbook, observed state) to a plan. Pure: no I/O, no clock.
//!
//! ```text
//! Observed ──decide──▶ LedgerDecision ──┐
//!    └──────targets──▶ ServicePlan ─────┴─steps──▶ Plan
//! ```

mod decide;
mod loss;
mod observed;
mod plan;
mod plan_error;
mod reason;
mod reconciler;
mod steps;
mod targets;
#[cfg(test)]
mod tests;
mod work;

pub use decide::{LedgerDecision, LedgerPath, decide, header};
pub use loss::{Loss, LossKind};
pub use observed::{Observed, RevisionState, ServiceState, template_digest};
pub use plan::{Plan, PlannedStep, ServicePlan, SkippedStep, Target};
pub use plan_error::PlanError;
pub use reason::{LedgerReason, Refusal, StepReason};
pub use reconciler::{COMES_AGAIN, Reconciler};
pub use steps::plan;
pub(crate) use steps::{kinds_undone, known_placeholder};
pub use work::depends_on_size;
