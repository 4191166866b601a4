//! What a server's refusals cost is paid from the reserve, and a lease that runs out is taken again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use e2e::drills::{assert_passes, beside, edited, now, plan, run};
use executor::ports::{HttpClient, Ports};
use executor::{Executor, Options, WatchOutcome};
use firedrill::drill::DrillResult;
use firedrill::scenario::{Anchor, Fault, FaultKind, PartsPerMillion};

fn told(result: &DrillResult, words: &str) -> bool {
    result
        .timeline
        .iter()
        .any(|entry| entry.what.contains(words))
}

fn fault(kind: FaultKind, when: Anchor, lasts_s: Option<u64>) -> Fault {
    Fault {
        kind,
        when,
        at: Duration::ZERO,
        jitter: Duration::ZERO,
        lasts: lasts_s.map(Duration::from_secs),
        target: None,
        delay: None,
        chance: None,
        by: None,
    }
}

#[test]
fn throttled_steps_borrow_and_say_so() {
    let results: Vec<DrillResult> = (0..4)
        .map(|seed| run(&plan("api-throttling", seed)))
        .collect();
    for result in &results {
        assert_passes(result);
    }
    let borrowed = |result: &&DrillResult| {
        let mut steps = result.steps.iter();
        steps.any(|step| step.detail.contains("ms of the reserve used, "))
    };
    assert!(results.iter().any(|r| borrowed(&r)), "none borrowed");
}

#[test]
fn who_resumes_has_the_same_reserve() {
    for seed in 0..3 {
        let killed = edited(plan("api-throttling", seed), |scenario| {
            let mut killed = fault(
                FaultKind::ExecutorKilled,
                Anchor::Step("undo-app".to_owned()),
                None,
            );
            killed.delay = Some(Duration::from_secs(5));
            scenario.faults.push(killed);
        });
        assert_passes(&run(&killed));
    }
}

#[test]
fn a_lease_that_ran_out_is_taken_again() {
    for when in ["rollout-status", "error-rate"] {
        let cut_off = edited(plan("latency-regression", 3), |scenario| {
            let mut cut = fault(
                FaultKind::Unreachable,
                Anchor::Step(when.to_owned()),
                Some(30),
            );
            cut.target = Some("kubernetes".to_owned());
            scenario.faults.push(cut);
        });
        let result = run(&cut_off);
        assert_passes(&result);
        assert!(told(&result, "takes it again"), "{when}");
    }
}

/// A campaign found 18 of 200 in which 20 s of refusals from the first undo on outlasted the reserve of the longest
/// path.
#[test]
fn a_throttling_server_leaves_time_for_the_longest_path() {
    let throttled = |seed| {
        edited(plan("breaking-migration", seed), |scenario| {
            let mut throttling = fault(
                FaultKind::ApiThrottling,
                Anchor::Step("undo-app".to_owned()),
                Some(20),
            );
            throttling.chance = Some(PartsPerMillion(500_000));
            scenario.faults.push(throttling);
        })
    };
    let results: Vec<DrillResult> = [7, 82, 151].map(throttled).iter().map(run).collect();
    for result in &results {
        assert_passes(result);
    }
    assert!(
        results.iter().any(|result| result
            .steps
            .iter()
            .any(|it| it.detail.contains("of the reserve used"))),
        "none borrowed"
    );
}

/// A campaign found a pod whose grace period began late in a second, which its `deletionTimestamp` leaves out.
#[test]
fn pods_that_ignore_the_signal_are_waited_for_until_their_grace_is_over() {
    assert_passes(&run(&plan("terminating-slow", 32)));
}

/// A campaign found one that landed while the last old pods ended: the rollout was complete by counts already,
/// and nobody looked again.
#[test]
fn a_second_release_is_rolled_back_whenever_in_the_rollout_it_lands() {
    for at_ms in (500..=5_000).step_by(500) {
        let result = run(&edited(plan("second-release", 190), |scenario| {
            scenario.faults[0].at = Duration::from_millis(at_ms);
            scenario.faults[0].jitter = Duration::ZERO;
        }));
        // One that does not land makes its drill inconclusive.
        assert_passes(&result);
    }
}

/// The server goes down while it copies the snapshot, and the half-made copy with it. The restore is tried again, out
/// of the reserve.
#[test]
fn a_server_that_goes_down_during_the_copy_of_a_restore_is_waited_for() {
    let mut cut_off = 0;
    for at_ms in [20, 100, 300, 600] {
        let result = run(&edited(plan("balance-anomaly", 3), |scenario| {
            let step = Anchor::Step("restore-ledger".to_owned());
            let mut restart = fault(FaultKind::DatabaseRestarted, step, Some(15));
            restart.at = Duration::from_millis(at_ms);
            scenario.faults.push(restart);
        }));
        assert_passes(&result);
        cut_off += u32::from(told(&result, "could not restore the snapshot yet"));
    }
    assert!(cut_off > 0, "no copy was cut off");
}

/// A Prometheus in which the trigger on failing orders holds at each evaluation, except for the second, which fails.
/// The instant at which that one was due has `then` for a value.
fn failing_once(then: f64) -> HttpClient {
    let evaluations = Arc::new(AtomicU32::new(0));
    HttpClient::new(tower::service_fn(move |request: http::Request<Bytes>| {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let evaluations = Arc::clone(&evaluations);
        async move {
            let of_orders = query.contains("5..");
            let value = match (of_orders, query.contains("&time=")) {
                (true, true) => Some(then),
                (true, false) => match evaluations.fetch_add(1, Ordering::Relaxed) {
                    1 => None,
                    _ => Some(1.0),
                },
                (false, _) => Some(f64::NAN),
            };
            let series = value.map(|it| format!(r#"{{"metric":{{}},"value":[1,"{it}"]}}"#));
            let (status, series) = series.map_or((503, String::new()), |it| (200, it));
            let body = format!(
                r#"{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}"#
            );
            let response = http::Response::builder().status(status);
            Ok(response.body(Bytes::from(body)).expect("a response"))
        }
    }))
}

/// An evaluation that fails hides no break of a condition from whoever asks again, and costs no time where there was
/// none.
#[test]
fn what_a_failed_evaluation_would_have_found_is_asked_afterwards() {
    let plan = plan("latency-regression", 3);
    let held_for = |then: f64| {
        let runbook = Arc::clone(&plan.runbook.runbook);
        beside(&plan, move |world, ports| {
            let runbook = Arc::clone(&runbook);
            async move {
                let ports = Ports {
                    http: failing_once(then),
                    ..ports
                };
                let began = now(&world);
                let executor = Executor::new(ports, runbook, Options::new("beside"));
                let ended = executor.watch().await.expect("it can watch");
                let WatchOutcome::Triggered(event) = ended else {
                    panic!("{ended:?}")
                };
                assert_eq!(event.name, "p0-order-failures");
                event.since.duration_since(began).as_secs()
            }
        })
    };
    assert_eq!(held_for(1.0), 0, "it held all the time");
    // The first evaluation is not counted: the third one begins anew.
    assert_eq!(held_for(0.0), 10);
}
