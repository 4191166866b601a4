//! When what affected a drill was over: whether a fault of a kind leaves nothing behind once it has ended, when the
//! last one had, and by when the run must have ended.

use std::time::Duration;

use executor::Options;
use executor::planner::plan;

use super::bound::Way;
use crate::drill::DrillResult;
use crate::drill::timeline::Told;
use crate::evidence::{Ms, ms};
use crate::scenario::fault::{Family, FaultSpec, HeldUp, Hosts, Need};
use crate::scenario::{Fault, Scenario};
use crate::worlds::DrillPlan;

/// Whether a fault of this kind ends, and nothing of it is left then that a sound executor could not deal with.
pub(super) fn heals(spec: &FaultSpec) -> bool {
    let ends = spec.lasts != Need::No || spec.draws.survivable;
    ends && spec.draws.family != Family::People && !spec.leaves
}

/// How long the hosts of `scenario` may be away or stand still, under an objective of `rto`: each host that resumes
/// waits for the lease of the one before it, and tries for as long as the objective to get it.
pub(super) fn away(scenario: &Scenario, rto: Duration) -> Duration {
    let lease = Options::default().lease_duration;
    let faults = scenario.faults.iter();
    let of_faults = faults
        .filter(|fault| fault.kind.spec().holds_up == Some(HeldUp::Executor))
        .map(|fault| fault.lasts.unwrap_or_default() + fault.delay.unwrap_or_default());
    let of_crash = scenario.crash.map(|crash| crash.resume_after);
    of_faults.chain(of_crash).map(|it| it + lease + rto).sum()
}

/// The rollback that a drill of `drilled` came to, as its executor planned it; `None`: it planned none.
pub(super) fn way(drilled: &DrillPlan, result: &DrillResult) -> Option<Way> {
    let runbook = &drilled.runbook.runbook;
    let planned = plan(runbook, result.observed.first()?).ok()?;
    Some(Way::of(&planned, runbook.rto))
}

/// When all that had begun before `until_ms` was over, and the executor at work again; `None`: something goes on, or
/// has left something behind.
pub(super) fn healed_ms(
    scenario: &Scenario,
    result: &DrillResult,
    way: &Way,
    until_ms: Ms,
) -> Option<Ms> {
    let seen = scenario.faults.iter().zip(&result.faults_seen);
    let begun = seen.filter_map(|(fault, seen)| Some((fault, (*seen)?.0)));
    let mut healed = 0;
    for (fault, began) in begun.filter(|(_, began)| *began < until_ms) {
        healed = healed.max(over_ms(fault, began, way)?);
    }
    let killed = scenario.faults.iter();
    let killed = killed.filter(|fault| fault.kind.spec().hosts == Hosts::Killed);
    let resumes = killed.filter_map(|fault| fault.delay);
    let resumes = resumes.chain(scenario.crash.map(|crash| crash.resume_after));
    let resumes = resumes.max().unwrap_or_default() + Options::default().lease_duration;
    let deaths = result.timeline.iter();
    let deaths = deaths.filter(|it| it.told == Told::Killed);
    let back = deaths.map(|death| death.at_ms + ms(resumes)).max();
    Some(healed.max(back.unwrap_or(0)))
}

/// When a fault that began at `began` is over with all that comes of it.
fn over_ms(fault: &Fault, began: Ms, way: &Way) -> Option<Ms> {
    let spec = fault.kind.spec();
    if !heals(spec) || spec.lasts != Need::No && fault.lasts.is_none() {
        return None;
    }
    let delay = fault.delay.unwrap_or_default();
    let takes = match fault.lasts {
        // Whoever tries again after pauses that double (kubelet, controllers,
        // clients) does so within as much time again.
        Some(lasts) => lasts * 2 + delay,
        // What was struck at one instant is replaced within the longest budget that a step has for that.
        None => way.longest() + delay,
    };
    let lease = match spec.holds_up {
        Some(HeldUp::Executor) => Options::default().lease_duration,
        Some(HeldUp::Observability) | None => Duration::ZERO,
    };
    Some(began + ms(takes + lease))
}

/// What must come of a rollback, by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// Whether everything that affected it was over while it was at work, with as much time left as a recovery takes.
    pub(super) recovers: bool,
    /// When it must have ended, whatever affected it.
    pub(super) over_ms: Ms,
}

/// What must come of the rollback in a drill of `drilled`; `None`: there was none,
/// or another one than the scenario is about.
pub(super) fn due(drilled: &DrillPlan, result: &DrillResult) -> Option<Due> {
    let scenario = &drilled.scenario;
    let series = result.time_series.as_ref()?;
    let trigger = series.trigger_ms?;
    let way = way(drilled, result)?;
    let next_at = |at: Ms| {
        let done = result.steps.iter();
        let done = done.filter(|step| step.outcome.is_ok());
        let done = done.filter(|step| step.finished_ms.is_some_and(|ended| ended <= at));
        way.next(done.map(|step| (step.name.as_str(), step.service.as_deref())))
    };
    let late = trigger + ms(way.rto() + away(scenario, way.rto()));
    let over = way.over_within(next_at(late), &scenario.load);
    let until = series.gave_up_ms.unwrap_or(Ms::MAX);
    let healed = healed_ms(scenario, result, &way, until).map(|at| at.max(trigger));
    let recovers = healed.is_some_and(|healed| {
        let since = Duration::from_millis(healed - trigger);
        healed < until
            && series.trigger == scenario.expect.trigger
            && way.recovers_in_time(next_at(healed), since, &scenario.load)
    });
    Some(Due {
        recovers,
        over_ms: late.saturating_add(ms(over)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::fault::FAULTS;
    use crate::scenario::{Anchor, FaultKind, built_in};

    fn fault(kind: FaultKind, lasts: Option<u64>, delay: Option<u64>) -> Fault {
        Fault {
            kind,
            when: Anchor::Trigger,
            at: Duration::ZERO,
            jitter: Duration::ZERO,
            lasts: lasts.map(Duration::from_secs),
            target: None,
            delay: delay.map(Duration::from_secs),
            chance: None,
            by: None,
        }
    }

    fn a_way() -> (DrillPlan, Way) {
        let runbook = crate::runbooks::LoadedRunbook::built_in().expect("valid");
        let scenario = built_in("latency-regression", &[]);
        let scenario = scenario.expect("there").expect("right");
        let planned = crate::verify::planned(&scenario, &runbook.runbook);
        let planned = planned.expect("a trigger fires").expect("there is a plan");
        let way = Way::of(&planned, runbook.runbook.rto);
        let plan = DrillPlan {
            world: crate::worlds::WorldKind::Sim,
            scenario: std::sync::Arc::new(scenario),
            runbook,
            seed: 0,
            until: crate::worlds::Until::Held,
            executor: None,
        };
        (plan, way)
    }

    #[test]
    fn what_a_sound_executor_recovers_from_heals_unless_people_did_it() {
        for spec in FAULTS.iter().filter(|spec| spec.draws.survivable) {
            assert_eq!(
                heals(spec),
                spec.draws.family != Family::People,
                "{}",
                spec.name
            );
        }
        assert!(!heals(FaultKind::BooksBroken.spec()), "it never ends");
        assert!(!heals(FaultKind::LogsMissing.spec()));
        assert!(heals(FaultKind::ImageGone.spec()));
    }

    #[test]
    fn a_fault_is_over_once_whoever_met_it_has_tried_again() {
        let (_, way) = a_way();
        let quota = fault(FaultKind::Quota, Some(20), None);
        assert_eq!(over_ms(&quota, 1_000, &way), Some(41_000));
        let for_ever = fault(FaultKind::Quota, None, None);
        assert_eq!(over_ms(&for_ever, 1_000, &way), None);
        let killed = fault(FaultKind::PodsKilled, None, None);
        assert_eq!(
            over_ms(&killed, 1_000, &way),
            Some(1_000 + ms(way.longest()))
        );
        let paused = fault(FaultKind::ExecutorPaused, Some(5), Some(3));
        assert_eq!(over_ms(&paused, 0, &way), Some(13_000 + 20_000));
    }

    #[test]
    fn hosts_that_are_away_are_waited_for() {
        let (plan, _) = a_way();
        let mut scenario = Scenario::clone(&plan.scenario);
        let rto = Duration::from_secs(300);
        assert_eq!(away(&scenario, rto), Duration::ZERO);
        scenario
            .faults
            .push(fault(FaultKind::ExecutorKilled, None, Some(7)));
        assert_eq!(away(&scenario, rto), Duration::from_secs(7 + 20 + 300));
        scenario
            .faults
            .push(fault(FaultKind::Quota, Some(60), None));
        assert_eq!(away(&scenario, rto), Duration::from_secs(7 + 20 + 300));
    }

    /// An escalation with time left is told from one without.
    #[test]
    fn who_gave_up_with_time_left_had_to_recover() {
        let (plan, _) = a_way();
        let mut result = crate::drill::run(&plan).expect("the world builds");
        let healthy = due(&plan, &result).expect("it was rolled back");
        assert!(healthy.recovers);
        let series = result.time_series.as_mut().expect("it has one");
        let trigger = series.trigger_ms.expect("it fired");
        assert!(healthy.over_ms > trigger + 300_000);
        series.gave_up_ms = Some(trigger + 60_000);
        assert!(due(&plan, &result).expect("as before").recovers);
        let with = |lasts, began: Ms| {
            let mut scenario = Scenario::clone(&plan.scenario);
            scenario.faults = vec![fault(FaultKind::Quota, lasts, None)];
            let plan = DrillPlan {
                scenario: std::sync::Arc::new(scenario),
                ..plan.clone()
            };
            let mut result = result.clone();
            result.faults_seen = vec![Some((began, 1))];
            due(&plan, &result).expect("as before").recovers
        };
        assert!(with(Some(5), trigger), "healed long before it gave up");
        assert!(!with(Some(40), trigger), "it gave up before that");
        assert!(!with(None, trigger), "it never healed");
        assert!(with(None, trigger + 61_000), "it came afterwards");
    }
}
