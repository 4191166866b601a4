//! What drills can meet, and what refutes whoever said that they can't.

use super::*;
use crate::runbooks::LoadedRunbook;

fn catalogue() -> Catalogue {
    Catalogue::of(&LoadedRunbook::built_in().expect("valid").runbook)
}

fn meeting(kind: &'static str, step: &str, side: Side) -> Mark {
    Mark::Meeting {
        kind,
        step: step.to_owned(),
        side,
    }
}

#[test]
fn every_kind_of_fault_every_step_and_every_oracle_has_marks() {
    let catalogue = catalogue();
    let can = |wanted: &dyn Fn(&Mark) -> bool| {
        let mut marks = catalogue.marks();
        marks.any(|(mark, why_not)| why_not.is_none() && wanted(mark))
    };
    for spec in FAULTS {
        let hits = |mark: &Mark| matches!(mark, Mark::Fault { kind, .. } if *kind == spec.name);
        assert!(can(&hits), "{} hits nobody", spec.name);
        let meets = |mark: &Mark| matches!(mark, Mark::Meeting { kind, .. } if *kind == spec.name);
        assert!(can(&meets), "{} meets no step", spec.name);
    }
    for (step, sides) in catalogue.steps() {
        assert!(!sides.is_empty());
        let ends = |mark: &Mark| matches!(mark, Mark::Outcome { step: it, .. } if it == step);
        let planned = |mark: &Mark| matches!(mark, Mark::Planned { step: it, .. } if it == step);
        assert!(can(&ends) && can(&planned), "{step}");
    }
    // A search drills our own executor and the exchange: `conduct` judges programs of somebody else's, and
    // `acknowledged-writes` applications with a store of their own.
    let of_others = [OracleName::Conduct, OracleName::AcknowledgedWrites];
    for oracle in OracleName::ALL
        .into_iter()
        .filter(|it| !of_others.contains(it))
    {
        let found = |mark: &Mark| matches!(mark, Mark::Found { oracle: it, .. } if *it == oracle);
        assert!(can(&found), "{oracle} finds nothing");
    }
    for part in Part::ALL {
        let counts = catalogue.tally(&Coverage::default()).counts(part);
        assert!(counts.all > 0 && counts.met == 0, "{part:?}");
    }
}

#[test]
fn a_step_with_an_effect_has_two_sides_and_what_begins_later_does_not_meet_it() {
    let catalogue = catalogue();
    let why_not = |kind, step, side| {
        let mark = meeting(kind, step, side);
        assert!(catalogue.marks.contains_key(&mark), "{mark}");
        catalogue.why_not(&mark)
    };
    assert_eq!(why_not("api-slow", "halt-trading", Side::Before), None);
    assert_eq!(why_not("api-slow", "halt-trading", Side::After), None);
    assert_eq!(why_not("pods-stuck", "rollout-status", Side::Looking), None);
    assert_eq!(
        why_not("pods-stuck", "fence-ledger", Side::Before),
        Some(unreachable::BEGINS_LATER)
    );
    // What is over at once meets the step that it is drawn at.
    assert_eq!(why_not("pods-killed", "undo-app", Side::After), None);
    assert_eq!(
        why_not("pods-killed", "stay-recovered", Side::Looking),
        None
    );
    assert_eq!(
        why_not("pods-killed", "post-mortem", Side::Looking),
        Some(unreachable::OVER_AT_ONCE)
    );
    assert_eq!(
        why_not("history-pruned", "undo-app", Side::Before),
        Some(unreachable::OVER_AT_ONCE)
    );
    // Another host is at work until it has ended.
    assert_eq!(
        why_not("second-executor", "post-mortem", Side::Looking),
        None
    );
    // What is gone stays gone, and an undo that fails is followed by a restore.
    assert_eq!(
        why_not("undo-script-missing", "post-mortem", Side::Looking),
        None
    );
    assert_eq!(
        why_not("undo-script-failing", "restore-ledger", Side::After),
        None
    );
    assert_eq!(why_not("history-pruned", "dump-logs", Side::Looking), None);
    let looks = meeting("api-slow", "dump-logs", Side::Before);
    assert!(!catalogue.marks.contains_key(&looks), "it changes nothing");
}

#[test]
fn what_was_met_is_no_hole_and_refutes_who_said_that_it_cannot_be() {
    let catalogue = catalogue();
    let mut coverage = Coverage::default();
    let before = catalogue.tally(&coverage).holes().count();
    let struck = |kind, step: &str, side| Met::Struck {
        step: step.to_owned(),
        service: None,
        kind,
        target: None,
        side,
    };
    coverage.add(struck("api-slow", "halt-trading", Side::Before), 3);
    coverage.add(struck("pods-stuck", "fence-ledger", Side::Before), 1);
    let tally = catalogue.tally(&coverage);
    assert_eq!(tally.holes().count(), before - 1);
    assert_eq!(
        tally.times(&meeting("api-slow", "halt-trading", Side::Before)),
        3
    );
    let refuted: Vec<String> = tally.refuted().map(|(mark, _)| mark.to_string()).collect();
    assert_eq!(refuted, ["fence-ledger meets pods-stuck before its effect"]);
    assert_eq!(tally.counts(Part::Meetings).met, 1);
}
