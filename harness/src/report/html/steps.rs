//! A Gantt chart of the executor's steps, each with its budget.
//!
//! Checks after recovery take minutes and what brings recovery takes seconds, so each part has a scale of its own.

use maud::{Markup, html};

use super::axis::{Scale, TIME_STEPS, pc};
use super::flags::zero_ms;
use super::rto::{anchor, seconds};
use crate::drill::time_series::TimeSeries;
use crate::evidence::Ms;
use crate::report::classes::{is_done, is_failed};
use crate::report::journal::{Drill, Step};
use crate::stats::show_ms;

/// What is drawn of a step that took next to no time, in percent; without a width there is nothing to see.
const WIDTH_MIN: f64 = 0.3;
/// Colours of phases; after the last they begin again.
const COLOURS: usize = 6;

/// A phase, and when it was.
pub(super) struct Span<'a> {
    pub(super) title: &'a str,
    pub(super) from_ms: Ms,
    /// `None`: it never ended.
    pub(super) to_ms: Option<Ms>,
    pub(super) colour: usize,
    steps: &'a [Step<'a>],
}

/// The phases of a drill.
pub(super) fn spans<'a>(series: &'a TimeSeries, drill: &'a Drill<'a>) -> Vec<Span<'a>> {
    let mut rest = &drill.steps[..];
    let mut spans = Vec::new();
    for (index, phase) in series.phases.iter().enumerate() {
        let (steps, others) = rest.split_at(phase.steps.min(rest.len()));
        rest = others;
        let Some(from_ms) = steps.iter().map(|s| s.started_ms).min() else {
            continue;
        };
        spans.push(Span {
            title: &phase.title,
            from_ms,
            // `None` is the least: a step without an end makes a phase without one.
            to_ms: if steps.iter().any(|s| s.finished_ms.is_none()) {
                None
            } else {
                steps.iter().filter_map(|s| s.finished_ms).max()
            },
            colour: index % COLOURS,
            steps,
        });
    }
    spans
}

/// The chart.
pub(super) fn draw(series: &TimeSeries, drill: &Drill<'_>) -> Markup {
    let spans = spans(series, drill);
    if spans.is_empty() {
        return html! { p.soft { "The executor took no step." } };
    }
    let recovered = series.recovered_ms.unwrap_or(Ms::MAX);
    let before = |step: &Step<'_>| step.started_ms < recovered;
    let first = if series.recovered_ms.is_some() {
        "Until the clients saw recovery"
    } else {
        "From the trigger on"
    };
    html! {
        (part(series, &spans, first, &before))
        (part(series, &spans, "After recovery", &|step| !before(step)))
    }
}

fn part(
    series: &TimeSeries,
    spans: &[Span<'_>],
    title: &str,
    holds: &dyn Fn(&Step<'_>) -> bool,
) -> Markup {
    let steps = || {
        spans
            .iter()
            .flat_map(|s| s.steps)
            .filter(|step| holds(step))
    };
    let Some(from) = steps().map(|s| s.started_ms).min() else {
        return html! {};
    };
    let zero = zero_ms(series);
    // The first part begins at the trigger, with what the executor does before its first step.
    let from = if from >= zero && series.recovered_ms.is_none_or(|r| from < r) {
        zero
    } else {
        from
    };
    let to = steps()
        .map(|s| s.finished_ms.unwrap_or(series.end_ms))
        .max()
        .unwrap_or(from);
    let scale = Scale::new(from as f64, to as f64);
    let from_zero = Scale::new(from as f64 - zero as f64, scale.at(100.0) - zero as f64);
    html! {
        h5 { (title) }
        div.gantt {
            @for span in spans {
                @let steps: Vec<&Step<'_>> = span.steps.iter().filter(|s| holds(s)).collect();
                @if !steps.is_empty() {
                    p.chapter { i class={ "b" (span.colour) } {} (span.title) }
                    @for step in steps {
                        (row(step, span.colour, scale))
                    }
                }
            }
            div.step { svg.scale aria-hidden="true" {
                line.axis x1="0" x2="100%" y1="1" y2="1" {}
                @for tick in from_zero.ticks(5, &TIME_STEPS) {
                    @let x = from_zero.percent(tick);
                    text x=(pc(x)) y="15" text-anchor=(anchor(x)) { @if tick > 0.0 { "+" } (seconds(tick)) }
                }
            } }
        }
    }
}

fn row(step: &Step<'_>, colour: usize, scale: Scale) -> Markup {
    let from = scale.percent(step.started_ms as f64).min(100.0 - WIDTH_MIN);
    let to = step
        .finished_ms
        .map_or(100.0, |to| scale.percent(to as f64));
    let budget = scale.percent(step.started_ms.saturating_add(step.budget_ms) as f64);
    let spent = step
        .finished_ms
        .map(|to| to.saturating_sub(step.started_ms));
    let late = spent.is_none_or(|spent| spent > step.budget_ms);
    html! {
        div.step {
            p.name { (step.name) @if let Some(service) = &step.service { " " span.soft { (service) } } }
            svg role="img" {
                title { (step.name) ": " (step.outcome) ": " (step.detail) }
                rect.budget x=(pc(from)) width=(pc(budget - from)) y="2" height="12" rx="2" {}
                rect class={ "f" (colour) } x=(pc(from)) width=(pc((to - from).max(WIDTH_MIN))) y="4" height="8" style={ "stroke-width:2;stroke:var(--p" (colour) ")" } {}
            }
            p.spent {
                strong class=[late.then_some("fail")] {
                    @match spent { Some(spent) => (show_ms(spent)), None => "never ended" }
                }
                " of " (show_budget(step.budget_ms))
            }
            @if !is_done(step) {
                p class=(if is_failed(step) { "note fail" } else { "note" }) { (step.outcome) ": " (step.detail) }
            }
        }
    }
}

/// A budget is mostly whole seconds: `14 s`, `2m 45s`.
fn show_budget(ms: Ms) -> String {
    if ms < 100_000 && ms.is_multiple_of(1_000) {
        format!("{} s", ms / 1_000)
    } else {
        show_ms(ms)
    }
}
