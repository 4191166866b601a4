//! Whether a hunt can be believed: what always fails is caught at once, what is sound is not caught,
//! and a bug is cut down to its cause.

use firedrill::drill;
use firedrill::runbooks::{self, LoadedRunbook};
use firedrill::scenario::Scenario;
use firedrill::token::Token;
use firedrill::verdict::Verdict;
use firedrill::worlds::DrillPlan;
use mutants::bug::Bug;
use mutants::bugs::{all, canary, sound};
use mutants::hunt::{Fate, Options, hunt};

fn fate_of(bug: Bug, options: &Options) -> Fate {
    let runbook = LoadedRunbook::built_in().expect("it loads");
    let hunted = hunt(&[bug], &runbook, options, &|| false, &|_| {});
    let mut hunted = hunted.expect("the world builds");
    hunted.pop().expect("it was hunted").fate
}

fn named(name: &str) -> Bug {
    let mut bugs = all().expect("they read").into_iter();
    bugs.find(|bug| bug.name == name).expect("it is there")
}

#[test]
fn the_canary_is_caught_by_the_first_drill() {
    let options = Options {
        drills: 1,
        cut: 0,
        ..Options::default()
    };
    let fate = fate_of(canary(), &options);
    let Fate::Caught(caught) = fate else {
        panic!("{fate:?}");
    };
    assert_eq!(caught.drills, 1);
}

#[test]
fn the_sound_executor_survives() {
    let options = Options {
        drills: 12,
        ..Options::default()
    };
    let fate = fate_of(sound(), &options);
    assert!(
        matches!(fate, Fate::Survived { drills: 12, .. }),
        "{fate:?}"
    );
}

#[test]
fn a_bug_is_cut_down_to_a_drill_that_only_it_fails() {
    let bug = named("throttling-is-final");
    let fate = fate_of(bug.clone(), &Options::default());
    let Fate::Caught(caught) = fate else {
        panic!("{fate:?}");
    };
    assert!(caught.built_in, "{caught:?}");
    assert_eq!(
        caught.faults(),
        1,
        "of two faults one is enough: {caught:?}"
    );
    assert!(!caught.cut.is_empty());
    // The token stands for the very drill.
    let token = Token::decode(&caught.token, runbooks::BUILT_IN).expect("it reads");
    let scenario = Scenario::parse("token", &token.scenario_text, &[]).expect("it loads");
    let plan = DrillPlan {
        world: token.world,
        scenario: scenario.into(),
        runbook: LoadedRunbook::built_in().expect("it loads"),
        seed: token.seed,
        until: token.until,
        executor: None,
    };
    let of_the_bug = bug.run(&plan).expect("the world builds");
    assert_eq!(of_the_bug.verdicts.overall, Verdict::Fail);
    let found = of_the_bug.problems()[0].class();
    assert_eq!(found, caught.finding.class());
    let of_the_sound = drill::run(&plan).expect("the world builds");
    assert_eq!(of_the_sound.verdicts.overall, Verdict::Pass);
}

#[test]
fn bugs_that_this_build_lacks_are_left_out() {
    let bugs = all().expect("they read");
    let patched = bugs.iter().filter(|bug| !bug.is_built()).count();
    assert!(patched > 0, "the patches are in a build of their own");
    let runbook = LoadedRunbook::built_in().expect("it loads");
    let missing: Vec<Bug> = bugs.into_iter().filter(|bug| !bug.is_built()).collect();
    let hunted = hunt(&missing, &runbook, &Options::default(), &|| false, &|_| {});
    assert!(hunted.expect("nothing was drilled").is_empty());
}
