//! The forecast as text for a terminal.

use std::fmt::Write as _;

use super::answer::{Chart, Forecast, Workload};
use super::path::Phase;
use super::words::{case, decides, over, pods, pods_on_path, time, worth};
use crate::stats::show_ms;

/// How many lines of YAML are shown of a workload.
const CHANGES_SHOWN: usize = 5;
/// How wide the typical draw is drawn, in characters.
const CHART_WIDTH: u64 = 60;

/// The whole forecast.
#[must_use]
pub fn table(forecast: &Forecast) -> String {
    let mut out = format!("{}\n", overview(forecast));
    for workload in &forecast.workloads {
        details(workload, &mut out);
    }
    for it in &forecast.left_out {
        line(&mut out, &format!("{} {}: {}", it.place, it.name, it.why));
    }
    out.push('\n');
    for assumed in &forecast.assumed {
        line(&mut out, assumed);
    }
    out.trim_end().to_owned()
}

fn overview(forecast: &Forecast) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    let over_rto = format!("over {}", show_ms(forecast.rto_ms));
    table.set_header([
        "workload",
        "undo of a release",
        "median",
        "p90",
        "p99",
        &over_rto,
    ]);
    for workload in &forecast.workloads {
        for (nth, undo) in workload.undos.iter().enumerate() {
            let name = if nth == 0 { workload.name.as_str() } else { "" };
            table.add_row([
                name.to_owned(),
                case(undo.of).to_owned(),
                time(undo.median_ms),
                time(undo.p90_ms),
                time(undo.p99_ms),
                over(undo),
            ]);
        }
    }
    table
}

fn details(workload: &Workload, out: &mut String) {
    line(
        out,
        &format!(
            "\n{} ({}): {}",
            workload.name,
            workload.place,
            pods(workload)
        ),
    );
    for source in &workload.starts {
        line(out, &format!("  {source}"));
    }
    for undo in &workload.undos {
        let pods = pods_on_path(undo).map_or_else(String::new, |it| format!("; {it}"));
        line(
            out,
            &format!("  If {}: {}{pods}", case(undo.of), decides(undo)),
        );
        if undo.never > 0 && undo.never < undo.draws {
            let why = undo.why_never.as_deref().unwrap_or_default();
            line(
                out,
                &format!(
                    "    {} of {} draws did not recover: {why}",
                    undo.never, undo.draws
                ),
            );
        }
    }
    if let Some(chart) = workload.undos.first().and_then(|it| it.typical.as_ref()) {
        gantt(chart, out);
    }
    let saving = workload.changes.iter().filter(|it| it.saves());
    for it in saving.take(CHANGES_SHOWN) {
        let price = if it.price.is_empty() {
            String::new()
        } else {
            format!("; price: {}", it.price)
        };
        line(out, &format!("  {} {}{price}", it.place, worth(it)));
    }
    for warning in &workload.warnings {
        line(
            out,
            &format!(
                "  {} {}: {}. Remedy: {}.",
                warning.place, warning.rule, warning.text, warning.remedy
            ),
        );
    }
    for warning in &workload.not_simulated {
        line(
            out,
            &format!(
                "  {} not simulated, {}: {}. Remedy: {}.",
                warning.place, warning.rule, warning.text, warning.remedy
            ),
        );
    }
}

/// The critical path of the typical draw, a line for each phase that takes its time.
fn gantt(chart: &Chart, out: &mut String) {
    let whole = chart.recovered_ms.max(1);
    let column = |ms: u64| usize::try_from(ms * CHART_WIDTH / whole).unwrap_or(0);
    line(
        out,
        &format!("  A typical undo ({}):", show_ms(chart.recovered_ms)),
    );
    // What takes no time on this scale is left out.
    let least = whole / CHART_WIDTH;
    let bars = chart.path.iter();
    for bar in bars.filter(|it| it.to_ms - it.from_ms > least) {
        let (from, to) = (column(bar.from_ms), column(bar.to_ms));
        let drawn = format!(
            "{}{}",
            " ".repeat(from),
            mark(bar.phase).repeat((to - from).max(1))
        );
        let took = show_ms(bar.to_ms - bar.from_ms);
        let pod = bar.pod.as_deref().map(|it| format!(" of {it}"));
        line(
            out,
            &format!(
                "    |{drawn:<60}| {} {took}{}",
                bar.phase.name(),
                pod.unwrap_or_default()
            ),
        );
    }
}

fn mark(phase: Phase) -> &'static str {
    match phase {
        Phase::Control => ".",
        Phase::Schedule => "?",
        Phase::Pull => "-",
        Phase::Init => "i",
        Phase::Start => "=",
        Phase::Probe => "#",
        Phase::MinReady => "m",
        Phase::Terminate => "x",
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}
