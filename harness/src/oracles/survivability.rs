//! Could any executor have met the objective, as things went? Derived from what the faults did,
//! not from their kinds alone.

use super::recovery::{recovered_before, struck_again_ms};
use crate::evidence::{Evidence, InjectedFault, Ms, ms};
use crate::scenario::Path;

/// The least that a recovery takes once nothing is in its way, about as long as a sound executor's quickest:
/// pods are replaced; the undo scripts run and connections are made anew;
/// the snapshot is restored and the order log replayed.
fn least_recovery_ms(path: Path) -> Ms {
    match path {
        Path::None => 0,
        Path::Application => 6_000,
        Path::Restore => 9_000,
        Path::Undo => 20_000,
    }
}

/// Whether no step that brings the exchange back by `path` could have got through while `fault` lasted.
fn blocks(fault: &InjectedFault, path: Path) -> bool {
    let kind = fault.kind.spec().blocks;
    // What hits one message in two lets the next one through.
    fault.certain && fault.hits > 0 && kind.blocks(fault.target.as_deref(), path)
}

/// Whether there was a way to meet the objective. There was none if something that nothing can be done against lasted,
/// without a break longer than the least that a recovery takes, from the trigger on until it was too late.
pub(super) fn is_survivable(evidence: &Evidence) -> bool {
    let Some(trigger) = evidence.executor.trigger.as_ref().map(|t| t.at_ms) else {
        return true;
    };
    let path = evidence.expect.path;
    let least = least_recovery_ms(path);
    let deadline = trigger + ms(evidence.expect.rto_max);
    let mut blocked: Vec<(Ms, Ms)> = evidence
        .faults
        .iter()
        .filter(|fault| blocks(fault, path))
        .filter_map(InjectedFault::lasted)
        .collect();
    blocked.sort_unstable();
    // The first instant from `from` on after which nothing is in the way for long enough.
    let free_from = |from: Ms| {
        let mut free_from = from;
        for &(began, ended) in &blocked {
            if began.saturating_sub(free_from) >= least {
                break;
            }
            free_from = free_from.max(ended);
        }
        free_from
    };
    let in_time = |from: Ms| free_from(from).saturating_add(least) <= deadline;
    // What was struck must recover again, from then on. That excuses nobody who had the time to recover before and did
    // not: a fault that waits for a step strikes late where the step is late.
    match struck_again_ms(evidence, trigger, Ms::MAX) {
        None => in_time(trigger),
        Some(struck) => {
            let before = struck.saturating_sub(1);
            let was_well = recovered_before(evidence, before).is_some_and(|at| at < struck);
            let since = struck_again_ms(evidence, trigger, before).unwrap_or(trigger);
            let had_time = free_from(since).saturating_add(least) <= struck;
            in_time(struck) || had_time && !was_well
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::TriggerSaid;
    use crate::scenario::{FaultKind, built_in};

    type Lasting = (FaultKind, Option<&'static str>, bool, Ms, Ms);

    /// Whether the objective, which ends at 400 s, could be met by `path`.
    fn under(path: Path, faults: &[Lasting]) -> bool {
        let scenario = built_in("latency-regression", &[])
            .expect("built in")
            .expect("right");
        let mut evidence = Evidence::empty(&scenario);
        evidence.expect.path = path;
        evidence.executor.trigger = Some(TriggerSaid {
            name: "sla-latency-p99".to_owned(),
            at_ms: 100_000,
        });
        evidence.faults = faults
            .iter()
            .map(|&(kind, target, certain, began, ended)| InjectedFault {
                what: "x".to_owned(),
                kind,
                target: target.map(str::to_owned),
                certain,
                delay_ms: 0,
                away_ms: 0,
                began_ms: Some(began),
                ended_ms: Some(ended),
                hits: 1,
            })
            .collect();
        is_survivable(&evidence)
    }

    #[test]
    fn only_what_blocks_until_it_is_too_late_is_unsurvivable() {
        let quota = |began, ended| (FaultKind::Quota, None, true, began, ended);
        let application = |faults: &[Lasting]| under(Path::Application, faults);
        assert!(application(&[]));
        assert!(application(&[quota(101_000, 393_000)]));
        assert!(!application(&[quota(101_000, 395_000)]));
        assert!(application(&[(
            FaultKind::ApiSlow,
            None,
            true,
            101_000,
            396_000
        )]));
        // Time enough in between.
        assert!(application(&[
            quota(101_000, 150_000),
            quota(160_000, 500_000)
        ]));
        assert!(!application(&[
            quota(101_000, 150_000),
            quota(149_000, 500_000)
        ]));
    }

    #[test]
    fn the_least_time_is_that_of_the_path() {
        let faults = [(FaultKind::Quota, None, true, 101_000, 385_000)];
        assert!(under(Path::Application, &faults));
        assert!(under(Path::Restore, &faults));
        assert!(!under(Path::Undo, &faults));
    }

    #[test]
    fn what_no_needed_step_runs_into_blocks_nothing() {
        let away = |target, certain| {
            let fault = (
                FaultKind::Unreachable,
                Some(target),
                certain,
                100_000,
                500_000,
            );
            move |path| under(path, &[fault])
        };
        assert!(
            away("prometheus", true)(Path::Restore),
            "clients need no proof"
        );
        assert!(!away("kubernetes", true)(Path::Application));
        assert!(
            away("kubernetes", false)(Path::Application),
            "one in two gets through"
        );
        assert!(away("database", true)(Path::Application));
        assert!(!away("database", true)(Path::Undo));
        let sessions = [(FaultKind::SessionsReconnect, None, true, 100_000, 500_000)];
        assert!(under(Path::Undo, &sessions) && !under(Path::Restore, &sessions));
    }
}
