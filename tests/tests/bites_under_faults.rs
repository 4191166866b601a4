//! Proof that faults bite: a runbook that lacks the step or the words that are there for a fault fails under it, by the
//! oracle that is there for it.

use std::sync::{Arc, Mutex};

use e2e::drills::{assert_fails_by, assert_passes, plan_by, run, without_step};
use executor::ports::Ports;
use firedrill::drill::run_decorated;
use firedrill::runbooks::BUILT_IN;
use firedrill::verdict::Verdict;
use mutants::ports::answers;
use serde_json::Value;
use sim_exchange::World;

/// The built-in runbook with `old`, which it must hold, replaced by `new`.
fn reworded(old: &str, new: &str) -> String {
    assert!(BUILT_IN.contains(old), "the runbook has no {old}");
    BUILT_IN.replace(old, new)
}

#[test]
fn without_the_fence_gateways_that_miss_the_halt_spoil_the_restored_ledger() {
    let text = without_step(&without_step(BUILT_IN, "fence-ledger"), "unfence-ledger");
    for seed in 0..4 {
        assert_fails_by(&run(&plan_by("flag-missed", seed, &text)), "invariants");
    }
}

#[test]
fn an_undo_that_fails_for_good_stops_a_runbook_that_knows_no_way_round() {
    let text = reworded(r#","rb.on-fail":"restore""#, "");
    let result = run(&plan_by("undo-script-failing", 3, &text));
    assert_fails_by(&result, "outcome");
    // It stops with the ledger as it was: nothing is lost, and trading stays halted.
    assert!(!result.findings.iter().any(|f| f.is_harm()));
    assert_fails_by(&result, "maintenance");
}

#[test]
fn a_check_that_takes_no_metrics_for_no_errors_claims_what_it_cannot_know() {
    let start = BUILT_IN
        .find("```sh {\"name\":\"error-rate\"")
        .expect("there");
    let end = start + BUILT_IN[start..].find("\n```\n").expect("closed");
    let careless = r#"```sh {"name":"error-rate","rb.phase":"run","rb.timeout":"161s","rb.expect":"< 0.0001"}
promql 'sum(rate(dex_requests_total{namespace="dex-production", code=~"5..", maintenance="false"}[$WINDOW])) or vector(0)'"#;
    let mut text = format!("{}{careless}{}", &BUILT_IN[..start], &BUILT_IN[end..]);
    for step in [
        "error-rate-worst-pod",
        "error-logs",
        "books-balance",
        "stay-recovered",
        "still-no-error-logs",
        "still-books-balance",
    ] {
        text = without_step(&text, step);
    }
    let result = run(&plan_by("metrics-missing-for-good", 3, &text));
    assert_fails_by(&result, "outcome");
    assert!(result.rto_claimed_ms.is_some(), "it claims recovery");
}

#[test]
fn a_runbook_that_does_not_read_the_logs_does_not_miss_them() {
    let text = without_step(BUILT_IN, "error-logs");
    let text = without_step(&text, "still-no-error-logs");
    let result = run(&plan_by("logs-missing", 3, &text));
    let of = |oracle: &str| {
        result
            .findings
            .iter()
            .find(|f| f.oracle().as_str() == oracle)
    };
    // It claims recovery without having looked, and as nobody looked, nothing is shown of what would have come of it.
    assert_eq!(of("outcome").map(|f| f.verdict()), Some(Verdict::Fail));
    assert_eq!(
        of("fault-fired").map(|f| f.verdict()),
        Some(Verdict::Inconclusive)
    );
    assert!(result.rto_claimed_ms.is_some());
}

#[test]
fn without_a_debounce_a_flap_rolls_back_what_is_sound() {
    let hasty = BUILT_IN.replace("    for: 15s", "    for: 1s");
    assert_ne!(hasty, BUILT_IN);
    for scenario in ["trigger-flaps", "trigger-flaps-sound"] {
        for seed in 0..3 {
            assert_fails_by(&run(&plan_by(scenario, seed, &hasty)), "trigger");
        }
    }
}

#[test]
fn with_a_longer_window_an_alarm_rolls_back_what_was_accepted() {
    let text = reworded("validation-window: 1h", "validation-window: 2h");
    let result = run(&plan_by("trigger-after-window", 3, &text));
    assert_fails_by(&result, "trigger");
}

#[test]
fn an_undo_without_a_revision_does_not_outlive_another_release() {
    let text = reworded(" --to-revision=$TARGET_REVISION", "");
    assert_fails_by(&run(&plan_by("second-release", 3, &text)), "outcome");
}

/// Ports whose list of Deployments tells of the matching engine as it was at the first look.
fn engine_is_as_it_was(_: &World, ports: Ports) -> Ports {
    let first: Arc<Mutex<Option<Value>>> = Arc::default();
    answers(ports, move |sent, answer| {
        if !sent.path.ends_with("/deployments") {
            return answer;
        }
        answer.map(|bytes| {
            let mut list: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let items = list["items"].as_array_mut().into_iter().flatten();
            for engine in items.filter(|it| it["metadata"]["name"] == "matching") {
                let mut first = first.lock().expect("not poisoned");
                let first = first.get_or_insert_with(|| engine.clone());
                engine.clone_from(first);
            }
            list.to_string().into()
        })
    })
}

#[test]
fn who_does_not_look_again_misses_a_release_of_another_service() {
    let text = without_step(BUILT_IN, "still-prior-build");
    let plan = plan_by("second-release-elsewhere", 3, &text);
    // Another look at all services sees it as well.
    assert_passes(&run(&plan));
    let result = run_decorated(&plan, &engine_is_as_it_was).expect("the world builds");
    assert_fails_by(&result, "outcome");
    assert!(result.rto_claimed_ms.is_some(), "it claims recovery");
}
