//! Proof that the oracles bite: broken procedures and broken executors fail, each by the oracle that is there
//! for it; a sound release triggers nothing; the bad releases, left alone, breach what they promise.

use std::sync::Arc;

use e2e::drills::{
    SCENARIOS, assert_fails_by, assert_passes, disarmed, failed, move_step, plan, plan_by, run,
    without_step,
};
use executor::ports::Ports;
use firedrill::drill::{DrillResult, run_decorated};
use firedrill::finding::OracleName;
use firedrill::runbooks::BUILT_IN;
use firedrill::verdict::Verdict;
use mutants::bugs::{NoFence, no_data_is_zero};
use mutants::ports::Decorated;
use sim::cluster::Kind;
use sim::observe::ScrapeFault;
use sim::time::Micros;

#[test]
fn the_sound_executor_passes_all_three() {
    for scenario in SCENARIOS {
        let result = run(&plan(scenario, 3));
        assert_eq!(
            result.verdicts.overall,
            Verdict::Pass,
            "{scenario}: {:#?}",
            result.problems()
        );
    }
}

#[test]
fn a_sound_release_triggers_nothing() {
    let result = run(&plan("good-release", 3));
    assert_eq!(
        result.verdicts.overall,
        Verdict::Pass,
        "{:#?}",
        result.problems()
    );
    assert!(result.steps.is_empty());
}

// --- broken procedures -------------------------------------------------------------------------

#[test]
fn without_the_fence_the_bad_release_goes_on_writing_and_the_books_stay_wrong() {
    // The bad matching engine is still the leader: it writes on, into the ledger that was just restored.
    let text = without_step(&without_step(BUILT_IN, "fence-ledger"), "unfence-ledger");
    // Where every gateway happens to notice the halt before the copy is swapped in, luck stands in for the fence.
    let unlucky: Vec<DrillResult> = (0..8)
        .map(|seed| run(&plan_by("balance-anomaly", seed, &text)))
        .filter(|result| result.verdicts.overall == Verdict::Fail)
        .collect();
    assert!(
        unlucky.len() >= 4,
        "only {} of 8 drills fail",
        unlucky.len()
    );
    for result in &unlucky {
        assert_fails_by(result, "invariants");
    }
}

#[test]
fn the_application_before_the_schema_cannot_read_the_ledger() {
    // The old code meets rows that it can't read: its rollout never completes, and nobody recovers in time.
    let text = move_step(BUILT_IN, "undo-schema", "review-replica-sets");
    let result = run(&plan_by("breaking-migration", 3, &text));
    assert_fails_by(&result, "rto");
}

#[test]
fn without_the_wait_for_orders_recovery_is_claimed_while_gateways_still_refuse() {
    let unwaited = without_step(BUILT_IN, "orders-flow");
    // The proof sees the refusals as well, and begins anew after them.
    let failures = "code=~\"5..\"}[$WINDOW]";
    let blind = unwaited.replace(failures, "code=~\"5..\", maintenance=\"false\"}[$WINDOW]");
    assert_ne!(blind, unwaited);
    for seed in 0..4 {
        assert_fails_by(&run(&plan_by("breaking-migration", seed, &blind)), "claim");
        let seen = run(&plan_by("breaking-migration", seed, &unwaited));
        assert_eq!(
            seen.verdicts.overall,
            Verdict::Pass,
            "{seed}: {:?}",
            seen.problems()
        );
    }
}

#[test]
fn recovery_is_never_claimed_before_the_clients_see_it() {
    // 115 and 771: Prometheus did not know the youngest gateway yet, and the wait asked Prometheus.
    for seed in [115, 771, 0, 1, 2, 3] {
        let result = run(&plan("breaking-migration", seed));
        assert!(
            result.rto_claimed_ms >= result.rto_ms && result.rto_ms.is_some(),
            "seed {seed}: claimed {:?}, seen {:?}",
            result.rto_claimed_ms,
            result.rto_ms
        );
    }
}

/// The checks of the outcome cut out, and the undo as a hurried person types it: twice, without a revision.
fn exit_codes_only() -> String {
    let mut text = BUILT_IN.replace(" --to-revision=$TARGET_REVISION", "");
    let at = text
        .find("```sh {\"name\":\"undo-app\"")
        .expect("the step is there");
    let end = at + text[at..].find("\n```\n").expect("its fence is closed") + "\n```\n".len();
    let again = text[at..end].replace("\"undo-app\"", "\"undo-app-again\"");
    text.insert_str(end, &format!("\n{again}"));
    for step in [
        "rollout-status",
        "review-replica-sets",
        "check-health",
        "check-build",
        "error-rate",
        "error-rate-worst-pod",
        "error-logs",
        "books-balance",
        "stay-recovered",
        "still-no-error-logs",
        "still-books-balance",
        "still-prior-build",
    ] {
        text = without_step(&text, step);
    }
    text
}

#[test]
fn trusting_exit_codes_lands_back_on_the_bad_release() {
    let result = run(&plan_by("latency-regression", 3, &exit_codes_only()));
    assert_fails_by(&result, "builds");
    // It claims recovery all the same.
    assert!(
        failed(&result).contains(&"claim"),
        "{:#?}",
        result.problems()
    );
}

/// Whether the drill ends as it should by the built-in runbook, and fails by `oracle` without `step`.
fn bites_without(scenario: &str, step: &str, oracle: &str) {
    let sound = run(&plan(scenario, 3));
    assert_eq!(
        sound.verdicts.overall,
        Verdict::Pass,
        "{scenario}: {:#?}",
        sound.problems()
    );
    let careless = run(&plan_by(scenario, 3, &without_step(BUILT_IN, step)));
    assert_fails_by(&careless, oracle);
}

#[test]
fn without_its_configuration_the_prior_release_is_not_back() {
    bites_without("latency-regression", "restore-config", "state");
}

#[test]
fn a_paused_deployment_must_be_resumed() {
    bites_without("deployment-paused", "resume-rollout", "outcome");
}

#[test]
fn who_does_not_look_again_claims_what_a_controller_has_undone() {
    // The error rate alone does not show that the bad release is back, but that pods were started does.
    let careless = without_step(BUILT_IN, "still-prior-build");
    assert_passes(&run(&plan_by("self-heal", 3, &careless)));
    let careless = without_step(&careless, "stay-recovered");
    assert_fails_by(&run(&plan_by("self-heal", 3, &careless)), "outcome");
    // Nor does a look that comes at once.
    let hurried = without_step(BUILT_IN, "stay-recovered");
    assert_fails_by(&run(&plan_by("self-heal", 3, &hurried)), "outcome");
}

#[test]
fn an_undo_without_a_revision_can_not_be_repeated() {
    let text = BUILT_IN.replace(" --to-revision=$TARGET_REVISION", "");
    let result = run(&plan_by("second-undo", 3, &text));
    assert_fails_by(&result, "builds");
}

// --- broken executors --------------------------------------------------------------------------

#[test]
fn an_executor_that_skips_the_fence_leaves_the_books_wrong() {
    let decorate = |_: &sim_exchange::World, ports: Ports| Ports {
        database: Arc::new(Decorated(NoFence::new(Arc::clone(&ports.database)))),
        ..ports
    };
    let result = run_decorated(&plan("balance-anomaly", 3), &decorate).expect("the world builds");
    assert_fails_by(&result, "invariants");
}

/// A rollback to a release that fails requests, with the metrics of the gateways gone from its beginning on, by a
/// procedure that asks nothing but them.
fn blind_drill(reads_no_data_as_zero: bool) -> DrillResult {
    let text = without_step(BUILT_IN, "error-logs");
    let text = without_step(&text, "still-no-error-logs");
    let plan = plan_by("bad-prior", 3, &text);
    let decorate = move |world: &sim_exchange::World, ports: Ports| {
        let world = world.clone();
        let ports = if reads_no_data_as_zero {
            no_data_is_zero(ports)
        } else {
            ports
        };
        // The executor takes its lease when it begins to act: from then on nobody can scrape the gateways.
        let acts = |w: &mut sim_exchange::WorldState| {
            let lease = w.cluster.object(Kind::Lease, "dex-production", "rollback");
            lease.is_some()
        };
        tokio::spawn(async move {
            while !world.with(acts) {
                world.sleep(Micros::from_millis(100)).await;
            }
            world.with(|w| {
                let fault = Some(ScrapeFault::Unreachable);
                w.prometheus.set_scrape_fault("gateway", fault);
            });
        });
        ports
    };
    run_decorated(&plan, &decorate).expect("the world builds")
}

#[test]
fn an_executor_that_reads_no_data_as_zero_claims_a_recovery_that_clients_do_not_see() {
    assert_fails_by(&blind_drill(true), "claim");
}

#[test]
fn the_sound_executor_does_not_pass_without_data() {
    let result = blind_drill(false);
    let claim = result
        .findings
        .iter()
        .find(|f| f.oracle() == OracleName::Claim)
        .expect("every drill is asked");
    assert_eq!(
        claim.verdict(),
        Verdict::Pass,
        "nothing is claimed: {claim}"
    );
    assert_eq!(result.rto_claimed_ms, None);
    assert_passes(&result);
}

// --- releases left alone -----------------------------------------------------------------------

#[test]
fn left_alone_the_slow_path_breaches_its_latency_for_good() {
    let result = run(&plan_by("latency-regression", 3, &disarmed(BUILT_IN)));
    assert_fails_by(&result, "rto");
    assert!(
        failed(&result).contains(&"trigger"),
        "{:#?}",
        result.problems()
    );
    assert_eq!(result.rto_ms, None);
}

#[test]
fn left_alone_the_double_credit_keeps_the_books_wrong() {
    let result = run(&plan_by("balance-anomaly", 3, &disarmed(BUILT_IN)));
    assert_fails_by(&result, "invariants");
}

#[test]
fn left_alone_the_breaking_migration_goes_on_failing_orders() {
    let result = run(&plan_by("breaking-migration", 3, &disarmed(BUILT_IN)));
    assert_fails_by(&result, "rto");
    assert_fails_by(&result, "state");
}
