//! `forecast.html`: the forecast as one page that fetches nothing. A draw of each undo is drawn as a Gantt chart.

use maud::{Markup, html};

use super::answer::{Bar, Chart, Forecast, Undo, Warning, Workload};
use super::path::Phase;
use super::words::{case, decides, over, pods, pods_on_path, time, worth};
use crate::report::html::page::{answers, document, index, sentence, top, wide};
use crate::stats::show_ms;
use crate::verdict::Verdict;

/// Height of a row of the chart, and of the bar in it, in pixels.
const ROW: usize = 22;
const BAR: usize = 14;
/// How many pods a chart shows.
const ROWS_MAX: usize = 40;

/// The page. `budget_ms` is what the 90th percentile may be.
#[must_use]
pub fn page(forecast: &Forecast, budget_ms: Option<u64>) -> String {
    let bound = budget_ms.unwrap_or(forecast.rto_ms);
    let late = |undo: &&Undo| undo.p90_ms.is_none_or(|it| it > bound);
    let undos = || forecast.workloads.iter().flat_map(|it| &it.undos);
    let (verdict, word) = if undos().any(|it| late(&it)) {
        (Verdict::Fail, "Too slow")
    } else {
        (Verdict::Pass, "In time")
    };
    let n = undos().filter(late).count();
    let line = match n {
        0 => format!(
            "nine of ten undos of every workload recover within {}",
            show_ms(bound)
        ),
        n => format!(
            "{n} undos do not recover within {} in nine of ten cases",
            show_ms(bound)
        ),
    };
    let mut parts = vec![("answers", "In short".to_owned())];
    parts.push((
        "workloads",
        format!("Workloads ({})", forecast.workloads.len()),
    ));
    let body = html! {
        (top(verdict, word, &sentence(&line), "Firedrill forecast · from manifests, simulated"))
        (index(&parts))
        main #main {
            (answers(&in_short(forecast)))
            section #workloads aria-label="Workloads" {
                @for workload in &forecast.workloads { (card(workload, forecast.rto_ms)) }
            }
        }
        footer {
            p { "From `kubectl rollout undo` to recovered: all pods are of the prior release and available, and no pod of the bad one gets traffic
                (where no Service sends any: none of its processes runs). Every number is of " (forecast.draws) " simulated undos for each case, from seed "
                (forecast.seed) ". A line of YAML is judged by pairs of undos with the same draws, and its interval is at 95 %." }
            p { "Made by forecast, with forecast.json beside this page. Nothing is fetched." }
        }
    };
    document(&format!("{word}: {line}"), &body)
}

fn in_short(forecast: &Forecast) -> Vec<(&'static str, Markup)> {
    let slowest = forecast
        .workloads
        .iter()
        .flat_map(|it| it.undos.iter().map(move |undo| (it, undo)))
        .max_by_key(|(_, undo)| undo.p90_ms.unwrap_or(u64::MAX));
    let mut rows = Vec::new();
    if let Some((workload, undo)) = slowest {
        rows.push((
            "Which is the slowest?",
            html! {
                strong { (workload.name) } ", if " (case(undo.of)) ": median " (time(undo.median_ms)) ", p90 " (time(undo.p90_ms)) ". "
                (sentence(&decides(undo)))
            },
        ));
    }
    let best = forecast.workloads.iter().flat_map(|it| &it.changes);
    if let Some(best) = best.filter(|it| it.saves()).max_by_key(|it| it.saves_ms) {
        rows.push((
            "What would help the most?",
            html! { code { (best.place) } " " (worth(best)) },
        ));
    }
    rows.push((
        "What is assumed?",
        html! { @for it in &forecast.assumed { (it) " " } },
    ));
    if !forecast.left_out.is_empty() {
        rows.push((
            "What is left out?",
            html! { @for it in &forecast.left_out { (it.name) ": " (it.why) ". " } },
        ));
    }
    rows
}

fn card(workload: &Workload, rto_ms: u64) -> Markup {
    let table = html! {
        table {
            thead { tr {
                th { "Undo of a release" } th.num { "Median" } th.num { "p90" } th.num { "p99" } th.num { "Over " (show_ms(rto_ms)) } th { "What decides" }
            } }
            tbody { @for undo in &workload.undos { tr {
                th scope="row" { (case(undo.of)) }
                td.num { (time(undo.median_ms)) } td.num { (time(undo.p90_ms)) } td.num { (time(undo.p99_ms)) }
                td.num { (over(undo)) }
                td.why { (decides(undo)) }
            } } }
        }
    };
    html! {
        section.card aria-label=(workload.name) {
            h2 { (workload.name) }
            p.soft {
                code { (workload.place) } " · " (pods(workload))
                @for it in &workload.starts { " · " (it) }
            }
            (wide("Times of the undo", &table))
            @for undo in &workload.undos {
                @if let Some(chart) = &undo.typical { (gantt(undo, chart)) }
            }
            @if !workload.changes.is_empty() {
                h3 { "What a line of YAML is worth" }
                ul.plain { @for it in &workload.changes { li {
                    code { (it.place) } " " (worth(it))
                    @if !it.saves() { span.soft { " (not shown to save time)" } }
                    @else if !it.price.is_empty() { span.soft { " · price: " (it.price) } }
                } } }
            }
            (listed("What goes wrong, or may", &workload.warnings))
            (listed("What is not simulated", &workload.not_simulated))
        }
    }
}

fn listed(title: &str, warnings: &[Warning]) -> Markup {
    html! {
        @if !warnings.is_empty() {
            h3 { (title) }
            ul.plain { @for it in warnings { li {
                code { (it.place) } " " strong { (it.rule) } ": " (it.text) ". " span.soft { (sentence(&it.remedy)) }
            } } }
        }
    }
}

fn gantt(undo: &Undo, chart: &Chart) -> Markup {
    let rows = &chart.rows[..chart.rows.len().min(ROWS_MAX)];
    let percent = |ms: u64| {
        let share = ms as f64 / chart.recovered_ms.max(1) as f64 * 100.0;
        share.clamp(0.0, 100.0)
    };
    let height = (rows.len() + 1) * ROW;
    let rect = |bar: &Bar, row: usize, faint: bool| {
        let (from, to) = (percent(bar.from_ms), percent(bar.to_ms));
        let style = format!(
            "fill:{};opacity:{}",
            colour(bar.phase),
            if faint { "0.45" } else { "1" }
        );
        let took = show_ms(bar.to_ms.saturating_sub(bar.from_ms));
        html! {
            rect x=(format!("{from:.2}%")) width=(format!("{:.2}%", to - from)) y=(row * ROW + (ROW - BAR) / 2) height=(BAR) style=(style) {
                title { (bar.phase.name()) " " (took) @if let Some(pod) = &bar.pod { " of " (pod) } }
            }
        }
    };
    let used = |phase: &Phase| {
        let bars = chart
            .path
            .iter()
            .chain(rows.iter().flat_map(|row| &row.bars));
        let mut bars = bars.filter(|it| it.phase == *phase);
        bars.any(|it| it.to_ms > it.from_ms)
    };
    html! {
        figure {
            h3 { "If " (case(undo.of)) ": a typical undo takes " (show_ms(chart.recovered_ms)) }
            @if let Some(pods) = pods_on_path(undo) { p.soft { (sentence(&pods)) } }
            svg width="100%" height=(height) role="img" aria-label="Gantt chart of the undo: the critical path first, then each pod" {
                @for bar in &chart.path { (rect(bar, 0, false)) }
                @for (nth, row) in rows.iter().enumerate() {
                    @for bar in &row.bars { (rect(bar, nth + 1, !row.decides)) }
                }
            }
            p.nums {
                @for phase in Phase::ALL.iter().filter(|it| used(it)) {
                    span { span style=(format!("color:{}", colour(*phase))) { "■ " } (phase.name()) }
                }
                span { "first row: the critical path; below: the pods, pale where they do not decide" }
            }
            @if chart.rows.len() > rows.len() { p.soft { (chart.rows.len() - rows.len()) " more pods are in forecast.json." } }
        }
    }
}

fn colour(phase: Phase) -> &'static str {
    match phase {
        Phase::Control => "var(--p5)",
        Phase::Schedule => "var(--halt)",
        Phase::Pull => "var(--slow)",
        Phase::Init => "var(--p1)",
        Phase::Start => "var(--p0)",
        Phase::Probe => "var(--p2)",
        Phase::MinReady => "var(--p4)",
        Phase::Terminate => "var(--p3)",
    }
}
