//! The timelines of one seed of each scenario, as a person reads them. A change here is a change in what the
//! executor does or in how the world behaves: review it like code.

use e2e::drills::{plan, run};
use firedrill::drill::timeline::render;
use firedrill::token::Replays;

/// The fingerprint and the token depend on every event and on the build; the timeline is what is reviewed.
fn story(scenario: &str) -> String {
    let text = render(&run(&plan(scenario, 1)), &Replays::default());
    text.lines()
        .filter(|line| {
            !line.trim_start().starts_with("fingerprint")
                && !line.trim_start().starts_with("replay")
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn latency_regression() {
    insta::assert_snapshot!(story("latency-regression"));
}

#[test]
fn balance_anomaly() {
    insta::assert_snapshot!(story("balance-anomaly"));
}

#[test]
fn breaking_migration() {
    insta::assert_snapshot!(story("breaking-migration"));
}

#[test]
fn breaking_migration_by_snapshot() {
    insta::assert_snapshot!(story("breaking-migration-snapshot"));
}
