//! The budget as text for a terminal.

use std::fmt::Write as _;

use super::account::Part;
use super::run::{Budget, Worth};
use crate::evidence::Ms;
use crate::stats::{show_ms, show_permille, show_saved};

/// How wide a bar is, in characters.
const BAR: u64 = 40;

/// The whole budget.
#[must_use]
pub fn table(budget: &Budget) -> String {
    let account = &budget.account;
    let mut out = format!(
        "{}: {} of {} drills recovered, seeds from {}\n",
        budget.scenario, account.recovered, account.drills, budget.seed
    );
    for (what, value) in [
        ("first harm to recovery", account.impact_ms),
        ("trigger to recovery", account.rto_ms),
        ("trigger to the executor's claim", account.claimed_ms),
    ] {
        if let Some((median, worst)) = value {
            let text = format!(
                "  {what}: median {}, worst {}",
                show_ms(median),
                show_ms(worst)
            );
            line(&mut out, &text);
        }
    }
    line(
        &mut out,
        &parts("cause", &account.causes, budget.rto_max_ms),
    );
    line(&mut out, &parts("step", &account.steps, budget.rto_max_ms));
    if !account.worst.is_empty() {
        line(&mut out, "The drill that took the longest:");
        let whole: Ms = account.worst.iter().map(|(_, _, ms)| ms).sum();
        let mut from = 0;
        for (what, cause, ms) in &account.worst {
            let column = |at: Ms| usize::try_from(at * BAR / whole.max(1)).unwrap_or(0);
            let (begin, end) = (column(from), column(from + ms));
            from += ms;
            if end == begin {
                continue;
            }
            let bar = format!("{}{}", " ".repeat(begin), "#".repeat(end - begin));
            let text = format!("  |{bar:<40}| {} ({what}) {}", cause.name(), show_ms(*ms));
            line(&mut out, &text);
        }
    }
    if !budget.parameters.is_empty() {
        line(&mut out, &worths(&budget.parameters));
    }
    out.trim_end().to_owned()
}

fn parts(of: &str, parts: &[Part], rto_ms: Ms) -> String {
    let mut table = comfy_table::Table::new();
    table.set_header([
        of,
        "median",
        "worst",
        "of the RTO",
        "after recovery",
        "drills",
    ]);
    for part in parts {
        let share = (part.median_ms * 1_000).checked_div(rto_ms);
        table.add_row([
            part.what.clone(),
            show_ms(part.median_ms),
            show_ms(part.worst_ms),
            show_permille(share.unwrap_or_default()),
            show_ms(part.after_ms),
            part.drills.to_string(),
        ]);
    }
    table.to_string()
}

fn worths(worths: &[Worth]) -> String {
    let mut table = comfy_table::Table::new();
    table.set_header([
        "parameter",
        "change",
        "saves until recovery",
        "saves until the claim",
        "pairs",
    ]);
    for worth in worths {
        let lost = match worth.lost {
            0 => String::new(),
            n => format!(", {n} recover no more"),
        };
        table.add_row([
            worth.parameter.of.clone(),
            worth.parameter.change.clone(),
            show_saved(worth.impact_ms),
            show_saved(worth.claimed_ms),
            format!("{}{lost}", worth.pairs),
        ]);
    }
    table.to_string()
}

fn line(out: &mut String, text: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}
