//! The numbers that decide, over all drills.

use maud::{Markup, html};

use super::none;
use crate::oracles::OracleName;
use crate::report::journal::{Drill, Journal};
use crate::report::kept::{Kept, What};
use crate::report::limit_ms;
use crate::report::summary::ScenarioSummary;
use crate::stats::{show_count, show_ms, show_ppm};

/// The tiles.
pub(super) fn draw(journal: &Journal<'_>, scenarios: &[ScenarioSummary]) -> Markup {
    let drills = &journal.drills;
    let slowest = scenarios.iter().max_by_key(|s| s.rto_max_ms);
    let never: usize = scenarios.iter().map(|s| s.never - s.escalated).sum();
    let judged: Vec<&Drill<'_>> = drills.iter().filter(|d| is_error_rate_judged(d)).collect();
    let worst = judged
        .iter()
        .filter_map(|d| Some((d.error_rate_ppm?, &*d.scenario)))
        .max();
    let requests = judged.iter().map(|d| d.requests_after_recovery);
    let requests = requests.fold(0, u64::saturating_add);
    let planned = journal
        .summary
        .drills
        .saturating_add(journal.summary.skipped);
    let kept = Kept::sum(scenarios.iter().map(|s| s.kept));
    html! {
        dl.facts {
            div { dt { "Drills passed" } dd {
                (show_count(journal.summary.passed as u64)) " of " (show_count(planned as u64))
                @if journal.summary.skipped > 0 { small { (show_count(journal.summary.skipped as u64)) " did not run" } }
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
                (worst.map_or_else(none, |(ppm, _)| show_ppm(ppm)))
                @match worst {
                    Some((0, _)) => small { "in all drills; " (show_count(requests)) " requests in all" },
                    Some((_, scenario)) => small { "of the worst drill, of " (scenario) "; " (show_count(requests)) " requests in all" },
                    None => small { "no drill is judged by it" },
                }
            } }
            @if kept.what != What::Nothing {
                div { dt { (kept.what.heading()) " lost" } dd {
                    span class=[(kept.lost > 0).then_some("fail")] { (show_count(kept.lost)) }
                    small { "or changed, of " (show_count(kept.acknowledged)) " acknowledged" }
                } }
            }
        }
    }
}

/// Whether the error rate after recovery counts in this drill. It does not where a person has to be called: the
/// application may not be well for long then, and nothing claims that it is.
fn is_error_rate_judged(drill: &Drill<'_>) -> bool {
    let mut findings = drill.findings.iter();
    findings.any(|f| f.oracle == OracleName::ErrorRate && f.kind != "does-not-apply")
}
