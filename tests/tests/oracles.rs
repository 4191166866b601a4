//! Every oracle is seen not to pass in a drill, by something that goes wrong in the world, the procedure or the
//! scenario. That each also sees through doctored evidence is shown beside them (`harness/src/oracles/tests`).

use std::time::Duration;

use e2e::described::Example;
use e2e::drills::{assert_passes, changed, edited, plan, plan_by, run, without_step};
use firedrill::drill::DrillResult;
use firedrill::finding::{Finding, OracleName};
use firedrill::runbooks::BUILT_IN;
use firedrill::scenario::{Anchor, Bursts, Crash, CrashSide, Fault, FaultKind, Scenario};
use firedrill::verdict::Verdict;
use firedrill::worlds::DrillPlan;

/// A fault at this instant.
fn fault(
    kind: FaultKind,
    target: Option<&str>,
    when: Anchor,
    at_s: u64,
    lasts_s: Option<u64>,
) -> Fault {
    Fault {
        kind,
        when,
        at: Duration::from_secs(at_s),
        jitter: Duration::ZERO,
        lasts: lasts_s.map(Duration::from_secs),
        target: target.map(str::to_owned),
        delay: None,
        chance: None,
        by: None,
    }
}

/// `scenario` with one fault more.
fn under(scenario: &str, fault: Fault) -> DrillResult {
    run(&edited(plan(scenario, 3), |scenario| {
        scenario.faults.push(fault)
    }))
}

/// The runbook with the triggers' debounce at six minutes.
fn notices_after_six_minutes() -> String {
    changed("for: 15s", "for: 6m")
}

/// Its host dies before the undo, and another one resumes when the five minutes are over.
fn resumed_after_330_s(edit: impl FnOnce(&mut Scenario)) -> DrillPlan {
    edited(plan("latency-regression", 3), |scenario| {
        scenario.crash = Some(Crash {
            request: 3,
            side: CrashSide::Before,
            resume_after: Duration::from_secs(330),
        });
        edit(scenario);
    })
}

/// A drill that this oracle must not pass; `None`: the simulation has none, for the reason beside it.
fn drill_against(oracle: OracleName) -> Option<DrillResult> {
    let without = |scenario, step| Some(run(&plan_by(scenario, 3, &without_step(BUILT_IN, step))));
    // After the recovery, and of no fault's doing: more requests than the exchange can take.
    let overloaded = || {
        let plan = edited(plan("latency-regression", 3), |scenario| {
            scenario.load.bursts = Some(Bursts {
                rate_per_s: 9_000,
                every: Duration::from_secs(540),
                lasts: Duration::from_secs(20),
            });
        });
        Some(run(&plan))
    };
    match oracle {
        // Nothing can hold the clients of a simulation up.
        OracleName::Host => None,
        // It takes two hosts that both act: `bites_of_executors.rs` has them.
        OracleName::Writers => None,
        // It takes a program of somebody else's: `harness/tests/example_executors.rs` has one.
        OracleName::Conduct => None,
        // It takes an executor that replays an order twice: `bites_of_executors.rs` has it.
        OracleName::Phantoms => None,
        // Its engine credits wrong accounts, and every sum is right.
        OracleName::Ledger => Some(run(&edited(plan("latency-regression", 3), |scenario| {
            scenario.release.to = "1.6.2-misdirected".to_owned();
        }))),
        OracleName::SteadyState => {
            let killed = fault(
                FaultKind::PodsKilled,
                Some("matching"),
                Anchor::Start,
                30,
                None,
            );
            Some(under("latency-regression", killed))
        }
        OracleName::FaultFired => Some(run(&edited(plan("latency-regression", 3), |scenario| {
            scenario.crash = Some(Crash {
                request: 1_000_000,
                side: CrashSide::After,
                resume_after: Duration::from_secs(5),
            });
        }))),
        OracleName::Rto => Some(run(&resumed_after_330_s(|_| ()))),
        // Its bound is eight minutes, which such a drill keeps.
        OracleName::Impact => Some(run(&resumed_after_330_s(|scenario| {
            scenario.expect.impact_max = Duration::from_secs(300);
        }))),
        OracleName::Trigger => {
            // Ten minutes are the longest that a trigger may wait: the drill is over before it fires.
            let deaf = plan_by("balance-anomaly", 3, &changed("for: 15s", "for: 10m"));
            Some(run(&edited(deaf, |scenario| {
                scenario.timing.duration = Duration::from_secs(600);
            })))
        }
        OracleName::Detection => Some(run(&plan_by(
            "balance-anomaly",
            3,
            &notices_after_six_minutes(),
        ))),
        OracleName::Outcome => without("deployment-paused", "resume-rollout"),
        // Neither the wait for orders nor the proof sees that gateways still refuse them.
        OracleName::Claim => {
            let failures = "code=~\"5..\"}[$WINDOW]";
            let blind = changed(failures, "code=~\"5..\", maintenance=\"false\"}[$WINDOW]");
            let blind = without_step(&blind, "orders-flow");
            Some(run(&plan_by("breaking-migration", 3, &blind)))
        }
        OracleName::Files => without("latency-regression", "dump-logs"),
        OracleName::ErrorRate | OracleName::Hold => overloaded(),
        // The slow release comes back once the executor has ended.
        OracleName::Latency => {
            let mut heals = fault(FaultKind::SelfHeal, None, Anchor::Trigger, 0, None);
            heals.delay = Some(Duration::from_secs(360));
            Some(under("latency-regression", heals))
        }
        OracleName::Invariants => {
            let text = without_step(&without_step(BUILT_IN, "fence-ledger"), "unfence-ledger");
            let drills = (0..8).map(|seed| run(&plan_by("balance-anomaly", seed, &text)));
            drills
                .into_iter()
                .find(|it| it.verdicts.overall == Verdict::Fail)
        }
        OracleName::Trades | OracleName::Orders => without("balance-anomaly", "replay-orders"),
        OracleName::AcknowledgedWrites => {
            let example = Example::new("bookings").changed("log = true", "log = false");
            Some(run(&example.plan("no-undo-script", 3)))
        }
        OracleName::Builds => {
            let text = BUILT_IN.replace(" --to-revision=$TARGET_REVISION", "");
            Some(run(&plan_by("second-undo", 3, &text)))
        }
        OracleName::Maintenance => without("balance-anomaly", "open-trading"),
        OracleName::State => without("latency-regression", "restore-config"),
    }
}

#[test]
fn every_oracle_is_seen_not_to_pass_in_a_drill() {
    let mut blind = Vec::new();
    for oracle in OracleName::ALL {
        let Some(result) = drill_against(oracle) else {
            let bites = match oracle {
                OracleName::Host => continue,
                OracleName::Conduct => include_str!("../../harness/tests/example_executors.rs"),
                _ => include_str!("bites_of_executors.rs"),
            };
            let named = format!("\"{oracle}\"");
            assert!(bites.contains(&named), "{oracle} is never seen to bite");
            continue;
        };
        match result.findings.iter().find(|it| it.oracle() == oracle) {
            Some(found) if found.verdict() != Verdict::Pass => {}
            Some(found) => blind.push(format!("{oracle}: {found}")),
            None => blind.push(format!("{oracle} was not asked")),
        }
        if result.verdicts.overall == Verdict::Pass {
            blind.push(format!("{oracle}: the drill passes"));
        }
    }
    assert!(blind.is_empty(), "{blind:#?}");
}

/// What `oracle` found.
fn found(result: &DrillResult, oracle: OracleName) -> &Finding {
    let mut findings = result.findings.iter();
    findings
        .find(|it| it.oracle() == oracle)
        .unwrap_or_else(|| panic!("{oracle} was not asked"))
}

#[test]
fn a_recovery_that_comes_too_late_is_beyond_the_bounds() {
    let result = run(&resumed_after_330_s(|scenario| {
        scenario.expect.impact_max = Duration::from_secs(300);
    }));
    for oracle in [OracleName::Rto, OracleName::Impact] {
        let found = found(&result, oracle);
        assert_eq!(
            (found.kind(), found.verdict()),
            ("beyond", Verdict::Fail),
            "{found}"
        );
    }
    assert!(
        result.rto_ms.is_some_and(|rto| rto > 330_000),
        "{:?}",
        result.rto_ms
    );
    // It is dated by the clients, and the executor says the same.
    let claim = found(&result, OracleName::Claim);
    assert_eq!(claim.verdict(), Verdict::Pass, "{claim}");
}

#[test]
fn a_recovery_that_is_dated_long_after_the_clients_saw_it_is_a_late_claim() {
    let slow = changed("rto: 300s", "rto: 400s");
    let (was, is) = (
        "\"rb.timeout\":\"16s\",\"rb.when\":\"ledger.breaking\",\"rb.expect\":\"== 0\",\"rb.hold\":\"1s\"",
        "\"rb.timeout\":\"60s\",\"rb.when\":\"ledger.breaking\",\"rb.expect\":\"== 0\",\"rb.hold\":\"45s\"",
    );
    assert!(slow.contains(was));
    let result = run(&plan_by("breaking-migration", 3, &slow.replace(was, is)));
    let claim = found(&result, OracleName::Claim);
    assert_eq!(
        (claim.kind(), claim.verdict()),
        ("late", Verdict::Fail),
        "{claim}"
    );
}

#[test]
fn who_has_no_step_against_a_change_does_not_blame_somebody_else() {
    let without = without_step(BUILT_IN, "undo-app");
    let result = run(&plan_by("latency-regression", 3, &without));
    let outcome = found(&result, OracleName::Outcome).to_string();
    assert!(
        outcome.contains("the runbook has no step that makes it good"),
        "{outcome}"
    );
    assert!(!outcome.contains("somebody else"), "{outcome}");
}

#[test]
fn harm_that_goes_unnoticed_for_six_minutes_fails_though_the_rollback_is_quick() {
    for seed in 0..3 {
        let result = run(&plan_by(
            "balance-anomaly",
            seed,
            &notices_after_six_minutes(),
        ));
        assert_eq!(result.verdicts.overall, Verdict::Fail, "{seed}");
        assert!(
            result.rto_ms.is_some_and(|rto| rto < 60_000),
            "{:?}",
            result.rto_ms
        );
        let first = result.problems()[0].oracle();
        assert_eq!(first, OracleName::Detection, "{:#?}", result.problems());
    }
}

#[test]
fn what_befalls_the_ledger_while_the_release_is_deployed_is_held_against_it() {
    // Somebody's hand, or a migration's: it is there before the release's own engine finds the ledger. With no trigger
    // on the books, the way back leaves the ledger as it is.
    let (was, is) = (
        "condition: \"> 0\"\n    for: 15s\n---",
        "condition: \"> 9\"\n    for: 15s\n---",
    );
    let deaf = changed(was, is);
    let booked = fault(FaultKind::BooksBroken, None, Anchor::Deployment, 0, None);
    let result = run(&edited(
        plan_by("compatible-migration", 3, &deaf),
        |scenario| {
            scenario.faults.push(booked);
        },
    ));
    let ledger = result
        .findings
        .iter()
        .find(|it| it.oracle() == OracleName::Ledger);
    let ledger = ledger.expect("it was asked");
    assert_eq!(ledger.kind(), "differs", "{:#?}", result.findings);
    assert_eq!(ledger.numbers().0["differences"], 1, "{ledger}");
    assert!(ledger.to_string().contains("account 0"), "{ledger}");
}

/// Seeds in which the crash loop has started a process just before the trigger fires: the kubelet shows the log of the
/// process before it, as it does in Kubernetes, and lines that nobody can read are not missing.
#[test]
fn lines_of_a_process_that_the_kubelet_has_not_noticed_are_not_missing() {
    for seed in [52, 75, 88] {
        assert_passes(&run(&plan("crash-loop", seed)));
    }
}
