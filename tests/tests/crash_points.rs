//! The executor dies at a request of its own, before or after it takes effect, and another host resumes:
//! the drill still ends well.

use std::time::Duration;

use e2e::drills::{SCENARIOS, edited, plan, run};
use firedrill::scenario::{Crash, CrashSide};
use firedrill::verdict::Verdict;

/// Crash points are taken this far apart, from a different start for each scenario and side.
const STRIDE: u64 = 7;

fn crash_points(scenario: &str, side: CrashSide, start: u64) {
    let whole = run(&plan(scenario, 5));
    assert_eq!(
        whole.verdicts.overall,
        Verdict::Pass,
        "{scenario} without a crash"
    );
    let requests = whole.executor_requests;
    assert!(requests > 50, "{scenario}: {requests} requests");
    for request in (1 + start..=requests).step_by(STRIDE as usize) {
        let crash = Crash {
            request,
            side,
            resume_after: Duration::from_secs(1),
        };
        let result = run(&edited(plan(scenario, 5), |s| s.crash = Some(crash)));
        assert_eq!(
            result.verdicts.overall,
            Verdict::Pass,
            "{scenario}, killed {} request {request}: {:#?}\n{}",
            side.as_str(),
            result.troubles(),
            firedrill::drill::timeline::render(&result),
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
