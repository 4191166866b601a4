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

/// What all times are held against, if that is the same for all scenarios: `of 5 minutes`.
fn limit(scenarios: &[ScenarioSummary]) -> Option<String> {
    let first = scenarios.first()?.rto_limit_ms?;
    let same = scenarios.iter().all(|s| s.rto_limit_ms == Some(first));
    same.then(|| match (first % 60_000, first / 60_000) {
        (0, 1) => "of a minute".to_owned(),
        (0, minutes) => format!("of {minutes} minutes"),
        _ => format!("of {}", show_ms(first)),
    })
}

/// The same of scenarios that are summed up already.
#[must_use]
pub fn summary_of(scenarios: &[ScenarioSummary]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let limit = limit(scenarios);
    table.set_header([
        "Scenario",
        "Verdict",
        &format!(
            "RTO median / p99 / worst\n{}",
            limit.as_deref().unwrap_or("of each one's own limit")
        ),
        "Errors after recovery\nworst, below 0.01%",
        "Trades acknowledged\nand lost",
        "Impact\nmedian / worst",
    ]);
    for s in scenarios {
        table.add_row([
            s.label.clone(),
            verdicts(s),
            match s.never_told() {
                None => times(&[s.rto_p50_ms, s.rto_p99_ms, s.rto_max_ms], s.no_rto()),
                Some(never) => format!(
                    "{}\n{never}",
                    times(&[s.rto_p50_ms, s.rto_p99_ms, s.rto_max_ms], s.no_rto())
                ),
            },
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
            times(&[s.impact_p50_ms, s.impact_max_ms], "none"),
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

/// The times, with a word for each that there is not.
fn times(values: &[Option<u64>], missing: &str) -> String {
    if values.iter().all(Option::is_none) {
        return missing.to_owned();
    }
    let shown: Vec<String> = values
        .iter()
        .map(|v| v.map_or_else(|| missing.to_owned(), show_ms))
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
        let mut before = String::new();
        for drill in group.drills.iter().take(EXAMPLES) {
            let reason = troubles::one_line(&troubles::reason(drill));
            if troubles::differ_in_numbers_only(&before, &reason) {
                let _ = writeln!(out, "  seed {}: the same", drill.seed);
            } else {
                let _ = writeln!(out, "  seed {}: {reason}", drill.seed);
            }
            before = reason;
            let found = drill.troubles();
            let also: Vec<&str> = found.iter().skip(1).map(|f| f.oracle.as_str()).collect();
            if !also.is_empty() {
                let _ = writeln!(out, "    also: {}", also.join(", "));
            }
            let _ = writeln!(out, "    {}", drill.command());
            if let Some(smallest) = &drill.smallest {
                let what = troubles::one_line(&smallest.what);
                let _ = writeln!(out, "    smallest failing case: {what}");
                let _ = writeln!(out, "    {}", smallest.command());
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
