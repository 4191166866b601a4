//! Did the executor end as it should, by the way that it should take?

use super::recovery::recovered_ms;
use super::{builds, maintenance};
use crate::evidence::{Evidence, ExecutorOutcome, Reading, ms};
use crate::oracles::finding::{BuildsFinding, Ended, MaintenanceFinding, OutcomeFinding};
use crate::scenario::fault::Hosts;
use crate::scenario::{Expected, Path};

/// The executor's outcome and path are the expected ones.
pub(super) fn check(evidence: &Evidence) -> OutcomeFinding {
    let steps = &evidence.executor.steps;
    let last = steps.last().filter(|step| !step.outcome.is_ok());
    OutcomeFinding {
        steps: steps.len() as u64,
        at_step: last.map(|step| step.name.clone()),
        end: end(evidence),
    }
}

fn end(evidence: &Evidence) -> Ended {
    let (expected, path) = (evidence.expect.path, evidence.executor.path);
    let escalated = evidence.expect.outcome == Expected::Escalated;
    let by_the_dead = |otherwise: Ended| {
        if expected != Path::None && died_and_recovered(evidence) {
            left_by_the_dead(evidence, otherwise)
        } else {
            otherwise
        }
    };
    match &evidence.executor.outcome {
        ExecutorOutcome::Refused(why) if evidence.deployed_ms.is_none() => {
            Ended::NotPrepared { why: why.clone() }
        }
        ExecutorOutcome::Refused(why) => by_the_dead(Ended::Refused { why: why.clone() }),
        ExecutorOutcome::Panicked(why) => Ended::Panicked { why: why.clone() },
        ExecutorOutcome::Failed(why) => Ended::Failed { why: why.clone() },
        ExecutorOutcome::StillRunning => Ended::StillRunning,
        ExecutorOutcome::CutShort(why) => Ended::CutShort { why: why.clone() },
        ExecutorOutcome::Escalated(why) if escalated => called(evidence, why.clone()),
        ExecutorOutcome::Escalated(why) => Ended::Paged { why: why.clone() },
        ExecutorOutcome::Recovered if escalated => Ended::ClaimedInsteadOfPaging,
        ExecutorOutcome::Recovered if expected == path => Ended::Took { path },
        ExecutorOutcome::Recovered => Ended::TookOther { path, expected },
        ExecutorOutcome::NothingToDo(_) if expected == Path::None => Ended::NothingAsExpected,
        ExecutorOutcome::NothingToDo(why) => by_the_dead(Ended::DidNothing { why: why.clone() }),
    }
}

/// Whether a host died and the clients are well.
fn died_and_recovered(evidence: &Evidence) -> bool {
    let killed = evidence
        .faults
        .iter()
        .any(|fault| fault.kind.spec().hosts == Hosts::Killed && fault.hits > 0);
    (killed || evidence.crash_ms.flatten().is_some()) && recovered_ms(evidence).is_some()
}

/// Whether a host that died had recovered everything before: the clients are well, every pod runs the right build and
/// trading is open.
fn left_by_the_dead(evidence: &Evidence, otherwise: Ended) -> Ended {
    let mut read = [Reading::Pods, Reading::Maintenance].into_iter();
    if let Some(what) = read.find(|what| evidence.unread.contains_key(what)) {
        return Ended::NotRead { what };
    }
    let right = matches!(builds::check(evidence), BuildsFinding::Right { .. });
    let open = || maintenance::check(evidence) == MaintenanceFinding::Open;
    if right && (!evidence.application.is_the_exchange() || open()) {
        Ended::RecoveredBefore
    } else {
        otherwise
    }
}

/// A person must be called while the objective can still be met, or is just being missed, and not long after.
fn called(evidence: &Evidence, why: String) -> Ended {
    // Where nothing fired, from the deployment on.
    let (Some(from), Some(at)) = (evidence.anchor_ms(), evidence.executor.ended_ms) else {
        return Ended::PagedAtSomeTime;
    };
    let after_ms = at.saturating_sub(from);
    let limit_ms = ms(evidence.expect.rto_max);
    if after_ms <= limit_ms {
        Ended::PagedInTime {
            why,
            after_ms,
            limit_ms,
        }
    } else {
        Ended::PagedLate {
            why,
            after_ms,
            limit_ms,
        }
    }
}
