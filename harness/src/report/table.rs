//! What the terminal shows after a run: the summary table and the findings.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::classes::{Class, classes};
use super::journal::Drill;
use super::kept::{Kept, What};
use super::problems;
use super::summary::{ScenarioSummary, by_scenario};
use crate::drill::DrillResult;
use crate::stats::{show_count, show_ms, show_ppm};
use crate::token::Replays;
use crate::verdict::Verdict;

/// Columns of a terminal that the table fits.
const WIDTH: usize = 80;
/// However wide the numbers are, names have so many columns.
const NAME_MIN: usize = 10;
/// How many drills of one class are shown each by itself.
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

/// The same of scenarios that are summed up already. It fits a terminal of 80 columns;
/// what it leaves out is in the report.
#[must_use]
pub fn summary_of(scenarios: &[ScenarioSummary]) -> String {
    let limit = limit(scenarios);
    let limit = limit.as_deref().unwrap_or("of its own limit");
    let header = [
        "Scenario\n".to_owned(),
        "Drills\n".to_owned(),
        format!("Recovery median / worst\n{limit}"),
        "Errors\nworst".to_owned(),
        format!(
            "Lost\n{}",
            Kept::sum(scenarios.iter().map(|s| s.kept)).what.word()
        ),
        "Impact\nworst".to_owned(),
    ];
    let mut rows: Vec<[String; 6]> = scenarios.iter().map(row).collect();
    let widths = (1..6).map(|column| {
        let cells = rows.iter().chain([&header]).map(|row| &row[column]);
        cells
            .flat_map(|cell| cell.lines())
            .map(|line| line.chars().count())
            .max()
    });
    let others: usize = widths.map(|width| width.unwrap_or(0) + 2).sum();
    // Numbers stay whole. Names have hyphens to be parted at.
    let room = WIDTH.saturating_sub(others + 1).max(NAME_MIN);
    for row in &mut rows {
        let name = textwrap::wrap(&row[0], room).join("\n");
        row[0] = name;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    table.add_rows(rows);
    for index in 2..6 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut out: Vec<String> = table
        .to_string()
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    out.push(below(scenarios));
    out.join("\n")
}

fn row(s: &ScenarioSummary) -> [String; 6] {
    let rto = times(&[s.rto_p50_ms, s.rto_max_ms], s.no_rto());
    [
        s.label.clone(),
        verdicts(s),
        match s.never_told() {
            None => rto,
            Some(never) => format!("{rto}\n{}", never.trim_end_matches(" recovered")),
        },
        s.error_rate_max_ppm.map_or("none".to_owned(), show_ppm),
        match s.kept.what {
            What::Nothing => "none".to_owned(),
            _ => show_count(s.kept.lost),
        },
        times(&[s.impact_max_ms], "none"),
    ]
}

/// What the numbers rest on.
fn below(scenarios: &[ScenarioSummary]) -> String {
    let sum = |of: fn(&ScenarioSummary) -> u64| {
        show_count(scenarios.iter().map(of).fold(0, u64::saturating_add))
    };
    let requests = sum(|s| s.requests_after_recovery);
    let kept = Kept::sum(scenarios.iter().map(|s| s.kept));
    match kept.what {
        What::Nothing => format!(" {requests} requests after recovery"),
        what => format!(
            " {requests} requests after recovery, {} {} acknowledged",
            show_count(kept.acknowledged),
            what.word()
        ),
    }
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

/// The classes of the drills that did not pass, as every report has them, what failed first, each with some of its
/// drills and the commands that replay these, as `replays` writes them. Empty if all passed.
#[must_use]
pub fn findings(results: &[DrillResult], replays: &Replays) -> String {
    let drills: Vec<Drill<'_>> = results
        .iter()
        .filter(|r| r.verdicts.overall != Verdict::Pass)
        .map(Drill::from)
        .collect();
    findings_of(&drills, replays)
}

/// The same of a journal's drills.
#[must_use]
pub fn findings_of(drills: &[Drill<'_>], replays: &Replays) -> String {
    let mut out = String::new();
    for class in classes(drills) {
        let _ = writeln!(
            out,
            "{} · {} · {}",
            class.name.verdict,
            class.name.title(),
            class.extent()
        );
        let scenarios = class.scenarios();
        let shown = examples(&class);
        let mut before = String::new();
        for drill in &shown {
            let seed = if scenarios.len() > 1 {
                format!("{}, seed {}", drill.scenario, drill.seed)
            } else {
                format!("seed {}", drill.seed)
            };
            let reason = problems::one_line(&problems::reason(drill));
            if problems::differ_in_numbers_only(&before, &reason) {
                let _ = writeln!(out, "  {seed}: the same");
            } else {
                let _ = writeln!(out, "  {seed}: {reason}");
            }
            before = reason;
            let found = drill.problems();
            let also: Vec<&str> = found.iter().skip(1).map(|f| f.oracle.as_str()).collect();
            if !also.is_empty() {
                let _ = writeln!(out, "    also: {}", also.join(", "));
            }
            let _ = writeln!(out, "    {}", replays.command(&drill.replay));
            if let Some(smallest) = &drill.smallest {
                let what = problems::without_reason(smallest, &class.name.oracle);
                let _ = writeln!(out, "    smallest failing case: {what}");
                let _ = writeln!(out, "    {}", replays.command(&smallest.replay));
            }
        }
        if let Some(more @ 1..) = class.drills.len().checked_sub(shown.len()) {
            let _ = writeln!(
                out,
                "  and {more} more; all are in journal.json with --report DIR"
            );
        }
        if scenarios.len() > EXAMPLES {
            let all: Vec<String> = scenarios
                .iter()
                .map(|(name, drills)| format!("{name} ({drills})"))
                .collect();
            let _ = writeln!(out, "  in {}", all.join(", "));
        }
    }
    out
}

/// Drills that stand for a class: the first of each scenario, so that each of a few scenarios is there, and then
/// others.
fn examples<'a>(class: &Class<'a>) -> Vec<&'a Drill<'a>> {
    let mut seen = BTreeSet::new();
    let (firsts, others): (Vec<_>, Vec<_>) = class
        .drills
        .iter()
        .copied()
        .partition(|drill| seen.insert(&*drill.scenario));
    firsts.into_iter().chain(others).take(EXAMPLES).collect()
}
