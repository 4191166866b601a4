//! What the terminal shows after a run: the summary table and the findings.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::journal::Drill;
use super::summary::{ScenarioSummary, by_scenario};
use super::troubles;
use crate::drill::DrillResult;
use crate::stats::{show_count, show_ms, show_ppm};
use crate::verdict::Verdict;

/// How many findings of one kind are shown each by itself.
const EXAMPLES: usize = 3;

/// The summary table.
#[must_use]
pub fn summary(results: &[DrillResult]) -> String {
    summary_of(&by_scenario(results))
}

/// The same of scenarios that are summed up already.
#[must_use]
pub fn summary_of(scenarios: &[ScenarioSummary]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "Scenario",
        "Verdict",
        "RTO median / p99 / worst\nof 5 minutes",
        "Errors after recovery\nworst, below 0.01%",
        "Trades acknowledged\nand lost",
        "Impact\nmedian / worst",
    ]);
    for s in scenarios {
        table.add_row([
            s.label.clone(),
            verdicts(s),
            times(&[s.rto_p50_ms, s.rto_p99_ms, s.rto_max_ms]),
            match s.error_rate_max_ppm {
                Some(ppm) => format!(
                    "{} of {}",
                    show_ppm(ppm),
                    show_count(s.requests_after_recovery)
                ),
                None => "none measured".to_owned(),
            },
            format!(
                "{}, lost {}",
                show_count(s.trades_acknowledged),
                show_count(s.trades_lost)
            ),
            times(&[s.impact_p50_ms, s.impact_max_ms]),
        ]);
    }
    for index in 2..6 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
        .to_string()
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

fn verdicts(s: &ScenarioSummary) -> String {
    let mut parts = vec![format!("{} pass", s.passed)];
    if s.failed > 0 {
        parts.push(format!("{} fail", s.failed));
    }
    if s.inconclusive > 0 {
        parts.push(format!("{} inconclusive", s.inconclusive));
    }
    parts.join("\n")
}

fn times(values: &[Option<u64>]) -> String {
    if values.iter().all(Option::is_none) {
        return "none".to_owned();
    }
    let shown: Vec<String> = values
        .iter()
        .map(|v| v.map_or_else(|| "none".to_owned(), show_ms))
        .collect();
    shown.join(" / ")
}

/// The drills that did not pass, grouped by scenario and by the oracle that decided, the worst first,
/// each with the command that replays it. Empty if all passed.
#[must_use]
pub fn findings(results: &[DrillResult]) -> String {
    let drills: Vec<Drill<'_>> = results
        .iter()
        .filter(|r| r.verdicts.overall != Verdict::Pass)
        .map(Drill::from)
        .collect();
    findings_of(&drills)
}

/// The same of a journal's drills.
#[must_use]
pub fn findings_of(drills: &[Drill<'_>]) -> String {
    let mut out = String::new();
    for group in troubles::groups(drills) {
        let n = group.drills.len();
        let _ = writeln!(
            out,
            "{} · {} · {}: {n} drill{}",
            group.verdict,
            group.scenario,
            group.oracle,
            if n == 1 { "" } else { "s" }
        );
        for drill in group.drills.iter().take(EXAMPLES) {
            let reason = troubles::one_line(&troubles::reason(drill));
            let _ = writeln!(out, "  seed {}: {reason}", drill.seed);
            let found = drill.troubles();
            let also: Vec<&str> = found.iter().skip(1).map(|f| &*f.oracle).collect();
            if !also.is_empty() {
                let _ = writeln!(out, "    also: {}", also.join(", "));
            }
            let _ = writeln!(out, "    {}", drill.command());
            if let Some(smallest) = &drill.smallest {
                let what = troubles::one_line(&smallest.what);
                let _ = writeln!(out, "    smallest failing case: {what}");
                let _ = writeln!(out, "    cargo xtask replay {}", smallest.replay);
            }
        }
        if n > EXAMPLES {
            let _ = writeln!(
                out,
                "  and {} more; all are in journal.json with --report DIR",
                n - EXAMPLES
            );
        }
    }
    out
}
