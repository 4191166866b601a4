//! What came of a run, in a sentence, as all reports say it.

use super::journal::{Drill, Journal, Summary};
use super::summary::ScenarioSummary;
use crate::stats::show_count;

/// RTO's bound where no drill says one: that of the built-in scenarios.
const LIMIT_MS: u64 = 300_000;

/// How many drills came to what, as the terminal ends with: `300 drills: 300 passed, 0 failed, 0 inconclusive`.
#[must_use]
pub fn tally(summary: &Summary) -> String {
    let mut line = format!(
        "{} drill{}: {} passed, {} failed, {} inconclusive",
        summary.drills,
        if summary.drills == 1 { "" } else { "s" },
        summary.passed,
        summary.failed,
        summary.inconclusive
    );
    if let Some(unfinished) = unfinished(summary) {
        line.push_str(&format!("; {unfinished}"));
    }
    line
}

/// What did not run and why: how many drills, of which scenarios, and which of these never began.
pub(super) fn unfinished(summary: &Summary) -> Option<String> {
    if summary.skipped == 0 {
        return None;
    }
    let why = if summary.ended_on_purpose {
        "ended by --max-failures"
    } else {
        "interrupted"
    };
    let count = show_count(u64::try_from(summary.skipped).unwrap_or(u64::MAX));
    let mut line = format!("{why}, {count} did not run");
    let ran = |name: &str| {
        let in_a_world = format!("{name} in ");
        let mut labels = summary.scenarios.keys();
        labels.any(|label| label == name || label.starts_with(&in_a_world))
    };
    let (begun, never): (Vec<_>, Vec<_>) = summary
        .skipped_scenarios
        .iter()
        .partition(|(name, _)| ran(name));
    let list = |of: Vec<(&String, &usize)>| {
        let named = of.iter().take(NAMED_MAX);
        let each = named.map(|(name, count)| format!("{name} ({count})"));
        let mut list = each.collect::<Vec<_>>().join(", ");
        if let Some(more @ 1..) = of.len().checked_sub(NAMED_MAX) {
            list.push_str(&format!(" and {more} more scenarios"));
        }
        list
    };
    if !begun.is_empty() {
        line.push_str(&format!(", of {}", list(begun)));
    }
    if !never.is_empty() {
        line.push_str(&format!("; never begun: {}", list(never)));
    }
    Some(line)
}

/// How many scenarios that did not run are named in a sentence; the page and the journal name all.
pub(super) const NAMED_MAX: usize = 6;

/// What came of all drills, in one sentence.
pub(super) fn verdict_line(journal: &Journal<'_>) -> String {
    let s = &journal.summary;
    let mut line = match (s.drills, s.failed, s.inconclusive) {
        (0, _, _) => "no drill ran, so nothing is shown".to_owned(),
        (1, 0, 0) => "the drill passed".to_owned(),
        (n, 0, 0) if s.skipped > 0 => format!("the {n} drills that ran passed"),
        (n, 0, 0) => format!("all {n} drills passed"),
        (1, 1, _) => "the drill failed".to_owned(),
        (1, _, _) => "the drill was inconclusive".to_owned(),
        (n, 0, i) => format!("inconclusive in {i} of {n} drills, none failed"),
        (n, f, 0) => format!("{f} of {n} drills failed"),
        (n, f, i) => format!("{f} of {n} drills failed, {i} inconclusive"),
    };
    if let Some(unfinished) = unfinished(s) {
        line.push_str(&format!("; {unfinished}"));
    }
    line
}

/// The RTO's bound for a scenario, as its drills were judged by.
pub(super) fn limit_ms(drills: &[Drill<'_>], scenario: &ScenarioSummary) -> u64 {
    drills
        .iter()
        .filter(|d| d.scenario == scenario.scenario && d.world == scenario.world)
        .map(|d| d.rto_max_ms)
        .next()
        .unwrap_or(LIMIT_MS)
}
