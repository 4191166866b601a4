//! The gate of a pipeline: is an undo within its budget, and what did a change of the manifests do to it?

use std::fmt::Write as _;
use std::time::Duration;

use super::answer::{Forecast, Undo, Warning, Workload};
use super::words::{case, over, time, worth};
use crate::evidence::ms;
use crate::stats::{paired, show_ms, show_tenths};

/// How many lines of YAML a comment shows of a workload.
const CHANGES_SHOWN: usize = 3;

/// An undo whose 90th percentile is above the budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// The workload, and the case.
    pub what: String,
    /// The 90th percentile, in ms; `None`: one draw in ten did not recover.
    pub p90_ms: Option<u64>,
}

/// The undos that are over the budget.
#[must_use]
pub fn over_budget(forecast: &Forecast, budget: Duration) -> Vec<Over> {
    let budget = ms(budget);
    let mut found = Vec::new();
    for workload in &forecast.workloads {
        for undo in &workload.undos {
            if undo.p90_ms.is_none_or(|it| it > budget) {
                found.push(Over {
                    what: format!("{}, if {}", workload.name, case(undo.of)),
                    p90_ms: undo.p90_ms,
                });
            }
        }
    }
    found
}

/// What `new` changes against `old`, in Markdown, as a comment for a change. Both have the same seeds, so that the
/// difference of a workload that is in both is the mean over pairs of draws.
#[must_use]
pub fn comment(new: &Forecast, old: Option<&Forecast>, budget: Option<Duration>) -> String {
    let mut out = String::from("### Forecast of the rollback\n\n");
    if let Some(budget) = budget {
        let over = over_budget(new, budget);
        let shown = show_ms(ms(budget));
        if over.is_empty() {
            line(
                &mut out,
                &format!("Every undo is within the budget of {shown} (p90).\n"),
            );
        } else {
            for it in over {
                let what = format!(
                    "**Over the budget of {shown}**: {}: p90 {}.",
                    it.what,
                    time(it.p90_ms)
                );
                line(&mut out, &what);
            }
            line(&mut out, "");
        }
    }
    let rto = show_ms(new.rto_ms);
    let header = if old.is_some() {
        format!(
            "| workload | undo of a release | median | p90 | p90 before | difference | over {rto} |"
        )
    } else {
        format!("| workload | undo of a release | median | p90 | p99 | over {rto} |")
    };
    line(&mut out, &header);
    let columns = header.matches('|').count() - 1;
    line(&mut out, &format!("|{}", "---|".repeat(columns)));
    for workload in &new.workloads {
        let before = old.and_then(|old| same(old, workload));
        for undo in &workload.undos {
            let was = before.and_then(|it| it.undos.iter().find(|other| other.of == undo.of));
            let cells = match old {
                None => vec![time(undo.median_ms), time(undo.p90_ms), time(undo.p99_ms)],
                Some(_) => vec![
                    time(undo.median_ms),
                    time(undo.p90_ms),
                    was.map_or_else(|| "new".to_owned(), |it| time(it.p90_ms)),
                    was.map_or_else(|| "–".to_owned(), |was| difference(undo, was)),
                ],
            };
            let row = format!(
                "| {} | {} | {} | {} |",
                cell(&workload.name),
                case(undo.of),
                cells.join(" | "),
                over(undo)
            );
            line(&mut out, &row);
        }
    }
    if let Some(old) = old {
        let gone = old.workloads.iter().filter(|it| same(new, it).is_none());
        for workload in gone {
            line(
                &mut out,
                &format!("| {} | is gone | | | | | |", cell(&workload.name)),
            );
        }
    }
    for workload in &new.workloads {
        remarks(workload, old.and_then(|old| same(old, workload)), &mut out);
    }
    out
}

fn remarks(workload: &Workload, before: Option<&Workload>, out: &mut String) {
    let known = |warning: &Warning| {
        let mut old = before.iter().flat_map(|it| &it.warnings);
        old.any(|it| it.rule == warning.rule && it.text == warning.text)
    };
    let warnings: Vec<&Warning> = workload.warnings.iter().filter(|it| !known(it)).collect();
    let changes = workload.changes.iter().filter(|it| it.saves());
    let changes: Vec<_> = changes.take(CHANGES_SHOWN).collect();
    if warnings.is_empty() && changes.is_empty() {
        return;
    }
    line(out, &format!("\n**{}**\n", workload.name));
    for change in changes {
        line(out, &format!("- `{}` {}", change.place, worth(change)));
    }
    let new = if before.is_some() { "new: " } else { "" };
    for warning in warnings {
        let text = format!(
            "- {new}`{}` {}: {}. {}.",
            warning.place, warning.rule, warning.text, warning.remedy
        );
        line(out, &text);
    }
}

/// The workload of the same name.
fn same<'a>(of: &'a Forecast, workload: &Workload) -> Option<&'a Workload> {
    of.workloads.iter().find(|it| it.name == workload.name)
}

/// The mean of what an undo takes longer than before, with its interval, by pairs of draws.
fn difference(undo: &Undo, was: &Undo) -> String {
    let pairs = undo.times_ms.iter().zip(&was.times_ms);
    let Some(longer) = paired(pairs.map(|(new, old)| (*new, *old))) else {
        return "–".to_owned();
    };
    let sign = if longer.mean > 0 { "+" } else { "" };
    format!(
        "{sign}{} ({} to {})",
        show_tenths(longer.mean),
        show_tenths(longer.least),
        show_tenths(longer.most)
    )
}

/// Text that ends no cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn line(out: &mut String, text: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}
