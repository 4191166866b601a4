//! What `verify` does not perform it must know: each drill that it spares is performed here, and comes out as it said.

use std::sync::atomic::AtomicBool;

use e2e::drills::{SCENARIOS, changed, scenarios, without_step};
use firedrill::runbooks::BUILT_IN;
use firedrill::verify::{Brief, RunbookSide, Runs};
use firedrill::worlds::WorldKind;

/// One of them is in the sample that is performed all the same.
const SEEDS: std::ops::Range<u64> = 13..18;

fn side(text: &str) -> RunbookSide {
    RunbookSide::parse("runbook.md", text).unwrap_or_else(|e| panic!("{}", e.plain()))
}

/// Step `name` with another budget.
fn budget(name: &str, to: &str) -> String {
    let at = BUILT_IN.find(&format!("\"name\":\"{name}\"")).expect(name);
    let (head, tail) = BUILT_IN.split_at(at);
    let key = "\"rb.timeout\":\"";
    let begin = tail.find(key).expect("it has a budget") + key.len();
    let end = begin + tail[begin..].find('"').expect("it is closed");
    format!("{head}{}{to}{}", &tail[..begin], &tail[end..])
}

/// How many of the candidate's drills are skipped, of all. Each is performed, and must be as was said.
#[track_caller]
fn skipped(candidate: &str, names: &[&str]) -> (u64, u64) {
    let (old, new) = (side(BUILT_IN), side(candidate));
    let scenarios = scenarios(names);
    let stop = AtomicBool::new(false);
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let new_runs = || Runs::new(WorldKind::Sim, jobs, &stop, &|| {});
    let (mut pairs, mut alone) = (new_runs(), new_runs());
    pairs
        .perform_pairs(&old, &new, &scenarios, SEEDS)
        .expect("the simulated world builds");
    alone
        .perform(&new, &scenarios, SEEDS)
        .expect("the simulated world builds");
    for scenario in &scenarios {
        for seed in SEEDS {
            let said = pairs.get(&new, scenario, seed).expect("known");
            let is = alone.get(&new, scenario, seed).expect("performed");
            // Only the token of a drill that was performed says how it went.
            let is = Brief {
                replay: said.replay.clone(),
                ..Brief::clone(&is)
            };
            assert_eq!(*said, is, "{}, seed {seed}", scenario.name);
        }
    }
    let skipped = pairs.skipped(&old, &new, &scenarios, SEEDS);
    assert_eq!(skipped.mismatch, None);
    let all = scenarios.len() as u64 * (SEEDS.end - SEEDS.start);
    assert_eq!(pairs.performed(), 2 * all - skipped.skipped);
    (skipped.skipped, all)
}

#[test]
fn a_budget_that_nothing_comes_near_changes_no_drill() {
    // All but the sample, and where something had to be tried again.
    let (skipped, all) = skipped(&budget("rollout-status", "20s"), &SCENARIOS);
    assert!(skipped * 3 >= all * 2, "{skipped} of {all}");
}

#[test]
fn a_budget_near_what_it_takes_is_drilled_where_it_may_matter() {
    let (skipped, all) = skipped(&budget("rollout-status", "7s"), &SCENARIOS);
    assert!(skipped > 0 && skipped < all, "{skipped} of {all}");
}

#[test]
fn a_step_that_is_not_in_the_plan_changes_no_drill() {
    let drills = [
        "latency-regression",
        "self-heal",
        "executor-killed",
        "unreachable",
    ];
    let (skipped, all) = skipped(&without_step(BUILT_IN, "replay-orders"), &drills);
    assert!(skipped * 3 >= all * 2, "{skipped} of {all}");
}

#[test]
fn what_is_done_otherwise_is_drilled() {
    for candidate in [
        without_step(BUILT_IN, "check-health"),
        budget("snapshot-ledger", "200s"),
        changed("rto: 300s", "rto: 290s"),
        changed("validation-window: 1h", "validation-window: 2h"),
    ] {
        assert_eq!(skipped(&candidate, &["latency-regression"]).0, 0);
    }
}

#[test]
fn under_faults_no_budget_is_believed_not_to_matter() {
    let faults = ["api-throttling", "unreachable"];
    let (skipped, _) = skipped(&budget("rollout-status", "20s"), &faults);
    assert_eq!(skipped, 0);
}
