//! The executor gives up only where waiting can't help any more, and waits for nothing that proves too little.

use std::time::Duration;

use e2e::drills::{assert_passes, edited, move_step, plan, plan_by, run};
use firedrill::drill::DrillResult;
use firedrill::evidence::StepSaid;
use firedrill::finding::OracleName;
use firedrill::runbooks::BUILT_IN;
use firedrill::scenario::{
    Anchor, Crash, CrashSide, Expected, Fault, FaultKind, PartsPerMillion, Scenario,
};
use firedrill::verdict::Verdict;
use firedrill::worlds::DrillPlan;

fn fault(kind: FaultKind, step: &str, at: Duration, lasts: Option<Duration>) -> Fault {
    Fault {
        kind,
        when: Anchor::Step(step.to_owned()),
        at,
        jitter: Duration::ZERO,
        lasts,
        target: None,
        delay: None,
        chance: None,
        by: None,
    }
}

fn on(target: &str, fault: Fault) -> Fault {
    Fault {
        target: Some(target.to_owned()),
        ..fault
    }
}

/// One request in a hundred fails, as `target` shows.
fn failing(target: &str, step: &str, at: Duration, lasts: Option<Duration>) -> Fault {
    Fault {
        chance: Some(PartsPerMillion(10_000)),
        ..on(target, fault(FaultKind::RequestsFailing, step, at, lasts))
    }
}

/// A plan of the scenario with that fault in it.
fn met_by(name: &str, seed: u64, fault: Fault, edit: impl FnOnce(&mut Scenario)) -> DrillPlan {
    edited(plan(name, seed), |scenario| {
        scenario.faults.push(fault);
        edit(scenario);
    })
}

fn step<'a>(result: &'a DrillResult, name: &str) -> &'a StepSaid {
    let mut steps = result.steps.iter();
    let found = steps.find(|step| step.name == name);
    found.unwrap_or_else(|| panic!("no step {name}: {:#?}", result.timeline))
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn one_failure_is_waited_out_by_as_many_requests_as_it_takes() {
    let mut failed_once = 0;
    for seed in 0..8 {
        let failing = failing(
            "both",
            "error-rate",
            90 * SECOND,
            Some(Duration::from_millis(400)),
        );
        let result = run(&met_by("latency-regression", seed, failing, |scenario| {
            scenario.load.rate_per_s = 260;
        }));
        let hit = result
            .findings
            .iter()
            .any(|it| it.oracle() == OracleName::FaultFired && it.verdict() == Verdict::Pass);
        if hit {
            assert_passes(&result);
            let proof = step(&result, "error-rate");
            failed_once += u32::from(proof.finished_ms.is_some_and(|at| {
                at - proof.started_ms > 161_000 && proof.detail.contains("of the reserve used")
            }));
        }
    }
    assert!(failed_once > 0, "no drill needed more than 30,000 requests");
}

#[test]
fn a_pod_that_is_killed_after_the_proof_is_outlived_and_looked_at_for_the_whole_hold() {
    // The last one's successor is not ready yet when the step's own time is over.
    for kills in [&[5][..], &[40], &[40, 84]] {
        let plan = edited(plan("latency-regression", 3), |scenario| {
            scenario.faults.extend(kills.iter().map(|seconds| {
                let when = "stay-recovered";
                let killed = fault(FaultKind::PodsKilled, when, *seconds * SECOND, None);
                on("gateway", killed)
            }));
        });
        let result = run(&plan);
        assert_passes(&result);
        let step = step(&result, "stay-recovered");
        let killed_ms = result.faults.last().expect("it was killed").at_ms;
        assert!(killed_ms < step.finished_ms.unwrap_or(0), "{kills:?}");
        let looked_on = step.finished_ms.map(|at| at - killed_ms);
        assert!(looked_on > Some(60_000), "{kills:?}: {looked_on:?}");
        // 30,000 requests take two and a half minutes. The proof has counted them.
        assert!(looked_on < Some(120_000), "{kills:?}: {looked_on:?}");
        assert!(step.detail.contains("began anew"), "{}", step.detail);
    }
}

/// Another whole proof of a quiet exchange would take longer than what is left. What it would show is known, also to
/// the steps that come afterwards.
#[test]
fn a_disturbance_before_a_quiet_time_calls_nobody() {
    for seed in 0..4 {
        let result = run(&plan("node-paused-before-a-quiet-time", seed));
        assert_passes(&result);
        let looked_on = step(&result, "stay-recovered");
        let words = "the window began anew";
        assert!(looked_on.detail.contains(words), "{}", looked_on.detail);
    }
    // One in a hundred fails from then on: the shorter look passes nothing over.
    let failing = failing("both", "stay-recovered", 40 * SECOND, None);
    let plan = met_by("node-paused-before-a-quiet-time", 0, failing, |scenario| {
        scenario.expect.outcome = Expected::Escalated;
    });
    let result = run(&plan);
    assert!(!step(&result, "stay-recovered").outcome.is_ok());
    assert_eq!(result.rto_claimed_ms, None);
}

/// The objective is over when the lease runs out, because no server has answered for as long as it lasts. It is tried
/// for half a minute to take it again, not once only.
#[test]
fn a_lease_that_runs_out_after_the_objective_is_taken_again() {
    let paused = fault(
        FaultKind::NodePaused,
        "stay-recovered",
        5 * SECOND,
        Some(35 * SECOND),
    );
    for seed in 0..3 {
        let quiet = |scenario: &mut Scenario| {
            scenario.load.rate_per_s = 118;
            scenario.timing.duration = 960 * SECOND;
            scenario.timing.hold = 260 * SECOND;
        };
        let result = run(&met_by("latency-regression", seed, paused.clone(), quiet));
        let mut told = result.timeline.iter();
        assert!(told.any(|it| it.what.contains("takes it again")));
        assert!(result.rto_claimed_ms.is_some(), "{:#?}", result.timeline);
    }
}

/// Late answers end, however long the node stood still. Failures that go on end the rollback within the objective, or
/// within the step's own time if that is later.
#[test]
fn what_passes_after_the_proof_is_outlived_and_what_goes_on_has_a_person_called_in_time() {
    let result = run(&plan("node-paused-after-proof", 3));
    assert_passes(&result);
    let looked_on = step(&result, "stay-recovered");
    let words = "the window began anew";
    assert!(looked_on.detail.contains(words), "{}", looked_on.detail);

    let failing = failing("metrics", "stay-recovered", 5 * SECOND, None);
    let result = run(&met_by("latency-regression", 3, failing, |scenario| {
        scenario.expect.outcome = Expected::Escalated;
    }));
    assert_passes(&result);
    let looked_on = step(&result, "stay-recovered");
    let words = "no disturbance that passes";
    assert!(looked_on.detail.contains(words), "{}", looked_on.detail);
    let trigger_ms = result
        .time_series
        .as_ref()
        .and_then(|series| series.trigger_ms);
    let in_time = trigger_ms.map(|at| (at + 290_000).max(looked_on.started_ms + 90_000) + 5_000);
    assert!(looked_on.finished_ms <= in_time && in_time.is_some());
}

#[test]
fn what_holds_when_its_time_is_over_may_hold_out() {
    let slow = Fault {
        delay: Some(Duration::from_millis(900)),
        ..fault(
            FaultKind::ApiSlow,
            "orders-flow",
            Duration::ZERO,
            Some(60 * SECOND),
        )
    };
    for seed in 0..4 {
        let slow = slow.clone();
        assert_passes(&run(&met_by("breaking-migration", seed, slow, |_| {})));
    }
}

#[test]
fn a_server_that_is_gone_late_in_the_proof_has_a_person_called_in_time() {
    let gone = on(
        "kubernetes",
        fault(
            FaultKind::Unreachable,
            "error-rate",
            235 * SECOND,
            Some(600 * SECOND),
        ),
    );
    let result = run(&met_by("latency-regression", 2, gone, |scenario| {
        scenario.load.rate_per_s = 120;
        scenario.expect.outcome = Expected::Escalated;
        scenario.timing.duration = 960 * SECOND;
        scenario.timing.hold = 255 * SECOND;
    }));
    assert_passes(&result);
}

/// The built-in runbook, in which the logs are asked before anything else.
fn logs_first() -> String {
    let text = move_step(BUILT_IN, "error-logs", "error-rate");
    let timeout = |name: &str, from: &str, to: &str| {
        let key =
            |it: &str| format!("\"name\":\"{name}\",\"rb.phase\":\"run\",\"rb.timeout\":\"{it}\"");
        (key(from), key(to))
    };
    [
        timeout("error-logs", "2s", "161s"),
        timeout("error-rate", "161s", "2s"),
    ]
    .iter()
    .fold(text, |text, (from, to)| {
        assert!(text.contains(from), "no longer in the runbook: {from}");
        text.replace(from, to)
    })
}

#[test]
fn logs_that_stop_while_requests_are_waited_for_prove_nothing() {
    let failing = failing("logs", "error-logs", 30 * SECOND, Some(20 * SECOND));
    let missing = fault(FaultKind::LogsMissing, "error-logs", 8 * SECOND, None);
    let text = logs_first();
    assert_passes(&run(&plan_by("latency-regression", 1, &text)));
    for seed in 0..3 {
        let result = run(&edited(plan_by("latency-regression", seed, &text), |it| {
            it.faults.extend([missing.clone(), failing.clone()]);
        }));
        assert_eq!(result.rto_claimed_ms, None, "{:#?}", result.timeline);
    }
}

#[test]
fn who_resumes_sees_a_remedy_through_that_was_cut_off() {
    let again = on(
        "gateway",
        fault(
            FaultKind::SecondRelease,
            "check-health",
            Duration::ZERO,
            None,
        ),
    );
    let whole = met_by("latency-regression", 4, again, |_| {});
    let unharmed = run(&whole);
    assert_passes(&unharmed);
    let undone = |result: &DrillResult| {
        let mut told = result.timeline.iter();
        told.any(|it| it.what.contains("is seen through first"))
    };
    let mut seen_through = 0;
    for request in (1..=unharmed.executor_requests).step_by(3) {
        let killed = edited(whole.clone(), |scenario| {
            scenario.crash = Some(Crash {
                request,
                side: CrashSide::After,
                resume_after: SECOND,
            });
        });
        let result = run(&killed);
        assert_passes(&result);
        seen_through += u32::from(undone(&result));
    }
    assert!(seen_through > 0, "no crash cut the remedy off");
}
