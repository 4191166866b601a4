//! A report speaks of what the application stores, and not of the exchange's trades.

use super::super::*;
use super::result;
use crate::drill::DrillResult;
use crate::finding::{
    Because, BookCounts, BooksFinding, BooksState, Finding, OracleName, Recorded, WithheldFinding,
};
use crate::report::journal::Journal;

/// A drill of an application that is not the exchange, with what was found of its store.
fn of_application(found: Finding) -> Vec<DrillResult> {
    let mut drill = result("refused-jobs", 1, Some(20_000), Some(found));
    drill.trades = BookCounts::default();
    vec![drill]
}

fn written(counts: BookCounts) -> Finding {
    Finding::AcknowledgedWrites(BooksFinding {
        of: Recorded::Write,
        counts,
        example: None,
        to_bring_back: None,
        state: BooksState::Damaged,
    })
}

fn every_report(drills: &[DrillResult]) -> [(&'static str, String); 4] {
    let journal = Journal::new(drills, 0);
    // The data of the page keep the names of the journal's fields.
    let page = html::render(&journal);
    let seen = page.split("<script").next().unwrap_or_default().to_owned();
    [
        ("table", table::summary(drills)),
        ("summary", markdown::render(&journal)),
        ("junit", junit::render(&journal)),
        ("page", seen),
    ]
}

#[test]
fn of_an_application_with_a_store_writes_are_told_and_no_trades() {
    let counts = BookCounts {
        acknowledged: 4_321,
        lost: 2,
        changed: 1,
        duplicated: 0,
    };
    for (name, text) in every_report(&of_application(written(counts))) {
        assert!(
            !text.to_lowercase().contains("trades"),
            "{name}: {}",
            start(&text)
        );
        assert!(
            text.to_lowercase().contains("writes"),
            "{name}: {}",
            start(&text)
        );
    }
    let junit = junit::render(&Journal::new(&of_application(written(counts)), 0));
    for property in [
        "name=\"writes_acknowledged\" value=\"4321\"",
        "name=\"writes_lost\" value=\"3\"",
    ] {
        assert!(junit.contains(property), "{property}");
    }
}

#[test]
fn of_an_application_without_a_store_nothing_is_told() {
    let found = Finding::Withheld(WithheldFinding {
        oracle: OracleName::AcknowledgedWrites,
        because: Because::NoStore,
    });
    for (name, text) in every_report(&of_application(found)) {
        assert!(
            !text.to_lowercase().contains("trades"),
            "{name}: {}",
            start(&text)
        );
    }
}

fn start(text: &str) -> &str {
    text.get(..300).unwrap_or(text)
}
