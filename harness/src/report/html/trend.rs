//! Several runs: a table, and a small chart of the times to recover by the instants at which the runs began.

use maud::{Markup, html};

use super::axis::{Scale, TIME_STEPS, pc, short};
use super::page::{badge, wide};
use super::rto::seconds;
use crate::report::kept::Kept;
use crate::report::trend::{Point, Trend};
use crate::stats::show_count;

/// How many runs are shown, the latest.
const RUNS_MAX: usize = 200;
/// Height of the chart, in pixels.
const PLOT_PX: usize = 120;

/// The section.
pub(super) fn draw(trend: &Trend) -> Markup {
    let left_out = trend.points.len().saturating_sub(RUNS_MAX);
    let shown = &trend.points[left_out..];
    html! {
        section.card #trend aria-labelledby="trend-title" {
            h2 #trend-title { "Over time" }
            (chart(shown))
            (wide("Runs over time", &table(shown)))
            @if left_out > 0 { p.soft { (show_count(left_out as u64)) " earlier runs are left out." } }
        }
    }
}

fn table(points: &[Point]) -> Markup {
    let kept = Kept::sum(points.iter().map(|it| it.kept));
    html! {
        table {
            thead { tr {
                th scope="col" { "Start" } th scope="col" { "Commit" } th scope="col" { "Verdict" }
                th.num scope="col" { "Drills" } th.num scope="col" { "Failed" } th.num scope="col" { "Inconclusive" }
                th.num scope="col" { "Classes" } th.num scope="col" { "Median recovery time" } th.num scope="col" { "Worst" }
                th.num scope="col" { (kept.what.heading()) " lost" } th scope="col" { "Journal" }
            } }
            tbody {
                @for point in points.iter().rev() {
                    tr {
                        th.row scope="row" { (point.began()) }
                        td { code { (point.commit()) } }
                        td { (badge(point.verdict)) }
                        td.num { (show_count(point.drills as u64)) }
                        td.num { (show_count(point.failed as u64)) }
                        td.num { (show_count(point.inconclusive as u64)) }
                        td.num { (point.classes) }
                        td.num { (point.median()) }
                        td.num { (point.worst()) }
                        td.num { (show_count(point.kept.lost)) }
                        td.why { (point.file) }
                    }
                }
            }
        }
    }
}

fn chart(points: &[Point]) -> Markup {
    let dated: Vec<(f64, &Point)> = points
        .iter()
        .filter_map(|point| Some((point.started?.as_millisecond() as f64, point)))
        .collect();
    let highest = dated.iter().filter_map(|(_, p)| p.worst_ms).max();
    let (Some(first), Some(last), Some(highest)) = (dated.first(), dated.last(), highest) else {
        return html! {};
    };
    if dated.len() < 2 {
        return html! {};
    }
    let across = Scale::new(first.0, last.0);
    let up = Scale::new(0.0, highest as f64 * 1.05);
    // Room for a whole dot at each end.
    let x = |at: f64| 1.0 + across.percent(at) * 0.98;
    let y = |ms: u64| short((100.0 - up.percent(ms as f64)) / 100.0 * PLOT_PX as f64);
    let label = format!(
        "Times to recover of {} runs, from {} to {}",
        dated.len(),
        first.1.began(),
        last.1.began()
    );
    html! {
        figure.chart {
            figcaption {
                "Times to recover, by start"
                span.key { i style="background:var(--calm)" {} "worst of a run" }
                span.key { i style="background:var(--err)" {} "worst of a run that did not pass" }
                span.key { i.line style="border-top-style:solid;border-color:var(--ink)" {} "median" }
            }
            div.plot {
                svg.y width="50" height=(PLOT_PX + 24) aria-hidden="true" {
                    @for tick in up.ticks(4, &TIME_STEPS) {
                        text x="42" y=(y(tick as u64)) dy="4" text-anchor="end" { (seconds(tick)) }
                    }
                }
                svg.x width="100%" height=(PLOT_PX + 24) role="img" {
                    title { (label) }
                    @for tick in up.ticks(4, &TIME_STEPS) {
                        line.grid x1="0" x2="100%" y1=(y(tick as u64)) y2=(y(tick as u64)) {}
                    }
                    @for (at, point) in &dated {
                        @if let Some(median) = point.median_ms {
                            @let (from, to) = ((x(*at) - 0.6).max(0.0), x(*at) + 0.6);
                            line.tick x1=(pc(from)) x2=(pc(to)) y1=(y(median)) y2=(y(median)) {}
                        }
                        @if let Some(worst) = point.worst_ms {
                            circle class={ "dot " (point.verdict) } cx=(pc(x(*at))) cy=(y(worst)) r="4" {
                                title {
                                    (point.began()) ": " (point.verdict) ", worst " (point.worst())
                                    ", median " (point.median())
                                }
                            }
                        }
                    }
                    line.axis x1="0" x2="100%" y1=(PLOT_PX) y2=(PLOT_PX) {}
                    text x="0" y=(PLOT_PX + 18) text-anchor="start" { (first.1.began()) }
                    text x="100%" y=(PLOT_PX + 18) text-anchor="end" { (last.1.began()) }
                }
            }
        }
    }
}
