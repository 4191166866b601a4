//! Proof of judgement: changes of the runbook, each with the answer that a careful engineer would give and a reason
//! that the output must name. The baseline is the built-in runbook; its drills are performed once for all changes.

mod cases;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use self::cases::assert_readable;
use e2e::drills::{SCENARIOS, changed, move_step, scenarios, without_step};
use firedrill::runbooks::BUILT_IN;
use firedrill::scenario::Scenario;
use firedrill::verify::Answer::{Adopt, Inconclusive, Reject};
use firedrill::verify::{Question, RunbookSide, Runs, Terms, details, source, text, verify};
use firedrill::worlds::WorldKind;

use self::cases::{SEEDS, TERMS, assert_all, attribute, attribute_of, case, in_block, judge, read};

#[test]
fn harmless_changes_are_adopted() {
    let both_for_rollout = attribute_of(
        &attribute("rollout-status", "\"16s\"", "\"18s\""),
        "error-rate",
        "\"161s\"",
        "\"155s\"",
    );
    let cases = vec![
        // The reserve covers what a budget lacks, as long as the exchange can still recover in time.
        case(
            "a rollout's time out of the reserve",
            attribute("rollout-status", "\"16s\"", "\"1s\""),
            Adopt,
            "`rollout-status` may take 1s instead of 16s",
        ),
        case(
            "the proof's time out of the reserve",
            attribute("error-rate", "\"161s\"", "\"100s\""),
            Adopt,
            "`error-rate` may take 1m40s instead of 2m41s",
        ),
        case(
            "wording",
            changed(
                "You are here because a release went bad.",
                "A release went bad.",
            ),
            Adopt,
            "nothing changes what is done",
        ),
        case(
            "another heading",
            changed("## Fence the ledger", "## Keep writers out"),
            Adopt,
            "nothing changes what is done",
        ),
        case(
            "another name",
            attribute("check-health", "check-health", "ask-every-pod"),
            Adopt,
            "`check-health` is called `ask-every-pod` now",
        ),
        case(
            "two checks swapped",
            move_step(BUILT_IN, "books-balance", "error-logs"),
            Adopt,
            "`error-logs` (asks the logs) now comes after `books-balance`",
        ),
        case(
            "a longer timeout afterwards",
            attribute("post-mortem", "\"30s\"", "\"60s\""),
            Adopt,
            "`post-mortem` may take 1m instead of 30s",
        ),
        case(
            "time given from one step to another",
            both_for_rollout,
            Adopt,
            "`rollout-status` may take 18s instead of 16s",
        ),
        case(
            "more requests asked for",
            attribute(
                "error-rate",
                "\"rb.min-requests\":\"30000\"",
                "\"rb.min-requests\":\"31000\"",
            ),
            Adopt,
            "wants 31,000 requests instead of 30,000",
        ),
    ];
    assert_all(&SCENARIOS, cases);
}

#[test]
fn harmful_changes_are_rejected_by_drills() {
    let no_fence = without_step(&without_step(BUILT_IN, "fence-ledger"), "unfence-ledger");
    let cases = vec![
        case(
            "no fence",
            no_fence,
            Reject,
            "`fence-ledger` (fences the ledger) is gone",
        ),
        case(
            "the fence after the restore",
            move_step(BUILT_IN, "fence-ledger", "replay-orders"),
            Reject,
            "`fence-ledger` (fences the ledger) now comes after `restore-ledger`",
        ),
        case(
            "application before schema",
            move_step(BUILT_IN, "undo-schema", "review-replica-sets"),
            Reject,
            "`undo-schema` (undoes the migration) now comes after `rollout-status`",
        ),
        case(
            "snapshot instead of undo",
            // Only an undo can be made good by a restore: that goes with it.
            attribute("undo-schema", ",\"rb.on-fail\":\"restore\"", "").replace(
                "flyway undo -target=$TARGET_SCHEMA",
                "rollback db restore --snapshot before_release",
            ),
            Reject,
            "there is no plan any more",
        ),
        case(
            "no replay after the restore",
            without_step(BUILT_IN, "replay-orders"),
            Reject,
            "`replay-orders` (replays the log since the snapshot) is gone",
        ),
        case(
            "logs dumped after the pods are gone",
            move_step(BUILT_IN, "dump-logs", "error-rate"),
            Reject,
            "`dump-logs` (saves the logs of the last 15m) now comes after",
        ),
        case(
            "trading is never opened",
            without_step(BUILT_IN, "open-trading"),
            Reject,
            "`open-trading` (sets mode=open in `dex-trading`) is gone",
        ),
        case(
            "a trigger that fires late",
            changed(
                "    condition: \"> 0.1\"\n    for: 15s",
                "    condition: \"> 0.1\"\n    for: 90s",
            ),
            Reject,
            "`p0-order-failures` fired instead of `sla-latency-p99`",
        ),
        case(
            "a trigger that never fires",
            changed("    condition: \"> 0.1\"", "    condition: \"> 60\""),
            Reject,
            "trigger `sla-latency-p99` fires at `> 60` instead of `> 0.1`",
        ),
    ];
    assert_all(&SCENARIOS, cases);
}

#[test]
fn what_arithmetic_or_the_procedure_forbids_is_rejected_whatever_drills_say() {
    let no_minimum = {
        let at = BUILT_IN.find("\"rb.min-requests\"").expect("it is there");
        let end = at + BUILT_IN[at..].find("}\n").expect("the fence's line ends");
        format!(
            "{}{}",
            BUILT_IN[..at].trim_end_matches(','),
            &BUILT_IN[end..]
        )
    };
    let zero = changed(
        "promql 'max(dex_reconciliation_anomalies{namespace=\"dex-production\"})'",
        "promql 'max(dex_reconciliation_anomalies{namespace=\"dex-production\"}) or vector(0)'",
    );
    let cases = vec![
        case(
            "fewer requests",
            attribute(
                "error-rate",
                "\"rb.min-requests\":\"30000\"",
                "\"rb.min-requests\":\"3000\"",
            ),
            Reject,
            "content with 3000 requests, and 30000 are needed",
        ),
        case(
            "no number of requests",
            no_minimum,
            Reject,
            "content with no number of requests",
        ),
        case(
            "no data reads as zero",
            zero,
            Reject,
            "`books-balance` reads no data as a value",
        ),
        case(
            "a longer objective",
            changed("rto: 300s", "rto: 600s"),
            Reject,
            "the RTO is raised from 5m to 10m",
        ),
        case(
            "go on without the fence",
            attribute(
                "fence-ledger",
                "\"rb.when\"",
                "\"rb.on-fail\":\"continue\",\"rb.when\"",
            ),
            Reject,
            "on failure abort → continue",
        ),
    ];
    assert_all(&SCENARIOS[..1], cases);
}

#[test]
fn what_no_drill_tries_is_not_adopted() {
    let cases = vec![
        case(
            "no pin",
            changed(" --to-revision=$TARGET_REVISION", ""),
            Inconclusive,
            "would be judged otherwise without the pin",
        ),
        case(
            "no hold",
            without_step(BUILT_IN, "stay-recovered"),
            Inconclusive,
            "would be judged otherwise without `stay-recovered`",
        ),
        case(
            "a shorter hold",
            attribute(
                "stay-recovered",
                "\"rb.hold\":\"60s\"",
                "\"rb.hold\":\"10s\"",
            ),
            Inconclusive,
            "`stay-recovered` need hold for 10s only",
        ),
        case(
            "no health check",
            without_step(BUILT_IN, "check-health"),
            Inconclusive,
            "`check-health` (checks the health of every pod at port 8080) is gone",
        ),
        case(
            "no build check",
            without_step(BUILT_IN, "check-build"),
            Inconclusive,
            "would be judged otherwise without `check-build`",
        ),
        case(
            "paused Deployments are forgotten",
            without_step(BUILT_IN, "resume-rollout"),
            Inconclusive,
            "an undo of a paused Deployment is refused. Not shown: no drill carries it out",
        ),
        case(
            "a budget beyond the objective",
            attribute("rollout-status", "\"16s\"", "\"18s\""),
            Inconclusive,
            "more than the RTO of",
        ),
        case(
            "a looser condition",
            attribute("error-rate-worst-pod", "< 0.001", "< 0.05"),
            Inconclusive,
            "expects `< 0.05` instead of `< 0.001`",
        ),
        case(
            "a window from before recovery",
            in_block("error-rate-worst-pod", "$WINDOW", "15s"),
            Inconclusive,
            "this window may reach back before the recovery",
        ),
        case(
            "a shorter debounce",
            changed(
                "    condition: \"> 0.1\"\n    for: 15s",
                "    condition: \"> 0.1\"\n    for: 10s",
            ),
            Inconclusive,
            "if `sla-latency-p99` fired as soon as its condition holds",
        ),
        case(
            "checks before the undo",
            move_step(BUILT_IN, "check-health", "dump-logs"),
            Inconclusive,
            "it looks at the release that is about to go",
        ),
        case(
            "a trigger is dropped that nothing fires",
            {
                let at = BUILT_IN
                    .find("  - name: p0-state-hash")
                    .expect("it is there");
                let end = at
                    + BUILT_IN[at..]
                        .find("  - name: p0-order-failures")
                        .expect("the next one");
                format!("{}{}", &BUILT_IN[..at], &BUILT_IN[end..])
            },
            Inconclusive,
            "the trigger `p0-state-hash` is gone",
        ),
    ];
    assert_all(&SCENARIOS, cases);
}

#[test]
fn a_misspelled_attribute_does_not_load() {
    let text = changed("\"rb.on-fail\":\"continue\"", "\"rb.on-fial\":\"continue\"");
    let errors = RunbookSide::parse("candidate.md", &text).expect_err("refused");
    assert!(
        errors.plain().contains("did you mean `rb.on-fail`"),
        "{}",
        errors.plain()
    );
}

#[test]
fn what_was_interrupted_is_judged_by_what_came_to_an_end() {
    let late = without_step(BUILT_IN, "restore-config");
    // The flag is set once as many drills as that are done: the baseline's two, and one of the candidate's,
    // which fails.
    for (drills, answer, pairs) in [(2, Inconclusive, 0), (3, Reject, 1)] {
        let stop = AtomicBool::new(false);
        let done = AtomicUsize::new(0);
        let finished = || {
            if done.fetch_add(1, Ordering::Relaxed) + 1 == drills {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let mut runs = Runs::new(WorldKind::Sim, 1, &stop, &finished);
        let judgement = judge(BUILT_IN, &late, &["latency-regression"], &mut runs);
        let said = text(&judgement);
        assert_eq!(judgement.answer, answer, "{said}");
        assert_eq!(judgement.seeds, (pairs, SEEDS), "{said}");
        assert!(judgement.interrupted && judgement.smallest.is_none());
        assert_eq!(judgement.drills, drills as u64);
        assert!(
            said.contains(&format!("interrupted after {pairs} of 2 seeds")),
            "{said}"
        );
    }
}

#[test]
fn a_handful_of_pairs_rejects_nothing_as_too_slow() {
    let later = changed(
        "    condition: \"> 0.1\"\n    for: 15s",
        "    condition: \"> 0.1\"\n    for: 20s",
    );
    let stop = AtomicBool::new(false);
    let mut runs = Runs::new(WorldKind::Sim, 2, &stop, &|| {});
    for (seeds, answer, says) in [
        (
            3,
            Inconclusive,
            "no number of seeds shows that: choose a wider --margin, or mend it",
        ),
        (12, Reject, "the impact grows by more than the margin"),
    ] {
        let question = Question {
            baseline: read(BUILT_IN),
            candidate: read(&later),
            reference: None,
            scenarios: scenarios(&["latency-regression"]),
            seeds: 3..3 + seeds,
            terms: Terms {
                pairs_min: 5,
                ..TERMS
            },
        };
        let judgement = verify(&question, &mut runs).expect("the simulated world builds");
        let said = text(&judgement);
        let flat: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(judgement.answer, answer, "{said}");
        assert!(flat.contains(says), "{said}");
    }
}

#[test]
fn the_runbook_is_no_worse_than_the_bare_procedure_and_not_the_other_way_round() {
    let stop = AtomicBool::new(false);
    let mut runs = Runs::new(WorldKind::Sim, 2, &stop, &|| {});
    // What happens after a failed undo is another matter there: a drill in which it fails shows that it is no worse.
    let drills = [
        SCENARIOS[0],
        SCENARIOS[1],
        SCENARIOS[2],
        "undo-script-failing",
    ];
    let judgement = judge(source::PROCEDURE_TEXT, BUILT_IN, &drills, &mut runs);
    let said = format!("{}\n{}", text(&judgement), details(&judgement));
    // Nothing speaks against it; that no drill here needs the fence, say, is not hidden.
    assert_eq!(judgement.answer, Inconclusive, "{said}");
    assert!(said.contains("newly passing"), "{said}");
    assert!(
        said.contains("`fence-ledger` (fences the ledger) is new"),
        "{said}"
    );
    let back = judge(BUILT_IN, source::PROCEDURE_TEXT, &SCENARIOS, &mut runs);
    assert_eq!(back.answer, Reject, "{}", text(&back));
}

#[test]
fn steps_by_small_steps_are_held_against_a_reference() {
    let slower = |by: &str| {
        changed(
            "    condition: \"> 0.1\"\n    for: 15s",
            &format!("    condition: \"> 0.1\"\n    for: {by}"),
        )
    };
    let stop = AtomicBool::new(false);
    let mut runs = Runs::new(WorldKind::Sim, 2, &stop, &|| {});
    let mut question = Question {
        baseline: read(&slower("23s")),
        candidate: read(&slower("25s")),
        reference: None,
        scenarios: scenarios(&["latency-regression"]),
        seeds: 3..13,
        terms: TERMS,
    };
    let step = verify(&question, &mut runs).expect("the simulated world builds");
    assert_ne!(step.answer, Reject, "{}", text(&step));
    question.reference = Some(read(BUILT_IN));
    let all = verify(&question, &mut runs).expect("the simulated world builds");
    assert_eq!(all.answer, Reject, "{}", text(&all));
    let said = text(&all);
    assert!(said.contains("against the reference"), "{said}");
    assert_readable("reference", &all);
}

#[test]
fn a_new_failure_is_cut_down_and_replays_on_both_sides() {
    let stop = AtomicBool::new(false);
    let mut runs = Runs::new(WorldKind::Sim, 2, &stop, &|| {});
    let late = without_step(BUILT_IN, "restore-config");
    let question = Question {
        baseline: read(BUILT_IN),
        candidate: read(&late),
        reference: None,
        scenarios: scenarios(&["latency-regression"]),
        seeds: 5..6,
        terms: Terms {
            shrink_budget: 12,
            ..TERMS
        },
    };
    let judgement = verify(&question, &mut runs).expect("the simulated world builds");
    let smallest = judgement.smallest.as_ref().expect("it fails newly");
    assert!(!smallest.cut.is_empty(), "{smallest:?}");
    assert!(smallest.tried <= 12);
    for (token, verdict) in [
        (&smallest.baseline_replay, firedrill::verdict::Verdict::Pass),
        (
            &smallest.candidate_replay,
            firedrill::verdict::Verdict::Fail,
        ),
    ] {
        let token = firedrill::token::Token::decode(token, BUILT_IN).expect("its own token");
        let runbook = firedrill::runbooks::LoadedRunbook::parse("token", &token.runbook_text);
        let plan = firedrill::worlds::DrillPlan {
            world: token.world,
            scenario: Arc::new(
                Scenario::parse("token", &token.scenario_text, &[]).expect("it loads"),
            ),
            runbook: runbook.unwrap_or_else(|e| panic!("{}", e.plain())),
            seed: token.seed,
            until: token.until,
            executor: None,
        };
        let again = firedrill::drill::run(&plan).expect("the simulated world builds");
        assert_eq!(again.verdicts.overall, verdict, "{:?}", again.problems());
    }
}

#[test]
fn a_drill_that_ends_once_it_has_held_measures_the_same() {
    for name in SCENARIOS {
        let mut held = e2e::drills::plan(name, 4);
        let mut whole = held.clone();
        held.until = firedrill::worlds::Until::Held;
        // Such a drill deploys sooner.
        let mut hurried = Scenario::clone(&whole.scenario);
        hurried.timing = hurried.timing.hurried();
        whole.scenario = Arc::new(hurried);
        let (whole, held) = (e2e::drills::run(&whole), e2e::drills::run(&held));
        assert_eq!(held.verdicts, whole.verdicts, "{:#?}", held.problems());
        assert_eq!(
            (held.rto_ms, held.impact_ms),
            (whole.rto_ms, whole.impact_ms)
        );
        assert_eq!(held.steps, whole.steps);
        assert!(held.requests_after_recovery * 2 < whole.requests_after_recovery);
    }
}
