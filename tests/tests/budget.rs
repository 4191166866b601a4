//! `firedrill budget` of an application that a file describes: its own manifests are among what is tried.

use std::sync::Arc;

use e2e::described::Example;
use firedrill::budget::{Budget, Options, budget};

fn account(folder: &'static str, scenario: &str) -> Budget {
    let plan = Example::new(folder).plan(scenario, 1);
    let options = Options {
        seeds: 6,
        seed: 1,
        pairs: 6,
        jobs: 1,
    };
    let budget = budget(
        &Arc::clone(&plan.scenario),
        &plan.runbook,
        &options,
        &|| false,
    );
    budget.expect("there is a world for it")
}

#[test]
fn the_manifests_of_a_described_application_are_worth_seconds() {
    let budget = account("hello", "failing");
    assert_eq!(budget.account.recovered, 6);
    let tried: Vec<&str> = budget
        .parameters
        .iter()
        .map(|it| it.parameter.of.as_str())
        .collect();
    for of in [
        "deployment web",
        "trigger too-many-errors",
        "scrape interval",
    ] {
        assert!(tried.contains(&of), "{tried:?}");
    }
    // A probe that asks five times less often is seen in each pair.
    let mut slower = budget
        .parameters
        .iter()
        .filter(|it| it.parameter.change.contains("periodSeconds"));
    let slower = slower.next().expect("it has a probe");
    let [saved, least, most] = slower.impact_ms.expect("all pairs recovered");
    assert!((least..=most).contains(&saved), "{slower:?}");
    assert_ne!(saved, 0, "{slower:?}");
}

/// The step that waits for it has a name of its own in this runbook.
#[test]
fn a_stateful_set_is_tried_without_what_it_does_not_have() {
    let budget = account("jobs", "refused-jobs");
    let of_it = budget
        .parameters
        .iter()
        .map(|it| &it.parameter)
        .filter(|it| it.of.starts_with("statefulset "));
    let changes: Vec<&str> = of_it.map(|it| it.change.as_str()).collect();
    assert!(
        changes.iter().any(|it| it.starts_with("replicas ")),
        "{:?}",
        budget.parameters
    );
    assert!(
        !changes.iter().any(|it| it.contains("maxSurge")),
        "{changes:?}"
    );
}
