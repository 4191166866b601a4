//! What a search meets is in the catalogue of marks, and nothing is met that the code says can't be; a search goes on
//! where the one before it ended, with what that one left.

use std::collections::BTreeSet;
use std::sync::Arc;

use e2e::drills::{plan, without_step};
use firedrill::drill::{self, DrillResult};
use firedrill::runbooks::{BUILT_IN, LoadedRunbook};
use firedrill::scenario::{Crash, CrashSide, Scenario};
use firedrill::search::{
    Catalogue, Corpus, Coverage, Mark, Met, Options, Part, Searched, Space, Start, search_on, write,
};
use firedrill::token::Replays;
use firedrill::worlds::DrillPlan;

fn options(seed: u64, first: u64, drills: u64, jobs: usize) -> Options {
    Options {
        seed,
        first,
        drills,
        jobs,
        known: Vec::new(),
    }
}

fn searched(text: &str, options: &Options, start: &Start) -> Searched {
    let runbook = LoadedRunbook::parse("changed.md", text).expect("it loads");
    let space = Space::new(&runbook);
    let found = search_on(&space, options, start, &|| false, &mut |_| {});
    found.expect("there is something to draw")
}

fn coverage(plan: &DrillPlan) -> (DrillResult, Coverage) {
    let result = drill::run(plan).expect("the world builds");
    let coverage = Coverage::of(&plan.scenario, &plan.runbook.runbook, &result);
    (result, coverage)
}

fn words(coverage: &Coverage) -> BTreeSet<String> {
    coverage.iter().map(|(met, _)| met.to_string()).collect()
}

fn changed(name: &str, edit: impl FnOnce(&mut Scenario)) -> DrillPlan {
    let plan = plan(name, 1);
    let scenario = Scenario::clone(&plan.scenario).with(edit);
    DrillPlan {
        scenario: Arc::new(scenario),
        ..plan
    }
}

#[test]
fn a_drill_tells_which_branches_of_the_planner_ran() {
    let (_, met) = coverage(&plan("breaking-migration", 1));
    let met = words(&met);
    for expected in [
        "the ledger: lossless-undo",
        "undo-schema planned: ledger-is-undone",
        "restore-ledger planned: instead-of-another",
        "restore-ledger: skipped",
        "halt-trading: done",
        "resume-rollout left out: not-paused",
        "resume-rollout planned: stands-by",
        "check-health planned: every-rollback",
        "back to: replica-set",
    ] {
        assert!(met.contains(expected), "{expected}: {met:#?}");
    }
    let (_, met) = coverage(&plan("history-pruned", 1));
    let met = words(&met);
    assert!(met.contains("back to: recorded"), "{met:#?}");
}

/// On that path, the halt is the first step, and among the first requests of a rollback.
#[test]
fn a_step_meets_the_executor_s_death_on_the_right_side_of_its_effect() {
    let mut sides = BTreeSet::new();
    for request in 1..=40 {
        let plan = changed("balance-anomaly", |it| {
            it.crash = Some(Crash {
                request,
                side: CrashSide::After,
                resume_after: std::time::Duration::from_secs(2),
            });
        });
        let (result, met) = coverage(&plan);
        let struck: Vec<String> = met
            .iter()
            .filter(|(met, _)| matches!(met, Met::Struck { .. }))
            .map(|(met, _)| met.to_string())
            .collect();
        let died = result.faults.iter().any(|it| it.what.contains("killed"));
        // At the very end of a step it meets the next one as well.
        assert!(
            died && (1..=2).contains(&struck.len()),
            "{request}: {struck:?}"
        );
        sides.extend(struck);
    }
    for expected in [
        "halt-trading met crash before its effect",
        "halt-trading met crash after its effect",
    ] {
        assert!(sides.contains(expected), "{sides:#?}");
    }
}

#[test]
fn what_lasts_meets_the_steps_of_its_time_with_their_services() {
    let (_, met) = coverage(&plan("api-slow", 1));
    let met = words(&met);
    let undo = "undo-app (gateway) met api-slow before its effect";
    assert!(met.contains(undo), "{met:#?}");
    let hit = met.iter().any(|it| it.starts_with("api-slow hits at"));
    assert!(hit, "{met:#?}");
}

/// Whatever a search meets is a mark of the catalogue, and none of those that the code calls unreachable.
#[test]
fn a_search_meets_only_what_can_be_met_and_lists_the_rest() {
    let runbook = LoadedRunbook::built_in().expect("it loads");
    let catalogue = Catalogue::of(&runbook.runbook);
    let marks: BTreeSet<&Mark> = catalogue.marks().map(|(mark, _)| mark).collect();
    let found = searched(BUILT_IN, &options(21, 0, 64, 2), &Start::default());
    assert_eq!(found.stopped, None);
    let tally = catalogue.tally(&found.coverage);
    let unknown: BTreeSet<String> = found
        .coverage
        .iter()
        .filter_map(|(met, _)| Mark::of(met))
        .filter(|mark| !marks.contains(mark))
        .map(|mark| mark.to_string())
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
    let refuted: Vec<String> = tally
        .refuted()
        .map(|(mark, why)| format!("{mark}, though {why}"))
        .collect();
    assert!(refuted.is_empty(), "{refuted:#?}");
    for part in Part::ALL {
        let counts = tally.counts(part);
        assert!(counts.met > 0 && counts.met <= counts.all, "{part:?}");
    }
    // So few drills must not fail for what they did not meet.
    assert!(tally.holes().count() > 0);
    assert!(found.never_reached(&catalogue).is_empty());
    // So many would.
    let many = Searched {
        drills_before: 10_000,
        ..found.clone()
    };
    assert_eq!(many.never_reached(&catalogue).len(), tally.holes().count());
    // And the report says so.
    let folder = tempfile::tempdir().expect("a folder");
    let replays = Replays {
        program: "firedrill".to_owned(),
        ..Replays::default()
    };
    write(folder.path(), 21, 0, &found, &catalogue, &replays).expect("it is written");
    let text = std::fs::read_to_string(folder.path().join("search.json")).expect("there");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let holes: usize = json["marks"]
        .as_array()
        .expect("parts")
        .iter()
        .map(|part| part["holes"].as_array().expect("holes").len())
        .sum();
    assert_eq!(holes, tally.holes().count());
    let rows = json["matrix"]["rows"].as_array().expect("rows");
    let columns = json["matrix"]["columns"].as_array().expect("columns");
    for row in rows {
        assert_eq!(row["cells"].as_array().expect("cells").len(), columns.len());
    }
    let summary = std::fs::read_to_string(folder.path().join("summary.md")).expect("there");
    assert!(!summary.contains("cargo xtask replay"), "{summary}");
    let page = std::fs::read_to_string(folder.path().join("search.html")).expect("there");
    assert!(page.contains("node-paused") && page.contains("What was never met"));
}

#[test]
fn a_search_goes_on_with_the_corpus_of_the_one_before() {
    let broken = without_step(BUILT_IN, "replay-orders");
    let runbook = LoadedRunbook::parse("changed.md", &broken).expect("it loads");
    let folder = tempfile::tempdir().expect("a folder");
    let night = |jobs| {
        let read = Corpus::read(folder.path()).expect("it reads");
        let mut corpus = read.unwrap_or_else(|| Corpus::new(3));
        let (start, unfit) = corpus.start(folder.path(), &runbook).expect("it reads");
        assert!(unfit.is_empty());
        let options = options(corpus.seed, corpus.next, 64, jobs);
        let found = searched(&broken, &options, &start);
        corpus.take_in(&found);
        corpus.write(folder.path(), &found).expect("it is written");
        (found, corpus)
    };
    let (first, corpus) = night(2);
    assert_eq!((corpus.next, corpus.drills), (64, 64));
    assert_eq!(corpus.cases.len(), first.classes.len());
    assert!(!corpus.cases.is_empty() && corpus.cases.iter().all(|it| it.fails));
    for case in &corpus.cases {
        assert!(folder.path().join(&case.scenario).exists(), "{case:?}");
    }
    let (second, after) = night(2);
    // The cases are tried first, from their files, and fail as they did.
    assert_eq!(second.tried_first, first.classes.len() as u64);
    let classes = |searched: &Searched| -> BTreeSet<String> {
        let classes = searched.classes.iter();
        classes.map(|it| it.class.slug()).collect()
    };
    assert!(classes(&second).is_superset(&classes(&first)));
    let earlier = second.classes.iter().filter(|it| it.earlier).count();
    assert_eq!(earlier, first.classes.len());
    // No drill is searched twice, and what was met is counted on.
    assert_eq!((after.next, after.drills), (128, 128));
    let new = second.classes.iter().filter(|it| !it.earlier);
    assert!(new.clone().all(|it| it.first >= 64));
    for (met, times) in first.coverage.iter() {
        assert!(second.coverage.count(met) >= times, "{met}");
    }
    assert_eq!(Corpus::read(folder.path()).expect("it reads"), Some(after));
}
