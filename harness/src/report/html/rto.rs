//! How long the drills of a scenario took to recover, against the limit.

use maud::{Markup, html};

use super::axis::{Scale, TIME_STEPS, pc};
use crate::report::journal::Drill;
use crate::report::summary::ScenarioSummary;
use crate::stats::show_ms;
use crate::verdict::Verdict;

/// Of more drills, those that passed are drawn as one range; so many dots are a smear.
const DOTS_MAX: usize = 500;
/// With fewer, a histogram says less than the dots.
const BINNED_MIN: usize = 12;
const BINS_MAX: usize = 40;
/// Recovery is measured in whole seconds: narrower bins only show gaps.
const BIN_STEPS: [f64; 9] = [1e3, 2e3, 5e3, 1e4, 1.5e4, 3e4, 6e4, 1.2e5, 3e5];

/// The distribution.
pub(super) fn draw(drills: &[&Drill<'_>], summary: &ScenarioSummary, limit_ms: u64) -> Markup {
    let rtos: Vec<u64> = drills.iter().filter_map(|d| d.rto_ms).collect();
    let (Some(best), Some(worst)) = (rtos.iter().min().copied(), rtos.iter().max().copied()) else {
        return html! { p.soft { "No drill of this scenario has a time to recovery." } };
    };
    let never = drills
        .iter()
        .filter(|d| d.rto_ms.is_none() && d.verdict != Verdict::Pass)
        .count();
    html! {
        (strip(drills, summary, limit_ms, best, worst))
        @if rtos.len() >= BINNED_MIN && worst > best {
            (histogram(&rtos, best, worst, limit_ms))
        }
        @if never > 0 {
            p.fail { (never) " of " (drills.len()) " never recovered and are not in the picture." }
        }
    }
}

/// Where a label at `percent` is anchored, so that it stays inside.
pub(super) fn anchor(percent: f64) -> &'static str {
    match percent {
        ..4.0 => "start",
        96.0.. => "end",
        _ => "middle",
    }
}

/// Every drill a dot, on a scale that the limit is on. Of too many, only some that did not pass are dots.
fn strip(
    drills: &[&Drill<'_>],
    summary: &ScenarioSummary,
    limit_ms: u64,
    best: u64,
    worst: u64,
) -> Markup {
    let end = (limit_ms as f64 * 1.04).max(worst as f64 * 1.04);
    let scale = Scale::new(0.0, end);
    let limit = scale.percent(limit_ms as f64);
    let many = drills.len() > DOTS_MAX;
    // What did not pass lies on top.
    let passed = drills
        .iter()
        .filter(|d| d.verdict == Verdict::Pass && !many);
    let others = drills
        .iter()
        .filter(|d| d.verdict != Verdict::Pass)
        .take(DOTS_MAX);
    let label = format!(
        "Time to recovery of {} drills: median {}, worst {}, limit {}",
        drills.len(),
        summary.rto_p50_ms.map_or_else(String::new, show_ms),
        show_ms(worst),
        show_ms(limit_ms)
    );
    html! {
        figure.chart {
            figcaption {
                "Against the limit"
                span.key { i style="background:var(--calm)" {} @if many { "all drills, from the best to the worst" } @else { "a drill" } }
                @if drills.len() > 1 {
                    span.key { i.line style="border-top-style:solid;border-color:var(--ink)" {} "median and p99" }
                }
                span.key { i.line style="border-color:var(--err)" {} "limit" }
            }
            svg width="100%" height="74" role="img" style="display:block;overflow:visible" {
                title { (label) }
                rect.over x=(pc(limit)) y="8" width=(pc(100.0 - limit)) height="40" {}
                line.axis x1="0" x2="100%" y1="48" y2="48" {}
                @for tick in scale.ticks(6, &TIME_STEPS) {
                    @let x = scale.percent(tick);
                    line.axis x1=(pc(x)) x2=(pc(x)) y1="48" y2="52" {}
                    text x=(pc(x)) y="67" text-anchor=(anchor(x)) { (seconds(tick)) }
                }
                @if many {
                    @let (from, to) = (scale.percent(best as f64), scale.percent(worst as f64));
                    rect.dot x=(pc(from)) width=(pc(to - from)) y="14" height="28" rx="3" {
                        title { "from " (show_ms(best)) " to " (show_ms(worst)) }
                    }
                }
                @for (index, drill) in passed.chain(others).enumerate() {
                    @if let Some(rto) = drill.rto_ms {
                        circle class={ "dot " (drill.verdict) } cx=(pc(scale.percent(rto as f64)))
                            cy=(14 + index * 11 % 29) r="3.5" {
                            title { "seed " (drill.seed) ": " (show_ms(rto)) ", " (drill.verdict) }
                        }
                    }
                }
                @if drills.len() > 1 {
                    @for mark in [summary.rto_p50_ms, summary.rto_p99_ms].into_iter().flatten() {
                        @let x = pc(scale.percent(mark as f64));
                        line.tick x1=(x) x2=(x) y1="8" y2="48" {}
                    }
                }
                line.bound x1=(pc(limit)) x2=(pc(limit)) y1="4" y2="48" {}
            }
        }
    }
}

/// How many drills took how long, on a scale of its own.
fn histogram(rtos: &[u64], best: u64, worst: u64, limit_ms: u64) -> Markup {
    let step = BIN_STEPS
        .into_iter()
        .find(|step| (worst - best) as f64 / step <= BINS_MAX as f64 / 2.0)
        .unwrap_or(((worst - best) as f64 / BINS_MAX as f64).ceil());
    let first = (best as f64 / step).floor();
    let count = ((worst as f64 / step).floor() - first) as usize + 1;
    let mut bins = vec![0_usize; count.min(BINS_MAX + 1)];
    for rto in rtos {
        let bin = ((*rto as f64 / step).floor() - first) as usize;
        let last = bins.len() - 1;
        bins[bin.min(last)] += 1;
    }
    let highest = bins.iter().copied().max().unwrap_or(1).max(1);
    let scale = Scale::new(first * step, (first + bins.len() as f64) * step);
    html! {
        figure.chart {
            figcaption {
                "The same, closer"
                span.key { "drills in each " (seconds(step)) }
            }
            div.plot {
                svg.y width="50" height="116" aria-hidden="true" {
                    text x="42" y="14" text-anchor="end" { (highest) }
                    text x="42" y="94" text-anchor="end" { "0" }
                }
                svg.x width="100%" height="116" role="img" {
                    title { "Histogram of the times to recovery, from " (show_ms(best)) " to " (show_ms(worst)) }
                    line.grid x1="0" x2="100%" y1="10" y2="10" {}
                    @for (index, n) in bins.iter().enumerate() {
                        @if *n > 0 {
                            @let from = (first + index as f64) * step;
                            @let height = (*n as f64 / highest as f64 * 80.0).max(1.5);
                            rect class={ @if from >= limit_ms as f64 { "errors" } @else { "bin" } }
                                x=(pc(scale.percent(from) + 0.15)) width=(pc(100.0 / bins.len() as f64 - 0.3))
                                y=(super::axis::short(90.0 - height)) height=(super::axis::short(height)) {
                                title { (seconds(from)) " to " (seconds(from + step)) ": " (n) }
                            }
                        }
                    }
                    line.axis x1="0" x2="100%" y1="90" y2="90" {}
                    @for tick in scale.ticks(5, &TIME_STEPS) {
                        @let x = scale.percent(tick);
                        line.axis x1=(pc(x)) x2=(pc(x)) y1="90" y2="94" {}
                        text x=(pc(x)) y="109" text-anchor=(anchor(x)) { (seconds(tick)) }
                    }
                }
            }
        }
    }
}

/// Milliseconds as seconds on an axis: `45 s`.
pub(super) fn seconds(ms: f64) -> String {
    format!("{} s", super::axis::short(ms / 1e3))
}
