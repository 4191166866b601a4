//! The executor dies at a request of its own, before or after it takes effect, and another host resumes:
//! the drill still ends well.

use std::time::Duration;

use e2e::drills::{SCENARIOS, disarmed, edited, plan, plan_by, run};
use firedrill::crash_points;
use firedrill::runbooks::BUILT_IN;
use firedrill::scenario::{Crash, CrashSide};
use firedrill::verdict::Verdict;

/// Crash points are taken this far apart, from a different start for each scenario and side; `firedrill chaos
/// --crash-points` takes them all.
const STRIDE: usize = 7;

fn crash_points(scenario: &str, side: CrashSide, start: usize) {
    let whole = plan(scenario, 5);
    let unharmed = run(&whole);
    assert_eq!(
        unharmed.verdicts.overall,
        Verdict::Pass,
        "{scenario} without a crash"
    );
    let requests = unharmed.executor_requests;
    assert!(requests > 50, "{scenario}: {requests} requests");
    let points = crash_points::all(&whole, requests)
        .filter(|plan| plan.scenario.crash.is_some_and(|crash| crash.side == side));
    for killed in points.skip(start).step_by(STRIDE) {
        let result = run(&killed);
        assert_eq!(
            result.verdicts.overall,
            Verdict::Pass,
            "{scenario}, {:?}: {:#?}\n{}",
            killed.scenario.crash,
            result.problems(),
            firedrill::drill::timeline::render(&result, &firedrill::token::Replays::default()),
        );
    }
}

#[test]
fn application_rollback_killed_before_a_request() {
    crash_points(SCENARIOS[0], CrashSide::Before, 0);
}

#[test]
fn application_rollback_killed_after_a_request() {
    crash_points(SCENARIOS[0], CrashSide::After, 3);
}

#[test]
fn restore_killed_before_a_request() {
    crash_points(SCENARIOS[1], CrashSide::Before, 1);
}

#[test]
fn restore_killed_after_a_request() {
    crash_points(SCENARIOS[1], CrashSide::After, 4);
}

#[test]
fn undo_killed_before_a_request() {
    crash_points(SCENARIOS[2], CrashSide::Before, 2);
}

#[test]
fn undo_killed_after_a_request() {
    crash_points(SCENARIOS[2], CrashSide::After, 5);
}

#[test]
fn a_restore_instead_of_a_failed_undo_killed_before_a_request() {
    crash_points("undo-script-failing", CrashSide::Before, 6);
}

#[test]
fn a_restore_instead_of_a_failed_undo_killed_after_a_request() {
    crash_points("undo-script-failing", CrashSide::After, 1);
}

#[test]
fn a_crash_that_never_comes_is_inconclusive() {
    let crash = Crash {
        request: 90_000,
        side: CrashSide::Before,
        resume_after: Duration::from_secs(1),
    };
    let result = run(&edited(plan(SCENARIOS[0], 5), |s| s.crash = Some(crash)));
    assert_eq!(
        result.verdicts.overall,
        Verdict::Inconclusive,
        "{:?}",
        result.verdicts
    );
}

#[test]
fn where_nothing_is_rolled_back_nothing_is_tried() {
    // Nothing fires on the one, and on the other what fires is nothing that a rollback helps against.
    let quiet = ["good-release", "anomaly-predates"];
    let mut results: Vec<_> = quiet.iter().map(|name| run(&plan(name, 5))).collect();
    for result in &results {
        assert_eq!(result.executor_requests, 0, "{}", result.scenario);
        assert_eq!(
            result.verdicts.overall,
            Verdict::Pass,
            "{}",
            result.scenario
        );
    }
    results.push(run(&plan("latency-regression", 5)));
    // A trigger that should fire and does not fails its drill, which says so by itself.
    let deaf = run(&plan_by("balance-anomaly", 5, &disarmed(BUILT_IN)));
    assert_eq!(
        (deaf.executor_requests, deaf.verdicts.overall),
        (0, Verdict::Fail)
    );
    results.push(deaf);
    let untried: Vec<&str> = crash_points::untried(&results).into_iter().collect();
    assert_eq!(untried, ["anomaly-predates", "good-release"]);
}
