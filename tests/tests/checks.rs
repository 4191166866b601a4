//! Each step of the built-in runbook has a drill in which it matters, each trigger one in which it must fire and one in
//! which it must not. The steps and drills are in `e2e::checks`, `e2e::orders` and `e2e::triggers`,
//! and the book shows them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use e2e::checks::{CHECKS, Check, Edit, MASKED, Must, PassedOver, table_of_steps};
use e2e::covered::{COVERED, list_of_covered};
use e2e::drills::{assert_fails_by, assert_passes, edited, plan, plan_by, run, scenarios};
use e2e::orders::{INDIFFERENT, ORDERS, table_of_orders};
use e2e::triggers::{TRIGGERS, table_of_triggers};
use firedrill::drill::DrillResult;
use firedrill::finding::OracleName;
use firedrill::runbooks::{BUILT_IN, LoadedRunbook};
use firedrill::scenario::Anchor;
use firedrill::verdict::Verdict;
use firedrill::verify::{Answer, Margin, Question, RunbookSide, Runs, Terms, verify};
use firedrill::worlds::WorldKind;

/// Seeds for each drill. The nightly runs the scenarios with more, but with the built-in runbook only.
const SEEDS: u64 = 2;

/// Seeds where something shows in some drills only, or must show in none.
const MANY: u64 = 20;

/// Which of the seeds of `scenario` do not fail by `runbook`, in which `step` is changed. One that does not even load
/// fails them all. One whose faults never came shows nothing, however it ends.
fn passes_by(step: &str, scenario: &str, what: &str, runbook: &str) -> Vec<String> {
    if LoadedRunbook::parse("changed.md", runbook).is_err() {
        return Vec::new();
    }
    let drills = (0..SEEDS).map(|seed| (seed, run(&plan_by(scenario, seed, runbook))));
    drills
        .filter(|(_, result)| result.verdicts.overall != Verdict::Fail || !all_faults_came(result))
        .map(|(seed, result)| {
            format!(
                "{step} {what}: {scenario} seed {seed} is {:?}: {:?}",
                result.verdicts.overall,
                result.problems()
            )
        })
        .collect()
}

/// Whether the drill was what its scenario says.
fn all_faults_came(result: &DrillResult) -> bool {
    let mut findings = result.findings.iter();
    findings.all(|it| it.oracle() != OracleName::FaultFired || it.verdict() == Verdict::Pass)
}

#[test]
fn each_steps_drill_passes_with_it_and_fails_without_it() {
    let mut wrong = Vec::new();
    for check in CHECKS {
        for seed in 0..SEEDS {
            assert_passes(&run(&plan(check.scenario, seed)));
        }
        if !check.hidden_by.is_empty() {
            let alone = check.alone_in(BUILT_IN);
            wrong.extend(failures_by(check.step, check.scenario, &alone));
        }
        let removed = check.removed_from(BUILT_IN);
        wrong.extend(passes_by(check.step, check.scenario, "removed", &removed));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_check_that_checks_nothing_fails_its_drill() {
    let mut wrong = Vec::new();
    for check in CHECKS {
        if let Some(runbook) = check.vacuous_in(BUILT_IN) {
            wrong.extend(passes_by(check.step, check.scenario, "vacuous", &runbook));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Which of the seeds of `scenario` do not pass by `runbook`, in which `step` is changed.
fn failures_by(step: &str, scenario: &str, runbook: &str) -> Vec<String> {
    failures_of(step, scenario, runbook, SEEDS)
}

/// The same of so many seeds.
fn failures_of(step: &str, scenario: &str, runbook: &str, seeds: u64) -> Vec<String> {
    let drills = (0..seeds).map(|seed| (seed, run(&plan_by(scenario, seed, runbook))));
    drills
        .filter(|(_, result)| result.verdicts.overall != Verdict::Pass)
        .map(|(seed, it)| format!("{step}: {scenario} seed {seed}: {:#?}", it.problems()))
        .collect()
}

/// That `scenario` fails with none of many seeds by `runbook`, in which `step` is changed, or fails where it does by
/// the built-in runbook, too.
fn never_fails_by(step: &str, scenario: &str, runbook: &str) -> Vec<String> {
    let fails =
        |seed: &u64| run(&plan_by(scenario, *seed, runbook)).verdicts.overall == Verdict::Fail;
    match (0..MANY).find(fails) {
        None => vec![format!(
            "{step}: {scenario} fails with none of {MANY} seeds"
        )],
        Some(seed) => {
            assert_passes(&run(&plan(scenario, seed)));
            Vec::new()
        }
    }
}

#[test]
fn a_step_whose_failure_is_passed_over_fails_its_drill() {
    let mut wrong = Vec::new();
    for check in CHECKS {
        let Some((runbook, scenario, must)) = check.passed_over_in(BUILT_IN) else {
            continue;
        };
        if check.passed_over != PassedOver::Here {
            wrong.extend(failures_by(check.step, scenario, BUILT_IN));
        }
        wrong.extend(match must {
            Must::Fail => passes_by(check.step, scenario, "passed over", &runbook),
            Must::Pass => failures_of(check.step, scenario, &runbook, MANY),
            Must::FailSometimes => never_fails_by(check.step, scenario, &runbook),
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Few pairs are enough, so that what keeps a candidate from being adopted is the change and not the number of drills.
const TERMS: Terms = Terms {
    margin: Margin {
        least: Duration::from_secs(5),
        percent: 10,
    },
    new_failures_max_ppm: 990_000,
    pairs_min: 1,
    shrink_budget: 0,
};

/// What `verify` answers wrongly to one edit of the built-in runbook.
fn wrongly_verified(check: &Check, edit: Edit, runs: &mut Runs<'_>) -> Option<String> {
    let (text, scenario) = check.edited_in(BUILT_IN, edit)?;
    // What does not load is refused before any drill.
    let candidate = RunbookSide::parse("edited.md", &text).ok()?;
    let question = Question {
        baseline: RunbookSide::parse("built-in.md", BUILT_IN).expect("it loads"),
        candidate,
        reference: None,
        scenarios: scenarios(&[scenario]),
        seeds: 0..if check.shows_in_some(edit) { MANY } else { 1 },
        terms: TERMS,
    };
    let judgement = verify(&question, runs).expect("the simulated world builds");
    let is_covered = COVERED.iter().any(|it| (it.0, it.1) == (check.step, edit));
    let expected = if is_covered {
        Answer::Inconclusive
    } else {
        Answer::Reject
    };
    // What is covered is not adopted because of this very step.
    let named = format!("`{}`", check.step);
    let why = judgement.reasons.iter().any(|it| it.text.contains(&named));
    (judgement.answer != expected || (is_covered && !why)).then(|| {
        let said = firedrill::verify::text(&judgement);
        format!(
            "{} {}: expected {expected} by {scenario}\n{said}",
            check.step,
            edit.in_words()
        )
    })
}

#[test]
fn verify_rejects_each_step_that_loses_its_force() {
    let stop = AtomicBool::new(false);
    let edits: Vec<(&Check, Edit)> = CHECKS
        .iter()
        .flat_map(|check| Edit::ALL.map(|edit| (check, edit)))
        .collect();
    // A drill runs on one thread, and each judgement has few of them.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let some = edits.chunks(edits.len().div_ceil(threads));
        let all: Vec<_> = some
            .map(|some| {
                let stop = &stop;
                scope.spawn(move || {
                    let mut runs = Runs::new(WorldKind::Sim, 1, stop, &|| {});
                    some.iter()
                        .filter_map(|(check, edit)| wrongly_verified(check, *edit, &mut runs))
                        .collect::<Vec<String>>()
                })
            })
            .collect();
        all.into_iter()
            .flat_map(|it| it.join().expect("no judgement panics"))
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn nothing_is_deployed_without_its_snapshot_whatever_the_runbook_passes_over() {
    let name = "\"name\":\"snapshot-ledger\"";
    let passes_over = BUILT_IN.replace(name, &format!("{name},\"rb.on-fail\":\"continue\""));
    let away = plan("database-away-at-trigger", 0).scenario.faults.clone();
    let without = edited(plan_by("balance-anomaly", 0, &passes_over), |scenario| {
        scenario.faults = away;
        scenario.faults[0].when = Anchor::Step("snapshot-ledger".to_owned());
        scenario.faults[0].lasts = None;
    });
    let result = run(&without);
    assert_eq!(result.verdicts.overall, Verdict::Inconclusive);
    assert_eq!(result.rto_claimed_ms, None);
}

#[test]
fn steps_in_a_wrong_order_fail_a_drill() {
    let mut wrong = Vec::new();
    for order in ORDERS {
        let runbook = order.in_runbook(BUILT_IN);
        let what = format!("before {}", order.before);
        wrong.extend(failures_by(order.step, order.scenario, BUILT_IN));
        wrong.extend(passes_by(order.step, order.scenario, &what, &runbook));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The prior gateway starts only beside the prior engine, so that what others depend on goes first.
#[test]
fn services_in_a_wrong_order_fail_a_drill() {
    let (step, scenario) = ("undo-app", "new-market-list");
    let right = "services: [matching, risk, gateway]";
    assert!(BUILT_IN.contains(right));
    let mut wrong = failures_by(step, scenario, BUILT_IN);
    for order in [
        "gateway, risk, matching",
        "risk, gateway, matching",
        "gateway, matching, risk",
    ] {
        let runbook = BUILT_IN.replace(right, &format!("services: [{order}]"));
        wrong.extend(passes_by(step, scenario, &format!("of {order}"), &runbook));
    }
    for order in ["risk, matching, gateway", "matching, gateway, risk"] {
        let runbook = BUILT_IN.replace(right, &format!("services: [{order}]"));
        wrong.extend(failures_by(step, scenario, &runbook));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn orders_of_steps_that_are_said_to_do_no_harm_do_none() {
    let wrong: Vec<String> = INDIFFERENT
        .iter()
        .flat_map(|it| failures_by(it.step, it.scenario, &it.in_runbook(BUILT_IN)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_step_and_no_trigger_of_the_runbook_is_left_out() {
    let runbook = LoadedRunbook::parse("built-in", BUILT_IN).expect("it loads");
    let steps: BTreeSet<&str> = runbook
        .runbook
        .steps
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    let rows = CHECKS.iter().map(|check| check.step);
    let rows: BTreeSet<&str> = rows.chain(MASKED.iter().map(|(step, _)| *step)).collect();
    assert_eq!(rows, steps);
    let triggers: Vec<&str> = TRIGGERS.iter().map(|row| row.trigger).collect();
    assert_eq!(triggers, runbook.triggers());
}

#[test]
fn each_trigger_fires_where_it_must() {
    for row in TRIGGERS {
        for seed in 0..SEEDS {
            let drill = plan(row.fires, seed);
            assert_eq!(drill.scenario.expect.trigger.as_deref(), Some(row.trigger));
            assert_passes(&run(&drill));
        }
    }
}

#[test]
fn each_trigger_keeps_still_where_a_sound_release_comes_near_it() {
    for row in TRIGGERS {
        for seed in 0..SEEDS {
            let drill = plan(row.near, seed);
            assert_eq!(drill.scenario.expect.trigger, None);
            assert_passes(&run(&drill));
            // It is near: a little less, and the trigger fires.
            let hasty = plan_by(row.near, seed, &row.hasty_in(BUILT_IN));
            assert_fails_by(&run(&hasty), "trigger");
        }
    }
}

#[test]
fn the_book_shows_these_tables() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/src/what-each-check-is-for.md");
    let text = std::fs::read_to_string(&page).expect("the page is there");
    let tables = [
        table_of_steps(),
        table_of_triggers(),
        table_of_orders(ORDERS),
        table_of_orders(INDIFFERENT),
    ];
    for table in tables {
        assert!(
            text.contains(&table),
            "{} lacks this table:\n{table}",
            page.display()
        );
    }
    assert!(text.contains(&list_of_covered()), "{}", list_of_covered());
    for (step, why) in MASKED {
        assert!(text.contains(&format!("`{step}`: {why}")), "{step}");
    }
}
