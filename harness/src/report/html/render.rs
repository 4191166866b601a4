//! The page as a whole: what stands where.

use std::cmp::Reverse;

use maud::html;

use super::list::Anchors;
use super::{answers, changes, facts, failures, list, page, run, trend};
use crate::report::classes::classes;
use crate::report::journal::Journal;
use crate::report::summary::{ScenarioSummary, by_scenario_of};
use crate::report::{Beside, verdict_line};
use crate::worlds::WorldKind;

/// The page.
#[must_use]
pub fn render(journal: &Journal<'_>) -> String {
    render_beside(journal, &Beside::default())
}

/// The page, with what changed since another run and how it went over time.
#[must_use]
pub fn render_beside(journal: &Journal<'_>, beside: &Beside) -> String {
    let verdict = journal.summary.verdict;
    let line = verdict_line(journal);
    let mut scenarios = by_scenario_of(&journal.drills);
    scenarios.sort_by_key(|s| Reverse(s.verdict()));
    let anchors = Anchors::of(&scenarios);
    let classes = classes(&journal.drills);
    let sentence = format!("{}.", page::capital(&line));
    let body = html! {
        (page::top(verdict, page::word(verdict), &sentence, &places(&scenarios)))
        (page::index(&parts(beside, classes.len(), scenarios.len())))
        main #main {
            (page::answers(&answers::of(journal, &classes)))
            (facts::draw(journal, &scenarios))
            (failures::draw(&classes, &anchors))
            @if let Some(changes) = &beside.changes { (changes::draw(changes)) }
            @if let Some(trend) = &beside.trend { (trend::draw(trend)) }
            (list::draw(journal, &scenarios, &anchors))
            (run::draw(&journal.meta))
        }
        footer {
            p { "Recovery time: from the trigger to the first of ten seconds in a row in which the clients' own error rate is below its bound, no request is refused,
                latency is within its target and the books balance. Everything after that is judged by itself. Measured by the harness, never taken from
                the executor's word." }
            p { "Inconclusive: the steady state never held, the release did no harm, or there is too little evidence. It is not a pass." }
            p { "Made from journal.json, schema " (journal.schema) ", beside this page. Nothing is fetched." }
        }
    };
    page::document(&format!("{} · {line}", page::word(verdict)), &body)
}

/// The parts of the page, by anchor.
fn parts(beside: &Beside, classes: usize, scenarios: usize) -> Vec<(&'static str, String)> {
    let mut parts = vec![("answers", "In short".to_owned())];
    if classes > 0 {
        parts.push(("failures", format!("What did not pass ({classes})")));
    }
    if beside.changes.is_some() {
        parts.push(("changes", "What changed".to_owned()));
    }
    if beside.trend.is_some() {
        parts.push(("trend", "Over time".to_owned()));
    }
    if scenarios > 0 {
        parts.push(("scenarios", format!("Scenarios ({scenarios})")));
    }
    // The same however many there are, as it stands outside of the part about them.
    parts.push(("run", "Run".to_owned()));
    parts
}

/// What stands where nothing was measured.
pub(super) fn none() -> String {
    "none".to_owned()
}

fn places(scenarios: &[ScenarioSummary]) -> String {
    let has = |world| scenarios.iter().any(|s| s.world == world);
    let place = match (has(WorldKind::Sim), has(WorldKind::Kind)) {
        (true, true) => "simulated and on a cluster",
        (false, true) => "on a cluster, in real time",
        _ => "simulated, in virtual time",
    };
    match scenarios.len() {
        1 => format!("Firedrill report · {} · {place}", scenarios[0].scenario),
        n => format!("Firedrill report · {n} scenarios · {place}"),
    }
}
