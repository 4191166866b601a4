//! What the terminal shows after a run: the summary table and the findings.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::summary::{ScenarioSummary, by_scenario};
use crate::drill::DrillResult;
use crate::stats::{show_count, show_ms, show_ppm};
use crate::verdict::Verdict;

/// How many findings of one kind are shown each by itself.
const EXAMPLES: usize = 3;
/// How much of a reason is shown; the whole is in journal.json.
const REASON_CHARS: usize = 240;

/// The summary table.
#[must_use]
pub fn summary(results: &[DrillResult]) -> String {
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
    for s in by_scenario(results) {
        table.add_row([
            s.scenario.clone(),
            verdicts(&s),
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

/// Verdict, scenario, oracle: the worst comes first.
type Group<'a> = (Reverse<Verdict>, &'a str, &'a str);

/// The drills that did not pass, grouped by scenario and by the oracle that decided, the worst first,
/// each with the command that replays it. Empty if all passed.
#[must_use]
pub fn findings(results: &[DrillResult]) -> String {
    let mut groups: BTreeMap<Group<'_>, Vec<&DrillResult>> = BTreeMap::new();
    for result in results
        .iter()
        .filter(|r| r.verdicts.overall != Verdict::Pass)
    {
        let oracle = result.troubles().first().map_or("stage", |f| f.oracle);
        let group = (
            Reverse(result.verdicts.overall),
            result.scenario.as_str(),
            oracle,
        );
        groups.entry(group).or_default().push(result);
    }
    let mut out = String::new();
    for ((verdict, scenario, oracle), cases) in &groups {
        let n = cases.len();
        let _ = writeln!(
            out,
            "{} · {scenario} · {oracle}: {n} drill{}",
            verdict.0,
            if n == 1 { "" } else { "s" }
        );
        for result in cases.iter().take(EXAMPLES) {
            let troubles = result.troubles();
            let reason = troubles
                .first()
                .map_or("a stage that nothing looked at", |f| f.reason.as_str());
            let _ = writeln!(out, "  seed {}: {}", result.seed, one_line(reason));
            let also: Vec<&str> = troubles.iter().skip(1).map(|f| f.oracle).collect();
            if !also.is_empty() {
                let _ = writeln!(out, "    also: {}", also.join(", "));
            }
            let _ = writeln!(out, "    cargo xtask replay {}", result.replay);
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

/// `text` on one line, cut where it is too long for one.
fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = line.char_indices().nth(REASON_CHARS) {
        line.truncate(cut);
        line.push_str(" ...");
    }
    line
}
