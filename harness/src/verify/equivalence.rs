//! Which of the candidate's drills need not be performed: those in which an executor that follows it would do, request
//! for request, what the baseline's did.
//!
//! Before a deployment an executor knows of its runbook the [`Terms`](executor::runbook::Terms), the steps of `prepare`
//! and what they must keep their hands off; from the trigger on, the terms and the plan. The plan follows from the
//! runbook and what was observed, and from nothing else ([`plan`]). A drill tells what its executor observed, so both
//! plans can be made from that and compared. Where they are the same but for what people read, so are the two drills:
//! the simulated world is deterministic.
//!
//! Budgets are compared with the clock only. If no step came near its budget under either runbook, each such comparison
//! comes out alike, whatever the budget. That is taken for granted only where nothing had to be tried again, since what
//! refusals cost is weighed against what later budgets leave over.
//!
//! Nobody has to believe this: of these drills, one in [`SAMPLE`] is performed all the same (see
//! [`Runs`](super::Runs)).

use std::time::Duration;

use executor::planner::{Plan, PlannedStep, plan};
use executor::runbook::Runbook;

use super::canonical::RunbookSide;
use crate::drill::DrillResult;
use crate::drill::timeline::Told;
use crate::evidence::ms;
use crate::scenario::Scenario;
use crate::verdict::Verdict;

/// Of this many drills that need not be performed, one is.
pub(super) const SAMPLE: u64 = 16;

/// A step that ended so much before its budget did was not hurried by it.
/// The shortest pause before another try is a fifth of that.
const AHEAD: Duration = Duration::from_millis(500);

/// Two runbooks that differ at most from the plan on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Equivalence<'a> {
    baseline: &'a Runbook,
    candidate: &'a Runbook,
}

impl<'a> Equivalence<'a> {
    /// `None`: they differ before there is a plan already, or a program makes plans that nobody knows.
    pub(super) fn of(baseline: &'a RunbookSide, candidate: &'a RunbookSide) -> Option<Self> {
        let (old, new) = (&*baseline.canonical, &*candidate.canonical);
        if baseline.executor.is_some() || candidate.executor.is_some() {
            return None;
        }
        let same = old.terms() == new.terms()
            && old.preparation().eq(new.preparation())
            && old.values_set() == new.values_set()
            && old.snapshot_restored() == new.snapshot_restored();
        same.then_some(Self {
            baseline: old,
            candidate: new,
        })
    }

    /// Whether the candidate's drill would be as the baseline's was. Only a pass is believed:
    /// what fails is worth a drill.
    pub(super) fn holds_in(&self, scenario: &Scenario, drill: &DrillResult) -> bool {
        if drill.verdicts.overall != Verdict::Pass {
            return false;
        }
        drill.observed.iter().all(|observed| {
            match (
                plan(self.baseline, observed),
                plan(self.candidate, observed),
            ) {
                (Ok(old), Ok(new)) => {
                    acts(&old) == acts(&new)
                        && (budgets(&old).eq(budgets(&new))
                            || unhurried(scenario, drill, &old, &new))
                }
                (Err(old), Err(new)) => old == new,
                _ => false,
            }
        })
    }
}

/// The plan without budgets and without what only people read.
fn acts(plan: &Plan) -> Plan {
    let mut same = plan.clone();
    same.runbook.clear();
    same.digest.clear();
    same.skipped.clear();
    for step in same.steps.iter_mut().chain(&mut same.stand_by) {
        for words in [&mut step.title, &mut step.text, &mut step.why] {
            words.clear();
        }
        step.budget = Duration::ZERO;
    }
    same
}

fn budgets(plan: &Plan) -> impl Iterator<Item = Duration> {
    let all = plan.steps.iter().chain(&plan.stand_by);
    all.map(|step| step.budget)
}

/// Whether no step of the drill came near its budget under either plan, and nothing had to be tried again.
fn unhurried(scenario: &Scenario, drill: &DrillResult, old: &Plan, new: &Plan) -> bool {
    let smooth = scenario.faults.is_empty()
        && scenario.crash.is_none()
        && !drill.steps.is_empty()
        && drill
            .timeline
            .iter()
            .all(|entry| entry.told != Told::Retried);
    smooth
        && drill.steps.iter().all(|said| {
            let is = |step: &&PlannedStep| step.name == said.name && step.service == said.service;
            let budget = |plan: &Plan| plan.steps.iter().find(is).map(|step| ms(step.budget));
            let took = said
                .finished_ms
                .map(|end| end.saturating_sub(said.started_ms));
            match (budget(old), budget(new), took) {
                (Some(old), Some(new), Some(took)) if old == new => {
                    said.outcome.is_ok() && took < old
                }
                (Some(old), Some(new), Some(took)) => {
                    said.outcome.is_ok() && took + ms(AHEAD) <= old.min(new)
                }
                _ => false,
            }
        })
}
