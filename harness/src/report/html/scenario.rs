//! A scenario's part of the page: all its drills in numbers, one of them in full.

use maud::{Markup, html};

use super::evidence::Room;
use super::page::{badge, command, glyph, wide};
use super::{clients, evidence, none, rto, steps};
use crate::drill::Ending;
use crate::drill::time_series::TimeSeries;
use crate::report::journal::{Drill, Journal};
use crate::report::kept::{Kept, What};
use crate::report::summary::ScenarioSummary;
use crate::report::{limit_ms, problems};
use crate::stats::{show_count, show_ms, show_ppm};
use crate::verdict::{Stage, Verdict};

/// How many drills are listed; journal.json has all.
const LISTED_MAX: usize = 200;
/// Of how many of them the tokens are shown.
const TOKENS_MAX: usize = 10;

/// The whole part, folded unless it is to be `open`; `of` scenarios share the page.
pub(super) fn draw(
    journal: &Journal<'_>,
    summary: &ScenarioSummary,
    id: &str,
    open: bool,
    of: usize,
) -> Markup {
    let drills: Vec<&Drill<'_>> = journal
        .drills
        .iter()
        .filter(|d| d.scenario == summary.scenario && d.world == summary.world)
        .collect();
    let shown = drills.iter().find_map(|d| Some((*d, d.detail.as_ref()?)));
    let limit = limit_ms(&journal.drills, summary);
    let verdict = summary.verdict();
    html! {
        details.card.scenario id=(id) open[open] data-name=(summary.label) data-verdict=(verdict) {
            summary { (row(summary, limit)) }
            @if let Some((_, detail)) = shown {
                p.soft { (detail.time_series.description) }
                p.soft { "Release " (detail.time_series.release_from) " → " (detail.time_series.release_to) " · " (detail.time_series.runbook) }
            }
            h4 { "Time to recovery" }
            (facts(summary, limit))
            (rto::draw(&drills, summary, limit))
            @if let Some((drill, detail)) = shown {
                (one_drill(drill, &detail.time_series, drills.len()))
                (evidence::oracles(drill))
                (evidence::saved(drill, detail, Room::of(verdict, of)))
            } @else {
                p.soft { "This journal holds no time series of a drill of this scenario, so there is none to draw." }
            }
            @if drills.len() > 1 { (all(drills, &summary.label)) }
        }
    }
}

/// What is seen of a scenario while it is folded.
fn row(summary: &ScenarioSummary, limit: u64) -> Markup {
    let time = |ms: Option<u64>| ms.map_or_else(|| summary.no_rto().to_owned(), show_ms);
    html! {
        h3 { (summary.label) }
        " " (badge(summary.verdict()))
        " " span.soft { (tally(summary)) }
        " " span.soft {
            @match (summary.rto_p50_ms, summary.rto_max_ms) {
                (None, None) => (summary.no_rto()),
                (median, worst) => { "median " (time(median)) ", worst " (time(worst)) " of " (show_ms(limit)) },
            }
        }
        @if let Some(ppm) = summary.error_rate_max_ppm {
            " " span.soft { (show_ppm(ppm)) " errors" }
        }
        @if summary.kept.lost > 0 {
            " " span.fail { (show_count(summary.kept.lost)) " " (summary.kept.what.word()) " lost" }
        }
    }
}

fn facts(summary: &ScenarioSummary, limit: u64) -> Markup {
    let time = |ms: Option<u64>| ms.map_or_else(|| summary.no_rto().to_owned(), show_ms);
    html! {
        dl.facts style="margin:.25rem 0 1.25rem" {
            div { dt { "Median" } dd { (time(summary.rto_p50_ms)) } }
            div { dt { "99th percentile" } dd { (time(summary.rto_p99_ms)) } }
            div { dt { "Worst" } dd {
                (time(summary.rto_max_ms))
                @if let Some(never) = summary.never_told() { small.fail { (never) } }
                @if let Some(worst) = summary.rto_max_ms {
                    small { (share(worst, limit)) " of the limit, " (show_ms(limit)) }
                }
            } }
            div { dt { "Drills" } dd {
                (show_count(summary.drills as u64))
                small { (tally(summary)) }
            } }
        }
    }
}

/// How often what came of it.
pub(super) fn tally(summary: &ScenarioSummary) -> String {
    [
        (summary.passed, "passed"),
        (summary.failed, "failed"),
        (summary.inconclusive, "inconclusive"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, word)| format!("{} {word}", show_count(n as u64)))
    .collect::<Vec<_>>()
    .join(", ")
}

fn share(part: u64, whole: u64) -> String {
    let percent = u128::from(part) * 100 / u128::from(whole.max(1));
    format!("{percent}%")
}

/// The representative.
fn one_drill(drill: &Drill<'_>, series: &TimeSeries, drills: usize) -> Markup {
    let which = match drill.verdict {
        _ if drills == 1 => "the only one",
        Verdict::Fail => "the first that failed",
        Verdict::Inconclusive => "the first that was inconclusive",
        Verdict::Pass if drill.rto_ms.is_none() => "the first",
        Verdict::Pass => "the slowest to recover",
    };
    let kept = Kept::of_drill(drill);
    let time = |ms: Option<u64>| ms.map_or_else(none, show_ms);
    html! {
        h4 { "Seed " (drill.seed) ", " (which) " " (badge(drill.verdict)) }
        @if drill.verdict != Verdict::Pass { (why(drill)) }
        dl.facts style="margin:.75rem 0 1rem" {
            div { dt { "Trigger to recovery" } dd {
                (rto(drill))
                small { "executor claims " (time(drill.rto_claimed_ms)) }
            } }
            div { dt { "Harm to recovery" } dd { (time(drill.impact_ms)) small { (impact_of(drill)) } } }
            div { dt { "Error rate after recovery" } dd {
                (drill.error_rate_ppm.map_or_else(none, show_ppm))
                small { "of " (show_count(drill.requests_after_recovery)) ", bound " (show_ppm(series.error_rate_max_ppm)) }
            } }
            @if kept.what != What::Nothing {
                div { dt { (kept.what.heading()) " lost" } dd {
                    span class=[(kept.lost > 0).then_some("fail")] { (show_count(kept.lost)) }
                    small { "of " (show_count(kept.acknowledged)) " acknowledged" }
                } }
            }
        }
        (clients::draw(series, drill))
        h4 { "Steps and their budgets" }
        (steps::draw(series, drill))
        @if kept.what != What::Nothing {
            h4 { @if kept.what == What::Trades { "Ledger" } @else { "Store" } }
            (evidence::ledger(drill))
        }
        h4 { "Verdicts" }
        p {
            @for stage in Stage::ALL {
                @let verdict = drill.verdicts.get(&stage).copied().unwrap_or(Verdict::Inconclusive);
                span class={ "badge " (verdict) } style="display:inline-block;margin:0 .4rem .4rem 0" {
                    (glyph(verdict)) " " (stage.as_str())
                }
            }
        }
        @if drill.verdict == Verdict::Pass {
            (command(&drill.command()))
        }
    }
}

/// The time to recover, or why there is none.
fn rto(drill: &Drill<'_>) -> String {
    drill
        .rto_ms
        .map_or_else(|| drill.ending.as_str().to_owned(), show_ms)
}

fn impact_of(drill: &Drill<'_>) -> &'static str {
    match drill.ending {
        Ending::Escalated | Ending::NeverRecovered => {
            "impact on clients when the drill ended, and it went on"
        }
        Ending::Recovered | Ending::NothingToRecover => "impact on clients",
    }
}

/// Why a drill did not pass, and how to see it again.
pub(super) fn why(drill: &Drill<'_>) -> Markup {
    let problems = drill.problems();
    html! {
        div class={ "trouble " (drill.verdict) } {
            @if problems.is_empty() { p { "A stage that nothing looked at." } }
            @for finding in &problems {
                p { strong class=(finding.verdict) { (finding.oracle) } ": " (finding.reason) }
            }
            (command(&drill.command()))
            @if let Some(smallest) = &drill.smallest {
                @let oracle = problems.first().map_or("stage", |first| first.oracle.as_str());
                p style="margin-top:.6rem" {
                    strong { "Smallest failing case" } ": " (problems::without_reason(smallest, oracle))
                }
                (command(&smallest.command()))
            }
        }
    }
}

/// Every drill in a row, what needs a look first.
fn all(mut drills: Vec<&Drill<'_>>, label: &str) -> Markup {
    let slowest = |d: &Drill<'_>| (d.ending == Ending::NeverRecovered, d.rto_ms);
    drills.sort_by_key(|d| (std::cmp::Reverse((d.verdict, slowest(d))), d.seed));
    let left_out = drills.len().saturating_sub(LISTED_MAX);
    html! {
        details {
            summary { "All drills " span.soft { (show_count(drills.len() as u64)) ", worst first" } }
            (wide(&format!("All drills of {label}"), &rows(&drills)))
            @if left_out > 0 {
                p.soft { (show_count(left_out as u64)) " more are in journal.json." }
            }
        }
    }
}

fn rows(drills: &[&Drill<'_>]) -> Markup {
    let time = |ms: Option<u64>| ms.map_or_else(none, show_ms);
    let kept = Kept::sum(drills.iter().map(|it| Kept::of_drill(it)));
    html! {
        table.drills {
            thead { tr {
                th.num scope="col" { "Seed" } th scope="col" { "Verdict" } th.num scope="col" { "Recovery time" }
                th.num scope="col" { "Claimed" } th.num scope="col" { "Impact" } th.num scope="col" { "Error rate" }
                th.num scope="col" { (kept.what.heading()) " lost" } th scope="col" { "Replay" }
            } }
            tbody {
                @for (index, d) in drills.iter().take(LISTED_MAX).enumerate() {
                    tr {
                        th.num scope="row" { (d.seed) }
                        td class=(d.verdict) { (glyph(d.verdict)) " " (d.verdict) }
                        td.num { (rto(d)) }
                        td.num { (time(d.rto_claimed_ms)) }
                        td.num { (time(d.impact_ms)) }
                        td.num { (d.error_rate_ppm.map_or_else(none, show_ppm)) }
                        td.num { @if kept.what == What::Nothing { (none()) } @else { (show_count(Kept::of_drill(d).lost)) } }
                        // Tokens of own scenarios are long, and those that matter come first.
                        td.token { @if index < TOKENS_MAX { code { (d.replay) } } @else { "in journal.json" } }
                    }
                }
            }
        }
    }
}
