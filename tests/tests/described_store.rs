//! A described application with a data store: migrations go back, and every acknowledged write is kept, or the drill
//! fails.

use std::time::Duration;

use e2e::described::{Example, assert_repeats_by_token};
use e2e::drills::{assert_fails_by, assert_passes, changed_step, edited, run, without_step};
use firedrill::drill::{DrillResult, Ending, timeline};
use firedrill::finding::OracleName;
use firedrill::scenario::{Crash, CrashSide, Scenario};
use firedrill::token::Replays;
use firedrill::verdict::Verdict;

/// Several, so that a migration, a snapshot and the pods take other times.
const SEEDS: std::ops::Range<u64> = 1..4;

fn bookings() -> Example {
    Example::new("bookings")
}

/// What the oracle of acknowledged writes found: its kind, and its numbers by name.
fn writes(result: &DrillResult) -> (&'static str, impl Fn(&str) -> i64) {
    let mut findings = result.findings.iter();
    let found = findings.find(|it| it.oracle() == OracleName::AcknowledgedWrites);
    let found = found.expect("it is asked");
    let numbers = found.numbers();
    (found.kind(), move |name: &str| numbers.0[name])
}

#[track_caller]
fn assert_kept(result: &DrillResult) {
    let (kind, number) = writes(result);
    assert_eq!(kind, "there", "{:#?}", result.findings);
    assert!(number("acknowledged") > 5_000, "{}", number("acknowledged"));
    assert_eq!(number("lost") + number("changed") + number("duplicated"), 0);
}

/// A runbook whose trigger says that the data are wrong, so that the snapshot is restored although an undo would do.
fn restores_needlessly() -> String {
    let text = bookings().text("rollback.md");
    assert!(text.contains("class: p0"));
    text.replace("class: p0", "class: data-integrity")
}

#[test]
fn a_breaking_migration_is_undone_and_every_booking_is_kept() {
    for seed in SEEDS {
        let result = run(&bookings().plan("breaking-migration", seed));
        assert_passes(&result);
        assert_eq!(result.ending, Ending::Recovered, "seed {seed}");
        assert_kept(&result);
        let mut steps = result.steps.iter().filter(|it| it.name == "undo-schema");
        let undo = steps.next().expect("it was done");
        assert!(
            undo.detail.contains("U2__split_name.sql"),
            "{}",
            undo.detail
        );
        let shown = timeline::render(&result, &Replays::default());
        let (_, number) = writes(&result);
        let wanted = number("acknowledged").to_string();
        let told = shown
            .lines()
            .find(|line| line.contains("writes acknowledged"));
        let told = told.expect("it has writes").replace(',', "");
        assert!(told.contains(&wanted) && told.ends_with("lost 0"), "{told}");
        assert!(!shown.contains("trades acknowledged"), "{shown}");
    }
}

#[test]
fn without_an_undo_script_the_snapshot_is_restored_and_the_log_brings_back_what_came_since() {
    for seed in SEEDS {
        let result = run(&bookings().plan("no-undo-script", seed));
        assert_passes(&result);
        assert_eq!(result.ending, Ending::Recovered, "seed {seed}");
        assert_kept(&result);
    }
}

#[test]
fn a_migration_that_is_wrongly_marked_as_compatible_leaves_the_prior_release_in_a_crash_loop() {
    for seed in SEEDS {
        let result = run(&bookings().plan("said-compatible", seed));
        assert_passes(&result);
        assert_eq!(result.ending, Ending::Escalated, "seed {seed}");
        assert_kept(&result);
        let ended = |name: &str| {
            let mut steps = result.steps.iter().filter(|it| it.name == name);
            let step = steps.next().expect("it was begun");
            (step.outcome.is_ok(), step.detail.clone())
        };
        assert!(ended("undo-app").0, "`kubectl rollout undo` succeeds");
        let (well, detail) = ended("rollout-status");
        assert!(!well && detail.contains("CrashLoopBackOff"), "{detail}");
    }
}

#[test]
fn a_restore_that_an_undo_would_have_spared_loses_what_was_acknowledged_since() {
    let text = without_step(&restores_needlessly(), "replay");
    for seed in SEEDS {
        let result = run(&bookings().plan_by("breaking-migration", seed, &text));
        assert_fails_by(&result, "acknowledged-writes");
        let (kind, number) = writes(&result);
        assert_eq!(kind, "lost", "{:#?}", result.findings);
        assert!(number("lost") > 100, "{}", number("lost"));
        // The harm to the data is what is told first.
        assert_eq!(
            result.problems()[0].oracle(),
            OracleName::AcknowledgedWrites
        );
    }
    // With its replay, the same restore loses nothing, and is only another way than was expected.
    let result = run(&bookings().plan_by("breaking-migration", 1, &restores_needlessly()));
    assert_kept(&result);
}

#[test]
fn without_a_log_a_restore_loses_and_the_executor_does_not_claim_that_it_has_not() {
    let example = bookings().changed("log = true", "log = false");
    let result = run(&example.plan("no-undo-script", 1));
    assert_fails_by(&result, "acknowledged-writes");
    assert_eq!(writes(&result).0, "lost");
    assert_eq!(result.ending, Ending::Escalated);
    let replay = result.steps.iter().find(|step| step.name == "replay");
    let detail = &replay.expect("it was begun").detail;
    assert!(
        detail.contains("acknowledged bookings are lost"),
        "{detail}"
    );
    // Whoever is paged reads in the application's own words how it stands.
    let mut told = result.timeline.iter();
    let halted = "The ledger stays fenced: booking is halted.";
    assert!(
        told.any(|it| it.what.contains(halted)),
        "{:#?}",
        result.timeline
    );
}

/// One request in five hundred is a write: behind a fence that stays up, nearly every request succeeds all the same.
#[test]
fn a_fence_that_is_left_up_fails_the_drill_however_few_write() {
    let example = bookings().changed("writes = 0.2", "writes = 0.002");
    let text = without_step(&example.text("rollback.md"), "unfence");
    let text = changed_step(&text, "error-rate", "< 0.0001", "< 0.01");
    let text = changed_step(&text, "error-rate", "\"30000\"", "\"3000\"");
    let scenario =
        example.text("scenarios/breaking-migration.toml") + "error_rate_max = \"0.5%\"\n";
    let result = run(&example.plan_of(&scenario, 1, &text));
    // The executor says that it has recovered, and no look agrees.
    assert_eq!(result.ending, Ending::NeverRecovered);
    for oracle in ["claim", "maintenance", "state", "rto"] {
        assert_fails_by(&result, oracle);
    }
}

/// Nothing brings the snapshot up to date, since the database is away from the replay on: a person is called, and what
/// the log has is not lost.
#[test]
fn a_restore_that_can_t_be_completed_loses_nothing_that_the_log_has() {
    let example = bookings();
    let scenario = example.text("scenarios/no-undo-script.toml")
        + "outcome = \"escalated\"\n[[faults]]\nkind = \"unreachable\"\ntarget = \"database\"\nwhen = \"step replay\"\n";
    let result = run(&example.plan_of(&scenario, 1, &example.text("rollback.md")));
    assert_passes(&result);
    let (kind, number) = writes(&result);
    assert_eq!(kind, "there");
    assert!(number("to_bring_back") > 100, "{:#?}", result.findings);
}

#[test]
fn a_release_that_migrates_below_the_schema_that_it_meets_is_refused() {
    let text = "name = \"s\"\n[release]\nfrom = \"1.2.0\"\nto = \"1.1.0\"\n[expect]\ntrigger = \"too-many-errors\"\n";
    let refused = Scenario::parse_of(&bookings().app(), "s.toml", text, &[]);
    let refused = refused.expect_err("Flyway refuses it").mistakes;
    let told: Vec<String> = refused.iter().map(ToString::to_string).collect();
    let said = "s.toml:4:6: `1.1.0` migrates to version 2, and `1.2.0` has left the schema at 3";
    assert!(told.iter().any(|it| it == said), "{told:#?}");
}

#[test]
fn an_undo_script_that_drops_a_column_changes_what_was_acknowledged() {
    let example = bookings();
    let scenario = example.text("scenarios/breaking-migration.toml");
    let scenario = scenario.replace("to = \"1.1.0\"", "to = \"1.4.0\"");
    for seed in SEEDS {
        let plan = example.plan_of(&scenario, seed, &example.text("rollback.md"));
        let result = run(&plan);
        assert_fails_by(&result, "acknowledged-writes");
        let (kind, number) = writes(&result);
        assert_eq!((kind, number("lost")), ("changed", 0));
        assert!(number("changed") > 100, "{}", number("changed"));
    }
}

#[test]
fn a_release_whose_defect_breaks_the_schema_is_undone_like_one_that_says_so() {
    // The build that is there before is described to work on version 2 as well, and the file says so, too.
    let example = bookings()
        .changed("needs = { schema = 1,", "needs = { schema = \"1..2\",")
        .changed(
            "schema = { bookings = 2 }\ndefects = [",
            "schema = { bookings = 2 }\ndefects = [{ service = \"bookings\", kind = \"breaking-schema\" }, ",
        );
    let result = run(&example.plan("breaking-migration", 2));
    assert_passes(&result);
    assert_kept(&result);
}

#[test]
fn an_executor_that_dies_in_the_middle_is_followed_by_another_and_nothing_is_lost() {
    for scenario in ["breaking-migration", "no-undo-script"] {
        for request in [10, 14, 18, 22, 26] {
            let plan = edited(bookings().plan(scenario, 5), |scenario: &mut Scenario| {
                scenario.crash = Some(Crash {
                    request,
                    side: CrashSide::After,
                    resume_after: Duration::from_secs(5),
                });
            });
            let result = run(&plan);
            assert_ne!(
                result.verdicts.overall,
                Verdict::Fail,
                "{:#?}",
                result.problems()
            );
            assert_kept(&result);
        }
    }
}

#[test]
fn a_database_that_is_away_for_a_while_delays_the_undo_and_loses_nothing() {
    let example = bookings();
    let fault = "\n[[faults]]\nkind = \"unreachable\"\ntarget = \"database\"\n\
                 when = \"step undo-schema\"\nlasts = \"6s\"\n";
    let scenario = example.text("scenarios/breaking-migration.toml") + fault;
    let result = run(&example.plan_of(&scenario, 3, &example.text("rollback.md")));
    assert_passes(&result);
    assert_kept(&result);
    let hits = result.faults_seen[0].map(|(_, hits)| hits);
    assert!(hits.is_some_and(|hits| hits > 0), "{hits:?}");
}

#[test]
fn the_same_seed_gives_the_same_drill_and_its_token_holds_the_store() {
    assert_repeats_by_token(bookings().plan("no-undo-script", 7));
}

#[test]
fn a_runbook_that_looks_for_the_migrations_elsewhere_is_refused() {
    let example = bookings();
    let text = example.text("rollback.md");
    let text = text.replace("migrations: bookings-migrations\n", "");
    let runbook = firedrill::runbooks::LoadedRunbook::parse("rollback.md", &text);
    let refused = runbook
        .expect("it is a runbook")
        .check_services(Some(&example.app()))
        .expect_err("the files are not there");
    let said = refused.to_string();
    assert!(said.contains("`migrations`"), "{said}");
    let help = refused.help().map(|help| help.to_string());
    let help = help.unwrap_or_default();
    assert!(help.contains("`migrations: bookings-migrations`"), "{help}");
}
