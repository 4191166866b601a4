//! What a server's refusals cost is paid from the reserve, and a lease that runs out is taken again.

use std::time::Duration;

use e2e::drills::{assert_passes, edited, plan, run};
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
