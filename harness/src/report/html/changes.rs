//! What changed since another run.

use maud::{Markup, html};

use super::page::{badge, capital, command, wide};
use crate::report::against::{Changes, ClassChange, ScenarioChange};
use crate::verdict::Verdict;

/// How many rows of a table are shown.
const ROWS_MAX: usize = 200;

/// The section.
pub(super) fn draw(changes: &Changes) -> Markup {
    let verdicts: Vec<&ScenarioChange> = of(changes, ScenarioChange::is_of_verdicts);
    let times: Vec<&ScenarioChange> = of(changes, ScenarioChange::is_of_times);
    let added: Vec<&ScenarioChange> = of(changes, |s| s.verdict.0.is_none());
    let removed: Vec<&ScenarioChange> = of(changes, |s| s.verdict.1.is_none());
    html! {
        section.card #changes aria-labelledby="changes-title" {
            h2 #changes-title { "What changed" }
            p { (capital(&changes.headline())) "." }
            dl.run {
                div { dt { "Before" } dd { (changes.before.tally) } }
                div { dt { "Now" } dd { (changes.now.tally) } }
            }
            @if changes.is_none() { p { "Nothing changed in " (changes.unchanged) " scenarios." } }
            @if !verdicts.is_empty() {
                h3 { "Verdicts" }
                (wide("Verdicts that changed", &verdict_rows(&verdicts)))
            }
            @if !changes.classes.is_empty() {
                h3 { "Classes of failure" }
                (class_rows(&changes.classes))
            }
            @if !times.is_empty() {
                h3 { "Times to recover" }
                (wide("Times to recover that changed", &time_rows(&times)))
            }
            (names("Not drilled before", &added))
            (names("Not drilled now", &removed))
        }
    }
}

fn of(changes: &Changes, told: fn(&ScenarioChange) -> bool) -> Vec<&ScenarioChange> {
    changes.scenarios.iter().filter(|s| told(s)).collect()
}

fn names(title: &str, scenarios: &[&ScenarioChange]) -> Markup {
    let labels: Vec<&str> = scenarios.iter().map(|s| s.label.as_str()).collect();
    html! { @if !labels.is_empty() { h3 { (title) } p.why { (labels.join(", ")) } } }
}

fn verdict(verdict: Option<Verdict>) -> Markup {
    html! { @match verdict { Some(verdict) => (badge(verdict)), None => "none" } }
}

fn verdict_rows(rows: &[&ScenarioChange]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Scenario" } th scope="col" { "Before" } th scope="col" { "Now" }
                th.num scope="col" { "Drills that turned" }
            } }
            tbody {
                @for s in rows.iter().take(ROWS_MAX) {
                    tr {
                        th.row scope="row" { (s.label) }
                        td { (verdict(s.verdict.0)) }
                        td { (verdict(s.verdict.1)) }
                        td.num { (s.turned) " of " (s.paired) }
                    }
                }
            }
        }
    }
}

fn class_rows(classes: &[ClassChange]) -> Markup {
    html! {
        @for class in classes.iter().take(ROWS_MAX) {
            div class={ "trouble " (if class.now > class.before { class.name.verdict } else { Verdict::Pass }) } {
                p { strong { (capital(class.word())) } ": " (class.name.title()) ", " (class.before) " → " (class.now) " drills" }
                @if class.before == 0 { (command(&class.command)) }
            }
        }
    }
}

fn time_rows(rows: &[&ScenarioChange]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Scenario" }
                th.num scope="col" { "Median before" } th.num scope="col" { "now" }
                th.num scope="col" { "Worst before" } th.num scope="col" { "now" }
            } }
            tbody {
                @for s in rows.iter().take(ROWS_MAX) {
                    tr {
                        th.row scope="row" { (s.label) }
                        td.num { (s.before(s.median_ms.0)) } td.num { (s.now(s.median_ms.1)) }
                        td.num { (s.before(s.worst_ms.0)) } td.num { (s.now(s.worst_ms.1)) }
                    }
                }
            }
        }
    }
}
