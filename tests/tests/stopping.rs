//! A rollback that is asked to stop does so where it is safe: whoever resumes ends as if nothing had happened, at once.
//! And one that may lose more than was allowed changes nothing.

use std::sync::{Arc, Mutex};

use e2e::drills::{beside, now, plan, plan_by, trigger, without_step};
use executor::planner::LossKind;
use executor::runbook::TriggerClass;
use executor::{Error, Event, Executor, Observer, Options, Outcome, Report};
use firedrill::runbooks::BUILT_IN;
use firedrill::worlds::DrillPlan;
use jiff::Timestamp;
use sim::time::Micros;
use tokio_util::sync::CancellationToken;

/// Asks for a stop when step `at` (from 0) begins, and writes down the steps that began and ended.
struct Stopper {
    at: usize,
    stop: CancellationToken,
    seen: Mutex<(Vec<String>, Vec<String>)>,
}

impl Observer for Stopper {
    fn event(&self, _: Timestamp, event: &Event) {
        let mut seen = self.seen.lock().expect("not poisoned");
        match event {
            Event::StepStarted { name, .. } => {
                if seen.0.len() == self.at {
                    self.stop.cancel();
                }
                seen.0.push(name.clone());
            }
            Event::StepFinished { name, .. } => seen.1.push(name.clone()),
            _ => {}
        }
    }
}

struct Stopped {
    first: Report,
    began: Vec<String>,
    ended: Vec<String>,
    second: Report,
    /// From the stop to the moment at which another host had the lease.
    gap: Micros,
}

#[derive(Default)]
struct Lease(Mutex<Option<Timestamp>>);

impl Observer for Lease {
    fn event(&self, at: Timestamp, event: &Event) {
        if let Event::LeaseAcquired { .. } = event {
            *self.0.lock().expect("not poisoned") = Some(at);
        }
    }
}

fn stop_and_resume(scenario: &str, class: TriggerClass, at: usize) -> Stopped {
    let plan = plan(scenario, 4);
    let runbook = Arc::clone(&plan.runbook.runbook);
    beside(&plan, move |world, ports| {
        let runbook = Arc::clone(&runbook);
        async move {
            let stop = CancellationToken::new();
            let watcher = Arc::new(Stopper {
                at,
                stop: stop.clone(),
                seen: Mutex::default(),
            });
            let options = Options {
                stop,
                ..Options::new("first").with_observer(watcher.clone())
            };
            let executor = Executor::new(ports.clone(), Arc::clone(&runbook), options);
            let first = executor.run(trigger(&world, class)).await.expect("it runs");
            let stopped_at = now(&world);
            let lease = Arc::new(Lease::default());
            let options = Options::new("second").with_observer(lease.clone());
            let second = Executor::new(ports, runbook, options)
                .resume()
                .await
                .expect("it resumes");
            let taken = lease.0.lock().expect("not poisoned").expect("taken");
            let gap = taken.duration_since(stopped_at).as_micros();
            let (began, ended) = watcher.seen.lock().expect("not poisoned").clone();
            Stopped {
                first,
                began,
                ended,
                second,
                gap: Micros(u64::try_from(gap).expect("in order")),
            }
        }
    })
}

/// Stops at every `stride`th step from `from` on, until a stop comes too late to be seen.
fn sweep(scenario: &str, class: TriggerClass, from: usize, stride: usize) {
    let changes = |name: &str| {
        let whole: &[&str] = &[
            "halt-trading",
            "fence-ledger",
            "undo-schema",
            "restore-ledger",
            "replay-orders",
            "restore-config",
            "undo-app",
            "unfence-ledger",
            "open-trading",
        ];
        whole.contains(&name)
    };
    let mut stops = 0;
    for at in (from..).step_by(stride) {
        let it = stop_and_resume(scenario, class, at);
        assert_eq!(it.second.outcome, Outcome::Recovered, "{scenario} {at}");
        let Outcome::Stopped { reason } = &it.first.outcome else {
            assert_eq!(it.first.outcome, Outcome::Recovered);
            break;
        };
        stops += 1;
        assert_eq!(it.began.len(), at + 1, "no step begins after the stop");
        let last = &it.began[at];
        // Steps that were not needed never begin.
        let unneeded = it.first.steps.iter();
        let unneeded = unneeded.filter(|step| step.detail.starts_with("not needed"));
        let unneeded = unneeded.count();
        if ["post-mortem", "scenario"].contains(&last.as_str()) {
            // Written or left, as it comes: neither waits for anything.
            assert_eq!(it.first.steps.len(), it.ended.len() + unneeded);
        } else if changes(last) {
            // Seen through, and journaled: what resumes does not do it again.
            assert_eq!(it.ended.len(), at + 1, "{last} is seen through");
            assert_eq!(it.first.steps.len(), at + 1 + unneeded);
        } else {
            assert_eq!(it.ended.len(), at, "{last} is left");
            assert_eq!(it.first.steps.len(), at + unneeded);
        }
        let done = it.first.steps.len();
        assert!(
            reason.starts_with(&format!("stopped after {done} of ")),
            "{reason}"
        );
        assert_eq!(
            it.second.steps[..done],
            it.first.steps[..],
            "what was done is not done again"
        );
        let begun = &it.began[..done - unneeded];
        let halted = begun.iter().any(|name| name == "fence-ledger")
            && !begun.iter().any(|name| name == "unfence-ledger");
        assert_eq!(reason.contains("stays fenced"), halted, "{reason}");
        assert!(
            it.gap < Micros::from_secs(1),
            "the lease was given up: {:?}",
            it.gap
        );
    }
    assert!(stops > 3, "{scenario}: {stops} stops");
}

#[test]
fn an_application_rollback_stops_between_steps_or_in_a_wait() {
    sweep("latency-regression", TriggerClass::Sla, 0, 3);
}

#[test]
fn a_restore_stops_between_steps_or_in_a_wait() {
    sweep("balance-anomaly", TriggerClass::DataIntegrity, 0, 3);
}

#[test]
fn an_undo_stops_between_steps_or_in_a_wait() {
    sweep("breaking-migration", TriggerClass::Sla, 1, 4);
}

#[test]
fn a_stop_before_the_plan_leaves_nothing_behind() {
    let plan = plan("latency-regression", 4);
    let runbook = Arc::clone(&plan.runbook.runbook);
    let (first, second) = beside(&plan, move |world, ports| {
        let runbook = Arc::clone(&runbook);
        async move {
            let stop = CancellationToken::new();
            stop.cancel();
            let options = Options {
                stop,
                ..Options::new("first")
            };
            let executor = Executor::new(ports.clone(), Arc::clone(&runbook), options);
            let first = executor.run(trigger(&world, TriggerClass::Sla)).await;
            let second = Executor::new(ports, runbook, Options::new("second"))
                .resume()
                .await;
            (first, second)
        }
    });
    assert!(matches!(first, Err(Error::Interrupted)), "{first:?}");
    assert!(matches!(second, Err(Error::NothingToResume)), "{second:?}");
}

/// What `run` comes to if it may lose `allowed`, and what a journal is left to resume.
fn with_limit(
    plan: &DrillPlan,
    class: TriggerClass,
    allowed: LossKind,
) -> (Result<Report, Error>, Option<Error>) {
    let runbook = Arc::clone(&plan.runbook.runbook);
    beside(plan, move |world, ports| {
        let runbook = Arc::clone(&runbook);
        async move {
            let options = Options {
                may_lose: allowed,
                ..Options::new("limited")
            };
            let executor = Executor::new(ports, runbook, options);
            let ran = executor.run(trigger(&world, class)).await;
            let left = match ran {
                Ok(_) => None,
                Err(_) => executor.resume().await.err(),
            };
            (ran, left)
        }
    })
}

#[test]
fn a_restore_is_refused_unless_it_may_lose_what_is_not_in_the_order_log() {
    let plan = plan("balance-anomaly", 4);
    let (ran, left) = with_limit(&plan, TriggerClass::DataIntegrity, LossKind::Nothing);
    let Err(Error::WouldLose { losses }) = ran else {
        panic!("{ran:?}")
    };
    let kinds: Vec<_> = losses.iter().map(|loss| loss.kind).collect();
    assert_eq!(kinds, [LossKind::OutsideTheLog]);
    assert!(matches!(left, Some(Error::NothingToResume)), "{left:?}");
    let (ran, _) = with_limit(&plan, TriggerClass::DataIntegrity, LossKind::OutsideTheLog);
    assert_eq!(ran.expect("allowed").outcome, Outcome::Recovered);
}

#[test]
fn a_restore_without_a_replay_is_refused_unless_it_may_lose_orders() {
    let text = without_step(BUILT_IN, "replay-orders");
    let plan = plan_by("balance-anomaly", 4, &text);
    let (ran, left) = with_limit(&plan, TriggerClass::DataIntegrity, LossKind::OutsideTheLog);
    let Err(Error::WouldLose { losses }) = ran else {
        panic!("{ran:?}")
    };
    let kinds: Vec<_> = losses.iter().map(|loss| loss.kind).collect();
    assert_eq!(kinds, [LossKind::Acknowledged]);
    assert!(matches!(left, Some(Error::NothingToResume)), "{left:?}");
}

#[test]
fn what_loses_nothing_is_never_refused() {
    for (scenario, class) in [
        ("latency-regression", TriggerClass::Sla),
        ("breaking-migration", TriggerClass::Sla),
    ] {
        let (ran, _) = with_limit(&plan(scenario, 4), class, LossKind::Nothing);
        assert_eq!(
            ran.expect("allowed").outcome,
            Outcome::Recovered,
            "{scenario}"
        );
    }
}
