//! `report.html`: one self-contained page, no script, nothing fetched. It is a function of the journal alone.
//!
//! The verdict comes first, then what did not pass, then one section for each scenario, the worst first. Everything
//! from data is escaped by the template; a policy in the head forbids scripts and requests besides. Drawings are
//! inline SVG whose positions are percentages, so that text keeps its size on a phone. What grows with the number of
//! drills is bounded, and says what it leaves out.

mod axis;
mod clients;
mod evidence;
mod flags;
mod rto;
mod scenario;
mod steps;

use std::cmp::Reverse;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::journal::Journal;
use super::summary::{ScenarioSummary, by_scenario_of};
use super::{limit_ms, troubles, verdict_line};
use crate::stats::{show_count, show_ms, show_ppm};
use crate::verdict::Verdict;
use crate::worlds::WorldKind;

const STYLE: &str = include_str!("style.css");
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
/// How many failures of one kind stand at the top.
const EXAMPLES: usize = 3;
/// How many kinds.
const KINDS: usize = 30;

/// The page.
#[must_use]
pub fn render(journal: &Journal<'_>) -> String {
    let verdict = journal.summary.verdict;
    let line = verdict_line(journal);
    let mut scenarios = by_scenario_of(&journal.drills);
    scenarios.sort_by_key(|s| Reverse(s.verdict()));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (word(verdict)) " · " (line) " · Firedrill" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header.top {
                    h1 class={ "word " (verdict) } { (glyph(verdict)) " " (word(verdict)) }
                    p.sentence { (capital(&line)) "." }
                    p.where { "Firedrill report · " (places(&scenarios)) }
                }
                main {
                    (facts(journal, &scenarios))
                    (what_failed(journal))
                    @if scenarios.len() > 1 { (overview(journal, &scenarios)) }
                    @for (index, summary) in scenarios.iter().enumerate() {
                        (scenario::draw(journal, summary, &anchor_of(index)))
                    }
                }
                (footer(journal))
            }
        }
    }
    .into_string()
}

fn anchor_of(index: usize) -> String {
    format!("scenario-{}", index + 1)
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "Pass",
        Verdict::Inconclusive => "Inconclusive",
        Verdict::Fail => "Fail",
    }
}

/// A sign beside the word, as colour alone is not for everybody.
fn glyph(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Inconclusive => "?",
        Verdict::Fail => "✕",
    }
}

fn badge(verdict: Verdict) -> Markup {
    html! { span class={ "badge " (verdict) } { (glyph(verdict)) " " (verdict) } }
}

/// What stands where nothing was measured.
fn none() -> String {
    "none".to_owned()
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

fn places(scenarios: &[ScenarioSummary]) -> String {
    let has = |world| scenarios.iter().any(|s| s.world == world);
    let place = match (has(WorldKind::Sim), has(WorldKind::Kind)) {
        (true, true) => "simulated and on a cluster",
        (false, true) => "on a cluster, in real time",
        _ => "simulated, in virtual time",
    };
    match scenarios.len() {
        1 => format!("{} · {place}", scenarios[0].scenario),
        n => format!("{n} scenarios · {place}"),
    }
}

/// The numbers that decide, over all drills.
fn facts(journal: &Journal<'_>, scenarios: &[ScenarioSummary]) -> Markup {
    let drills = &journal.drills;
    let slowest = scenarios.iter().max_by_key(|s| s.rto_max_ms);
    let never: usize = scenarios.iter().map(|s| s.never - s.escalated).sum();
    let worst_ppm = scenarios.iter().filter_map(|s| s.error_rate_max_ppm).max();
    let sum = |f: fn(&ScenarioSummary) -> u64| scenarios.iter().map(f).fold(0, u64::saturating_add);
    let (lost, trades) = (sum(|s| s.trades_lost), sum(|s| s.trades_acknowledged));
    html! {
        dl.facts {
            div { dt { "Drills passed" } dd {
                (show_count(journal.summary.passed as u64)) " of " (show_count(journal.summary.drills as u64))
                @if journal.summary.inconclusive > 0 { small { (show_count(journal.summary.inconclusive as u64)) " inconclusive" } }
            } }
            div { dt { "Slowest recovery" } dd {
                @if never > 0 {
                    span.fail { "never" }
                    small.fail { (show_count(never as u64)) " of " (show_count(drills.len() as u64)) " drills never recovered" }
                } @else {
                    (slowest.and_then(|s| s.rto_max_ms).map_or_else(none, show_ms))
                }
                @if let Some(s) = slowest.filter(|s| s.rto_max_ms.is_some()) {
                    small { "limit " (show_ms(limit_ms(drills, s))) }
                }
            } }
            div { dt { "Error rate after recovery" } dd {
                (worst_ppm.map_or_else(none, show_ppm))
                small { "of the worst drill; " (show_count(sum(|s| s.requests_after_recovery))) " requests in all" }
            } }
            div { dt { "Trades lost" } dd {
                span class=[(lost > 0).then_some("fail")] { (show_count(lost)) }
                small { "or changed, of " (show_count(trades)) " acknowledged" }
            } }
        }
    }
}

/// What did not pass, by what decided.
fn what_failed(journal: &Journal<'_>) -> Markup {
    let groups = troubles::groups(&journal.drills);
    html! {
        @if !groups.is_empty() {
            section.card {
                h2 { "What did not pass" }
                @for group in groups.iter().take(KINDS) {
                    @let n = group.drills.len();
                    div class={ "trouble " (group.verdict) } {
                        p {
                            (badge(group.verdict)) " "
                            strong { (group.scenario) " · " (group.oracle) }
                            ", " (n) @if n == 1 { " drill" } @else { " drills" }
                        }
                        ul {
                            @for drill in group.drills.iter().take(EXAMPLES) {
                                li {
                                    "Seed " (drill.seed) ": " (troubles::one_line(&troubles::reason(drill)))
                                    code.command { (drill.command()) }
                                    @if let Some(smallest) = &drill.smallest {
                                        "Smallest failing case: " (troubles::one_line(&smallest.what))
                                        code.command { (smallest.command()) }
                                    }
                                }
                            }
                        }
                        @if n > EXAMPLES { p.soft { "and " (n - EXAMPLES) " more, in journal.json" } }
                    }
                }
                @if groups.len() > KINDS { p.soft { "and " (groups.len() - KINDS) " more kinds, in journal.json" } }
            }
        }
    }
}

/// All scenarios in a table.
fn overview(journal: &Journal<'_>, scenarios: &[ScenarioSummary]) -> Markup {
    let time =
        |s: &ScenarioSummary, ms: Option<u64>| ms.map_or_else(|| s.no_rto().to_owned(), show_ms);
    html! {
        section.card {
            h2 { "Scenarios" }
            table.cards style="margin-top:.75rem" {
                thead { tr {
                    th { "Scenario" } th { "Verdict" } th.num { "Drills" } th.num { "Median RTO" } th.num { "p99" } th.num { "Worst" }
                    th.num { "Limit" } th.num { "Error rate" } th.num { "Trades lost" }
                } }
                tbody {
                    @for (index, s) in scenarios.iter().enumerate() {
                        tr {
                            td.lead { a href={ "#" (anchor_of(index)) } { (s.label) } }
                            td data-label="verdict" { (badge(s.verdict())) }
                            td.num data-label="drills" { (scenario::tally(s)) }
                            td.num data-label="median RTO" { (time(s, s.rto_p50_ms)) }
                            td.num data-label="p99" { (time(s, s.rto_p99_ms)) }
                            td.num data-label="worst" { (time(s, s.rto_max_ms)) }
                            td.num data-label="limit" { (show_ms(limit_ms(&journal.drills, s))) }
                            td.num data-label="error rate" { (s.error_rate_max_ppm.map_or_else(none, show_ppm)) }
                            td.num data-label="trades lost" { span class=[(s.trades_lost > 0).then_some("fail")] { (show_count(s.trades_lost)) } }
                        }
                    }
                }
            }
        }
    }
}

fn footer(journal: &Journal<'_>) -> Markup {
    html! {
        footer {
            p { "RTO: from the trigger to the first of ten seconds in a row in which the clients' own error rate is below its bound, no request is refused,
                latency is within its target and the books balance. Everything after that is judged by itself. Measured by the harness, never taken from
                the executor's word." }
            p { "Inconclusive: the steady state never held, the release did no harm, or there is too little evidence. It is not a pass." }
            p { "Made from journal.json, schema " (journal.schema) ", beside this page. No script, nothing fetched." }
        }
    }
}
