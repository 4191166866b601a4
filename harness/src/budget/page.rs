//! The budget as a page.

use maud::{Markup, html};

use super::account::{Account, Part};
use super::cause::Cause;
use super::run::{Budget, Worth};
use crate::evidence::Ms;
use crate::report::html::page::{document, index, sentence, top, wide};
use crate::stats::{show_ms, show_permille, show_saved};
use crate::verdict::Verdict;

/// `budget.html`: one page that fetches nothing.
#[must_use]
pub fn page(budgets: &[Budget]) -> String {
    let late = budgets.iter().filter(|it| {
        let worst = it.account.rto_ms.map_or(Ms::MAX, |(_, worst)| worst);
        it.account.recovered < it.account.drills || worst > it.rto_max_ms
    });
    let late = late.count();
    let (verdict, word, line) = if late == 0 {
        let line = "every drill recovered within its objective".to_owned();
        (Verdict::Pass, "In time", line)
    } else {
        let line = format!("in {late} scenarios a drill did not recover within its objective");
        (Verdict::Fail, "Too slow", line)
    };
    let parts: Vec<(&str, String)> = budgets
        .iter()
        .map(|it| (it.scenario.as_str(), it.scenario.clone()))
        .collect();
    let body = html! {
        (top(verdict, word, &sentence(&line), "Firedrill budget · where the time goes, simulated"))
        (index(&parts))
        main #main { @for budget in budgets {
            section.card id=(budget.scenario) aria-label=(budget.scenario) {
                h2 { (budget.scenario) }
                p.soft {
                    (budget.account.recovered) " of " (budget.account.drills) " drills recovered, seeds from " (budget.seed)
                }
                (totals(budget))
                (account(&budget.account, budget.rto_max_ms))
                (worths(&budget.parameters))
            }
        } }
        footer {
            p { "Recovery is what the clients saw. What a step takes before it counts against the objective, and what it takes after it is how
                long the executor went on to see and to prove it. Medians are of each row by itself, so they need not add up." }
            p { "Made by budget, with budget.json beside this page. Nothing is fetched." }
        }
    };
    document(&format!("{word}: {line}"), &body)
}

fn totals(budget: &Budget) -> Markup {
    let rows = [
        ("First harm to recovery", budget.account.impact_ms),
        ("Trigger to recovery", budget.account.rto_ms),
        ("Trigger to the claim", budget.account.claimed_ms),
    ];
    html! {
        dl.facts { @for (what, value) in rows { @if let Some((median, worst)) = value {
            div { dt { (what) } dd { (show_ms(median)) small { "worst " (show_ms(worst)) } } }
        } } }
    }
}

/// Where the time of some drills goes: by cause as bars, and by step as a table.
fn account(of: &Account, rto_max_ms: Ms) -> Markup {
    let whole: Ms = of.causes.iter().map(|it| it.median_ms).sum();
    let steps = html! {
        table {
            thead { tr { th { "Step" } th { "Cause" } th.num { "Median" } th.num { "Worst" } th.num { "After recovery" } th.num { "Drills" } } }
            tbody { @for it in &of.steps { tr {
                th scope="row" { (it.what) } td { (it.cause.name()) }
                td.num { (show_ms(it.median_ms)) } td.num { (show_ms(it.worst_ms)) } td.num { (show_ms(it.after_ms)) } td.num { (it.drills) }
            } } }
        }
    };
    html! {
        h3 { "By cause" }
        figure {
            svg width="100%" height="22" role="img" aria-label="The median of each cause, one after another" {
                @for (it, from) in stacked(&of.causes) {
                    rect x=(percent(from, whole)) width=(percent(it.median_ms, whole)) y="3" height="16" style={ "fill:" (colour(it.cause)) } {
                        title { (it.what) " " (show_ms(it.median_ms)) }
                    }
                }
            }
        }
        ul.plain { @for it in &of.causes { li {
            span style={ "color:" (colour(it.cause)) } { "■ " } strong { (it.what) } ": median " (show_ms(it.median_ms)) ", worst " (show_ms(it.worst_ms))
            " (" (share(it.median_ms, rto_max_ms)) " of the objective)" span.soft { " · " (it.cause.words()) }
        } } }
        h3 { "By step" }
        (wide("What each step takes", &steps))
        @if !of.worst.is_empty() {
            h3 { "The drill that took the longest" }
            ol.plain { @for (what, cause, ms) in &of.worst { li { (what) ": " (show_ms(*ms)) span.soft { " · " (cause.name()) } } } }
        }
    }
}

fn worths(worths: &[Worth]) -> Markup {
    let table = html! {
        table {
            thead { tr { th { "Parameter" } th { "Change" } th.num { "Saves until recovery" } th.num { "Saves until the claim" } th.num { "Pairs" } } }
            tbody { @for it in worths { tr {
                th scope="row" { (it.parameter.of) } td { (it.parameter.change) }
                td.num { (show_saved(it.impact_ms)) } td.num { (show_saved(it.claimed_ms)) }
                td.num { (it.pairs) @if it.lost > 0 { ", " (it.lost) " recover no more" } }
            } } }
        }
    };
    html! { @if !worths.is_empty() {
        h3 { "What a parameter is worth" }
        p.soft { "Each is changed by itself, in drills with the same seeds. The interval is at 95 %." }
        (wide("What each parameter is worth", &table))
    } }
}

/// Each part with the sum of those before it.
fn stacked(parts: &[Part]) -> Vec<(&Part, Ms)> {
    let mut from = 0;
    parts
        .iter()
        .map(|it| {
            let begin = from;
            from += it.median_ms;
            (it, begin)
        })
        .collect()
}

fn percent(part: Ms, whole: Ms) -> String {
    format!("{:.2}%", part as f64 / whole.max(1) as f64 * 100.0)
}

fn share(part: Ms, whole: Ms) -> String {
    show_permille((part * 1_000).checked_div(whole).unwrap_or_default())
}

fn colour(cause: Cause) -> &'static str {
    match cause {
        Cause::Detection => "var(--slow)",
        Cause::Decision => "var(--p5)",
        Cause::Evidence => "var(--p4)",
        Cause::Halt => "var(--halt)",
        Cause::Data => "var(--p1)",
        Cause::Pods => "var(--p0)",
        Cause::Proof => "var(--p2)",
    }
}
