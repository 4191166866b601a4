//! What a drill is aimed at: something that no drill has met yet.
//!
//! Most of what can be met is met by chance, sooner or later. What is left takes two things at once: a step that few
//! rollbacks come to, and a fault that is there in its time. So of the drills to which anything may happen, one in two
//! picks a mark that was never met, and is drawn so that it may well meet that.

use executor::StepOutcome;
use executor::runbook::{Phase, Runbook, Step, When};

use crate::drill::struck::CRASH;
use crate::scenario::FaultKind;
use crate::scenario::Scenario;
use crate::scenario::fault::FAULTS;
use crate::search::coverage::Coverage;
use crate::search::marks::{Catalogue, Mark};

/// A step, and what is to happen in its time.
#[derive(Clone, Debug)]
pub(super) struct Aim<'a> {
    /// The step.
    pub(super) step: &'a Step,
    /// What is to happen.
    pub(super) by: By,
}

/// What happens to the step that a drill is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A fault of this kind is there.
    Fault(FaultKind),
    /// The executor dies at one of its requests.
    Crash,
    /// A fault that can keep it from its end is there.
    Outage,
}

impl Aim<'_> {
    /// What somebody must have done before anything is planned, so that the rollback comes to the step.
    pub(super) fn brought_about_by(&self) -> Option<FaultKind> {
        match self.step.when {
            When::DeploymentPaused => Some(FaultKind::DeploymentPaused),
            When::ReplicasReduced => Some(FaultKind::ReplicasScaled),
            _ => None,
        }
    }

    /// Whether a drill of `scenario`, whose rollback comes to `steps`, can meet it.
    pub(super) fn is_met_by(&self, scenario: &Scenario, steps: &[&Step]) -> bool {
        let comes_to_it = steps.iter().any(|it| it.name == self.step.name);
        let named = match &self.by {
            By::Fault(kind) => scenario.faults.iter().all(|it| it.kind != *kind),
            By::Crash | By::Outage => true,
        };
        named
            && (self.brought_about_by().is_some() || self.step.phase == Phase::After || comes_to_it)
    }
}

/// What the drills that `coverage` knows have not met, of what can be aimed at.
pub(super) fn aims<'a>(
    runbook: &'a Runbook,
    catalogue: &Catalogue,
    coverage: &Coverage,
) -> Vec<Aim<'a>> {
    let tally = catalogue.tally(coverage);
    let step = |name: &str| runbook.steps.iter().find(|it| it.name == name);
    let aim = |mark: &Mark| match mark {
        Mark::Meeting {
            kind, step: name, ..
        } if *kind == CRASH => Some(Aim {
            step: step(name)?,
            by: By::Crash,
        }),
        Mark::Meeting {
            kind, step: name, ..
        } => Some(Aim {
            step: step(name)?,
            by: By::Fault(FAULTS.iter().find(|it| it.name == *kind)?.kind),
        }),
        Mark::Outcome {
            step: name,
            outcome,
        } => {
            let by = if *outcome == StepOutcome::AlreadySo.to_string() {
                By::Fault(FaultKind::ExecutorKilled)
            } else {
                By::Outage
            };
            Some(Aim {
                step: step(name)?,
                by,
            })
        }
        Mark::Planned {
            step: name,
            left_out: false,
            ..
        } => Some(Aim {
            step: step(name)?,
            by: By::Crash,
        }),
        _ => None,
    };
    tally.holes().filter_map(aim).collect()
}
