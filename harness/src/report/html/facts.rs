//! The numbers that decide, over all drills.

use maud::{Markup, html};

use super::none;
use crate::report::journal::Journal;
use crate::report::limit_ms;
use crate::report::summary::ScenarioSummary;
use crate::stats::{show_count, show_ms, show_ppm};

/// The tiles.
pub(super) fn draw(journal: &Journal<'_>, scenarios: &[ScenarioSummary]) -> Markup {
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
