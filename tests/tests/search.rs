//! A search finds what a broken runbook does, sorts it, cuts it down, and is the same on any number of threads;
//! mutants of the runbook are caught.

use std::sync::Arc;

use e2e::drills::{plan, without_step};
use firedrill::drill;
use firedrill::finding::{Finding, OracleName};
use firedrill::runbooks::{BUILT_IN, LoadedRunbook};
use firedrill::scenario::Scenario;
use firedrill::search::{
    Fate, Half, Judged, Mutant, Options, Searched, Space, judge, kill, known, mutants, scenario,
    search,
};
use firedrill::verify::RunbookSide;

/// The classes of failure that are known, with their reasons.
const KNOWN: &str = include_str!("../../scenarios/known-failures.toml");

fn space(text: &str) -> Space {
    Space::new(&LoadedRunbook::parse("changed.md", text).expect("it loads"))
}

fn searched(text: &str, seed: u64, drills: u64, jobs: usize) -> Searched {
    let options = Options {
        seed,
        first: 0,
        drills,
        jobs,
        known: known(KNOWN).expect("it reads"),
    };
    let mut batches = 0;
    let found = search(&space(text), &options, &|| false, &mut |_| batches += 1);
    assert_eq!(batches, drills.div_ceil(firedrill::search::BATCH));
    found.expect("the world builds")
}

/// Without the replay, orders that were acknowledged after the snapshot are gone.
#[test]
fn the_loss_that_a_runbook_causes_is_found_and_cut_down() {
    let broken = without_step(BUILT_IN, "replay-orders");
    let found = searched(&broken, 3, 96, 2);
    let losses: Vec<_> = found
        .classes
        .iter()
        .filter(|it| {
            matches!(
                it.class.found.oracle,
                OracleName::Trades | OracleName::Orders
            )
        })
        .collect();
    assert!(found.has_new_class() && !losses.is_empty());
    // Where a balance is wrong, no fault is needed for it.
    assert!(losses.iter().any(|it| it.class.causes.is_empty()));
    for loss in &losses {
        assert!(loss.drills >= 1 && loss.cut_down);
        // The smallest case fails in the same way, and so does its file.
        let result = drill::run(&loss.smallest).expect("the world builds");
        let judged = judge(loss.class.half, &loss.smallest, &result);
        let Judged::Failed(finding) = judged else {
            panic!("{judged:?}");
        };
        assert_eq!(finding.class(), loss.class.found);
        let text = scenario(loss);
        assert!(text.starts_with("# Found by a search"), "{text}");
        let read = Scenario::parse("found.toml", &text, &[]).expect("it loads");
        assert_eq!(read.faults, loss.smallest.scenario.faults);
    }
}

#[test]
fn a_search_is_the_same_on_any_number_of_threads_and_goes_on_where_it_ended() {
    let broken = without_step(BUILT_IN, "replay-orders");
    let (one, two) = (searched(&broken, 5, 80, 1), searched(&broken, 5, 80, 3));
    let told = |searched: &Searched| {
        let classes = searched.classes.iter();
        let classes: Vec<String> = classes
            .map(|it| format!("{} {} {} {}", it.class, it.drills, it.first, it.replay))
            .collect();
        (classes, searched.coverage.clone(), searched.silent.clone())
    };
    assert_eq!(told(&one), told(&two));
    assert_eq!((one.drills, one.next), (80, 80));
}

#[test]
fn the_built_in_runbook_comes_through_and_few_drills_show_nothing() {
    let found = searched(BUILT_IN, 11, 128, 2);
    let survivable: Vec<String> = found
        .classes
        .iter()
        .filter(|it| it.class.half == Half::Survivable && it.known.is_none())
        .map(|it| format!("{}: {}\n{}", it.class, it.finding, it.replay))
        .collect();
    assert!(survivable.is_empty(), "{}", survivable.join("\n"));
    assert!(
        found.silent() * 20 <= found.drills,
        "{} of {}: {:?}",
        found.silent(),
        found.drills,
        found.silent
    );
    assert!(found.survivable * 3 > found.drills && found.survivable * 3 < found.drills * 2);
}

/// The same drill is judged by what half it is of.
#[test]
fn a_call_for_a_person_fails_only_where_recovery_was_possible() {
    let plan = plan("image-gone", 0);
    let result = drill::run(&plan).expect("the world builds");
    let judged = |half| judge(half, &plan, &result);
    assert_eq!(
        judged(Half::Hostile),
        Judged::Sound,
        "{:?}",
        result.findings
    );
    let mut recovering = Scenario::clone(&plan.scenario);
    recovering.expect.outcome = firedrill::scenario::Expected::Recovered;
    let plan = firedrill::worlds::DrillPlan {
        scenario: Arc::new(recovering.with(|_| {})),
        ..plan
    };
    let result = drill::run(&plan).expect("the world builds");
    assert!(matches!(
        judge(Half::Survivable, &plan, &result),
        Judged::Failed(Finding::Outcome(_))
    ));
    assert_eq!(judge(Half::Hostile, &plan, &result), Judged::Sound);
}

#[test]
fn mutants_are_caught_by_reading_by_rules_and_by_drills() {
    let baseline = RunbookSide::parse("rollback.md", BUILT_IN).expect("it loads");
    let scenarios: Vec<Arc<Scenario>> = ["balance-anomaly", "breaking-migration"]
        .iter()
        .map(|name| plan(name, 0).scenario)
        .collect();
    let all = mutants(BUILT_IN);
    let named = |subject: &str, change: &str| -> Mutant {
        let mut all = all.iter();
        let found = all.find(|it| it.subject == subject && it.change == change);
        found
            .unwrap_or_else(|| panic!("{subject}: {change}"))
            .clone()
    };
    let tried = [
        named("undo-app", "without `rb.for-each`"),
        named("replay-orders", "dropped"),
        named("rollout-status", "dropped"),
        named("services", "without matching"),
    ];
    let tried = kill(&baseline, &tried, &scenarios, 1, 2, &|| false, &|| {});
    let fates: Vec<&str> = tried
        .expect("the world builds")
        .iter()
        .map(|it| it.fate.as_str())
        .collect();
    assert_eq!(fates[0], "refused");
    assert!(matches!(fates[1], "failed" | "wrong"), "{fates:?}");
    assert!(
        fates[2..]
            .iter()
            .all(|&fate| fate != Fate::Survived.as_str()),
        "{fates:?}"
    );
}
