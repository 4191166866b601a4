//! What of a searched drill is a failure. Safety counts in every drill. Recovery counts where it was possible by
//! construction, and where everything that affected the exchange was over while there was time for it.

use executor::StepOutcome;

use super::draw::Half;
use super::heal::{Due, due};
use crate::drill::DrillResult;
use crate::drill::timeline::Told;
use crate::evidence::Ms;
use crate::finding::{Bearing, Ended, Finding, InjectionFinding, TriggerFinding};
use crate::scenario::fault::Strikes;
use crate::scenario::{Path, Scenario};
use crate::verdict::Verdict;
use crate::worlds::DrillPlan;

/// What came of a drill.
#[derive(Clone, Debug, PartialEq)]
pub enum Judged {
    /// As it must be.
    Sound,
    /// It shows nothing, because of this.
    Silent(Finding),
    /// It failed by this, of all that failed the worst.
    Failed(Finding),
}

/// Judges a drill of `drilled`.
#[must_use]
pub fn judge(half: Half, drilled: &DrillPlan, result: &DrillResult) -> Judged {
    let scenario = &drilled.scenario;
    let problems = result.problems();
    // Where the release or the world itself did not do what the drill is about, nothing counts but harm.
    let void = problems
        .iter()
        .any(|finding| finding.bearing() == Bearing::Void);
    let due = due(drilled, result);
    let failed = problems.iter().copied().filter(|finding| {
        finding.verdict() == Verdict::Fail
            && (!void || finding.is_harm())
            && match half {
                Half::Survivable => counts(drilled, result, due, finding),
                Half::Hostile => {
                    is_unsafe(scenario, result, finding) || is_overdue(due, result, finding)
                }
            }
    });
    if let Some(worst) = failed.into_iter().next() {
        return Judged::Failed(worst.clone());
    }
    // One fault that hit nothing takes nothing from what the others showed.
    let hit = result
        .faults_seen
        .iter()
        .flatten()
        .any(|&(_, hits)| hits > 0);
    let nothing_hit = !hit && (scenario.crash.is_none() || crash_never_came(result));
    let silent = problems.iter().copied().find(|finding| {
        finding.bearing() == Bearing::Void
            || nothing_hit
                && matches!(
                    finding,
                    Finding::FaultFired(
                        InjectionFinding::CrashNeverCame | InjectionFinding::FaultNeverFired { .. }
                    )
                )
    });
    silent.map_or(Judged::Sound, |finding| Judged::Silent(finding.clone()))
}

fn crash_never_came(result: &DrillResult) -> bool {
    let mut findings = result.findings.iter();
    findings.any(|it| matches!(it, Finding::FaultFired(InjectionFinding::CrashNeverCame)))
}

/// Whether a failure of a drill counts that has to recover.
fn counts(drilled: &DrillPlan, result: &DrillResult, due: Option<Due>, finding: &Finding) -> bool {
    let scenario = &drilled.scenario;
    match finding {
        // The window of the proof began anew when there was too little time left for as many requests as it takes.
        Finding::Outcome(outcome)
            if matches!(outcome.end, Ended::Paged { .. }) && lacks_requests(drilled, result) =>
        {
            due.is_none_or(|due| due.recovers)
        }
        // Where an undo does not get through in its time, the snapshot is restored: a way back as well.
        Finding::Outcome(outcome) => !matches!(
            outcome.end,
            Ended::TookOther {
                path: Path::Restore,
                expected: Path::Undo
            }
        ),
        // Under some loads a release does harm of two kinds, and either may be noticed first. What is done about it is
        // judged all the same.
        Finding::Trigger(TriggerFinding::Other { .. }) => false,
        // What pods that are killed or held up do to the clients may set off another trigger first.
        Finding::Trigger(_) => !scenario
            .faults
            .iter()
            .any(|it| it.kind.spec().strikes.servers()),
        _ => true,
    }
}

/// Whether the executor gave up for want of requests: the step that did not come to a good end last needs some, and had
/// too little to decide on.
fn lacks_requests(drilled: &DrillPlan, result: &DrillResult) -> bool {
    let needs = |name: &str| {
        let mut steps = drilled.runbook.runbook.steps.iter();
        steps.any(|step| step.name == name && step.min_requests.is_some())
    };
    let last = result.steps.iter().rfind(|step| !step.outcome.is_ok());
    last.is_some_and(|step| step.outcome == StepOutcome::Inconclusive && needs(&step.name))
}

/// Whether it is a failure whatever happened.
fn is_unsafe(scenario: &Scenario, result: &DrillResult, finding: &Finding) -> bool {
    match finding {
        // A late claim is not false.
        Finding::Claim(_) => finding.is_harm(),
        // What happened to a sound ledger after the claim is not the executor's doing, and nobody but whoever broke it
        // is to blame for one that is not claimed to be sound.
        Finding::Invariants(_) | Finding::Ledger(_) => {
            finding.is_harm() && !is_somebody_elses_doing(scenario, result)
        }
        Finding::Outcome(outcome) => match outcome.end {
            Ended::Panicked { .. } => true,
            // Once there is a plan, a run ends in recovered or escalated, on this host or on the one that it gave way
            // to.
            Ended::Failed { .. } | Ended::Refused { .. } => {
                result.timeline.iter().any(|it| it.told == Told::Planned)
            }
            _ => false,
        },
        _ => finding.is_harm(),
    }
}

/// Whether it is a failure by the clock: a run that should have been over, or one that did not recover although
/// everything was over while there was time for that.
fn is_overdue(due: Option<Due>, result: &DrillResult, finding: &Finding) -> bool {
    let series = result.time_series.as_ref();
    let late = |end: Option<Ms>| end.zip(due).is_some_and(|(end, due)| end >= due.over_ms);
    let recovers = due.is_some_and(|due| due.recovers);
    match finding {
        Finding::Outcome(outcome) => match outcome.end {
            // Who has not even planned has nothing that takes so long.
            Ended::StillRunning => due.is_none() || late(series.map(|series| series.end_ms)),
            Ended::Paged { .. } => recovers || late(series.and_then(|series| series.gave_up_ms)),
            _ => false,
        },
        Finding::Rto(_) => recovers,
        _ => false,
    }
}

/// Whether a fault that can break the ledger hit, and none of those that hit began before the instant from which on
/// recovery is claimed: a claim says nothing of what came later.
fn is_somebody_elses_doing(scenario: &Scenario, result: &DrillResult) -> bool {
    let seen = scenario.faults.iter().zip(&result.faults_seen);
    let mut breaking = seen
        .filter(|(fault, _)| fault.kind.spec().strikes.can_break_the_ledger())
        .filter_map(|(fault, seen)| seen.map(|(began, hits)| (fault.kind, began, hits)))
        .filter(|&(_, _, hits)| hits > 0)
        .peekable();
    let trigger = result
        .time_series
        .as_ref()
        .and_then(|series| series.trigger_ms);
    let claimed = trigger.zip(result.rto_claimed_ms);
    match claimed.map(|(trigger, rto)| trigger.saturating_add(rto)) {
        // Books that somebody broke after the claim are broken whatever struck the pods before.
        Some(claimed) => match books_broken(scenario, result) {
            Some(began) => began >= claimed,
            None => breaking.peek().is_some() && breaking.all(|(_, began, _)| began >= claimed),
        },
        None => breaking.any(|(kind, _, _)| kind.spec().strikes == Strikes::Books),
    }
}

/// When the first fault that broke the books began.
fn books_broken(scenario: &Scenario, result: &DrillResult) -> Option<Ms> {
    let seen = scenario.faults.iter().zip(&result.faults_seen);
    let breaking = seen.filter(|(fault, _)| fault.kind.spec().strikes == Strikes::Books);
    let hit = breaking.filter_map(|(_, seen)| seen.filter(|&(_, hits)| hits > 0));
    hit.map(|(began, _)| began).min()
}
