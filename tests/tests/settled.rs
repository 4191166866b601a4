//! Drills that end as soon as nothing can change their judgement (`Until::Settled`),
//! against the same drills performed whole.
//!
//! The law of their fingerprints: a drill that is settled at an instant is, to the last event, the drill of the same
//! scenario whose `duration` is that instant. One that is not settled is the whole drill.

use std::sync::Arc;
use std::time::Duration;

use e2e::drills::{SCENARIOS, plan, run, without_step};
use firedrill::drill::DrillResult;
use firedrill::runbooks::{BUILT_IN, LoadedRunbook};
use firedrill::scenario::Scenario;
use firedrill::verdict::Verdict;
use firedrill::worlds::{DrillPlan, Until};

fn settled(whole: &DrillPlan) -> DrillPlan {
    DrillPlan {
        until: Until::Settled,
        ..whole.clone()
    }
}

fn end_ms(result: &DrillResult) -> u64 {
    result
        .time_series
        .as_ref()
        .expect("one drill keeps it")
        .end_ms
}

/// What each oracle found, without the numbers, which grow with the time that was looked at.
fn kinds(result: &DrillResult) -> Vec<(&str, &str, Verdict)> {
    let findings = result.findings.iter();
    let kinds = findings.map(|it| (it.oracle().as_str(), it.kind(), it.verdict()));
    kinds.collect()
}

/// `early` is judged as `whole` is, and saw the same rollback.
#[track_caller]
fn assert_judged_alike(early: &DrillResult, whole: &DrillResult) {
    let name = &whole.scenario;
    assert_eq!(early.verdicts, whole.verdicts, "{name}");
    assert_eq!(kinds(early), kinds(whole), "{name}");
    assert_eq!(early.rto_ms, whole.rto_ms, "{name}");
    assert_eq!(early.impact_ms, whole.impact_ms, "{name}");
    assert_eq!(early.steps, whole.steps, "{name}");
    assert_eq!(early.faults_seen, whole.faults_seen, "{name}");
    assert_eq!(early.executor_requests, whole.executor_requests, "{name}");
}

/// Scenarios by which all three ways of a rollback end early, without faults and with some of each family.
const EARLY: [&str; 9] = [
    "latency-regression",
    "balance-anomaly",
    "breaking-migration",
    "api-throttling",
    "executor-killed",
    "database-restarted",
    "pods-killed",
    "node-paused",
    "metrics-missing",
];

#[test]
fn a_drill_that_ends_early_is_judged_as_the_whole_one_is() {
    for (seed, name) in (0..).zip(EARLY) {
        let whole = plan(name, seed);
        let early = settled(&whole);
        let (whole, early) = (run(&whole), run(&early));
        assert_judged_alike(&early, &whole);
        let (early_ms, whole_ms) = (end_ms(&early), end_ms(&whole));
        assert!(early_ms < whole_ms, "{name}: {early_ms} of {whole_ms} ms");
    }
}

#[test]
fn a_settled_drill_has_the_fingerprint_of_one_whose_duration_is_its_end() {
    for name in SCENARIOS {
        let whole = plan(name, 11);
        let early = run(&settled(&whole));
        let mut cut = Scenario::clone(&whole.scenario);
        cut.timing.duration = Duration::from_millis(end_ms(&early));
        let cut = run(&DrillPlan {
            scenario: Arc::new(cut),
            ..whole
        });
        assert_eq!(early.fingerprint, cut.fingerprint, "{name}");
        assert_eq!(early.findings, cut.findings, "{name}");
        assert_eq!(early.verdicts, cut.verdicts, "{name}");
    }
}

/// A runbook that never opens trading again, and scenarios in which nothing fires or a person must be called.
#[test]
fn whatever_does_not_end_in_a_proven_recovery_is_the_whole_drill() {
    let broken = without_step(BUILT_IN, "open-trading");
    let broken = LoadedRunbook::parse("broken.md", &broken).expect("it loads");
    let mut never_reopened = plan("breaking-migration", 3);
    never_reopened.runbook = broken;
    for whole in [
        never_reopened,
        plan("good-release", 3),
        plan("pods-stuck", 3),
    ] {
        let (early, whole) = (run(&settled(&whole)), run(&whole));
        assert_eq!(early.fingerprint, whole.fingerprint, "{}", whole.scenario);
        assert_eq!(early.findings, whole.findings, "{}", whole.scenario);
        assert_eq!(end_ms(&early), end_ms(&whole), "{}", whole.scenario);
    }
}
