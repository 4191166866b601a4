//! The judgement for people and machines: the answer first, why, and on one screen;
//! the numbers are for whoever asks for them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::compare::{Comparison, Measure, Unit};
use super::exact::{ALPHA_PPM, NEVER, share_ppm};
use super::judge::Judgement;
use super::objections::distinct;
use super::reason::{Answer, Remedy};
use super::runs::Skipped;
use crate::report::meta::Meta;
use crate::stats::{show_count, show_ms, show_ppm};
use crate::token;
use crate::verdict::Verdict;

/// Columns of the terminal's text; tokens of replays are not wrapped.
const WIDTH: usize = 80;
/// Lines of a screen, less the prompt's and the line about the report.
const LINES: usize = 22;

/// Millionths as percent with one decimal, rounded up, so that a bound stays one.
pub(super) fn tenths_of_percent(ppm: u64) -> String {
    let tenths = ppm.div_ceil(1_000);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

pub(super) fn value(unit: Unit, value: i64) -> String {
    let n = value.unsigned_abs();
    match unit {
        _ if n == NEVER.unsigned_abs() => "never".to_owned(),
        Unit::Ms => show_ms(n),
        Unit::Ppm => show_ppm(n),
        Unit::Count => show_count(n),
    }
}

fn signed(unit: Unit, n: i64) -> String {
    let sign = match n {
        0 => "±",
        1.. => "+",
        _ => "−",
    };
    match n {
        NEVER => "+∞".to_owned(),
        n if n == -NEVER => "−∞".to_owned(),
        n => format!("{sign}{}", value(unit, n)),
    }
}

/// The median of the differences with its interval.
pub(super) fn difference(m: &Measure) -> String {
    let (median, interval) = m.difference;
    match interval {
        Some((low, high)) => format!(
            "{} ({} to {})",
            signed(m.unit, median),
            signed(m.unit, low),
            signed(m.unit, high)
        ),
        None => signed(m.unit, median),
    }
}

pub(super) fn p99(m: &Measure) -> String {
    m.p99_at_most
        .map_or_else(|| "not shown".to_owned(), |most| signed(m.unit, most))
}

pub(super) fn pairs(c: &Comparison) -> String {
    let counts = c.counts;
    let mut parts = Vec::new();
    for (n, what) in [
        (counts.newly_harmful, "newly harmful"),
        (counts.both_pass, "pass under both"),
        (counts.newly_failing, "newly failing"),
        (counts.newly_passing, "newly passing"),
        (counts.both_fail, "fail under both"),
        (counts.newly_inconclusive, "newly inconclusive"),
        (
            counts.failing_where_unknown,
            "inconclusive under the baseline and failing under the candidate",
        ),
        (counts.inconclusive, "inconclusive under the baseline"),
    ] {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    }
    format!("{} pairs: {}", c.pairs.len(), parts.join(", "))
}

/// What the pairs of a scenario come to by themselves, whatever is said of the whole.
pub(super) fn of_pairs(c: &Comparison) -> Verdict {
    let counts = c.counts;
    if counts.newly_failing + counts.failing_where_unknown + counts.newly_harmful > 0 {
        Verdict::Fail
    } else if counts.is_silent() || counts.newly_inconclusive > 0 {
        Verdict::Inconclusive
    } else {
        Verdict::Pass
    }
}

fn wrapped(first: &str, rest: &str, text: &str) -> Vec<String> {
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(first)
        .subsequent_indent(rest)
        // A name is not broken at its hyphens.
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(true);
    textwrap::wrap(text, options)
        .into_iter()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// The first line: the answer, and what it is about.
fn headline(j: &Judgement) -> String {
    let cut = if j.interrupted {
        " (interrupted)".to_owned()
    } else {
        String::new()
    };
    format!(
        "{}{cut}: {} instead of {}",
        j.answer, j.candidate, j.baseline
    )
}

/// What was performed, and what the confidence is of.
pub(super) fn extent(j: &Judgement) -> String {
    let stopped = if j.seeds.0 < j.seeds.1 && !j.interrupted {
        format!(", decided after {} of {} seeds", j.seeds.0, j.seeds.1)
    } else {
        String::new()
    };
    format!(
        "{} drills, {} {} in {}{stopped}, {} different courses that both pass{}",
        show_count(j.drills),
        show_count(j.seeds.0),
        if j.seeds.0 == 1 { "seed" } else { "seeds" },
        match j.comparisons.len() {
            1 => "one scenario".to_owned(),
            n => format!("each of {n} scenarios"),
        },
        show_count(distinct(&j.comparisons)),
        skipped(&j.skipped)
    )
}

fn skipped(it: &Skipped) -> String {
    if let Some(mismatch) = &it.mismatch {
        return format!(
            ". None of the candidate's was skipped, as the reason for it does not hold, which is a fault of this program: {mismatch}"
        );
    }
    if it.skipped == 0 {
        return String::new();
    }
    let checked = if it.checked == 0 {
        String::new()
    } else {
        format!(
            " ({} of that kind were performed all the same)",
            show_count(it.checked)
        )
    };
    format!(
        "; {} of the candidate's would be the baseline's, request for request{checked}",
        show_count(it.skipped)
    )
}

/// What the confidence is of.
pub(super) fn confidence(j: &Judgement) -> String {
    let percent = ALPHA_PPM / 10_000;
    let tests: usize = j.comparisons.iter().map(|c| c.measures.len()).sum();
    let analyses = if j.analyses > 1 {
        format!(" at {} interim analyses", j.analyses)
    } else {
        String::new()
    };
    match j.answer {
        Answer::Reject => format!(
            "of all verifies of a harmless change, at most {percent} % would take it for slower by chance in any of the {tests} comparisons{analyses} (sign tests, Holm)"
        ),
        _ => format!(
            "of all verifies of a change that fails newly or gets worse more often, at most {percent} % would adopt it (exact binomial)"
        ),
    }
}

/// Every change, once: those of the front matter, of the plans, and of what no plan has.
pub(super) fn changes(j: &Judgement) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let plans = j.plans.iter().flat_map(|plan| &plan.changes);
    let all = j.renamed.iter().chain(&j.front_matter).chain(plans);
    all.chain(&j.elsewhere)
        .map(String::as_str)
        .filter(|change| seen.insert(*change))
        .collect()
}

/// Lines of a screen, of which each part gets no more than is left.
struct Screen(Vec<String>);

impl Screen {
    /// Adds as many of `items` as leave `keep` lines; `more` names the rest.
    fn add(&mut self, title: Option<&str>, items: &[Vec<String>], keep: usize, more: &str) {
        if items.is_empty() {
            return;
        }
        if let Some(title) = title {
            self.0.push(String::new());
            self.0.push(title.to_owned());
        }
        for (at, item) in items.iter().enumerate() {
            let last = at + 1 == items.len();
            // What is left out takes a line to say so. The first is never left out.
            let room = LINES.saturating_sub(keep + usize::from(!last));
            if at > 0 && self.0.len() + item.len() > room {
                let left = items.len() - at;
                self.0
                    .push(format!("  … and {left} more {more}: --details"));
                return;
            }
            self.0.extend(item.iter().cloned());
        }
    }
}

/// For the terminal, on one screen.
#[must_use]
pub fn text(j: &Judgement) -> String {
    let mut screen = Screen(vec![headline(j)]);
    // One thing to do: the first that must be done.
    let mut advice = match j.remedy() {
        Some(Remedy::Say(remedy)) => Some(remedy),
        _ => None,
    };
    let reasons: Vec<Vec<String>> = j
        .reasons
        .iter()
        .map(|reason| {
            let mut lines = wrapped("  - ", "    ", &reason.text);
            if reason.remedy.is_some()
                && let Some(remedy) = advice.take()
            {
                lines.extend(wrapped("    → ", "      ", remedy));
            }
            lines
        })
        .collect();
    let evidence = if j.comparisons.is_empty() {
        Vec::new()
    } else {
        wrapped(
            "Evidence: ",
            "  ",
            &format!("{}; {}", extent(j), confidence(j)),
        )
    };
    let seeds: Vec<String> = j
        .seeds_enough()
        .map(|seeds| format!("  → {}", Remedy::Seeds(seeds)))
        .into_iter()
        .collect();
    let told: Vec<&str> = j.reasons.iter().map(|r| r.text.as_str()).collect();
    let changes: Vec<Vec<String>> = changes(j)
        .into_iter()
        .filter(|change| !told.iter().any(|reason| reason.contains(change)))
        .map(|change| wrapped("  - ", "    ", change))
        .collect();
    let smallest = smallest(j);
    let end = evidence.len() + seeds.len() + smallest.len() + 1;
    screen.add(
        None,
        &reasons,
        end + if changes.is_empty() { 0 } else { 4 },
        "reasons",
    );
    screen.0.extend(seeds);
    let end = evidence.len() + smallest.len() + 1;
    screen.add(Some("What else changes"), &changes, end, "changes");
    if !evidence.is_empty() {
        screen.0.push(String::new());
        screen.0.extend(evidence);
    }
    screen.0.extend(smallest);
    screen.0.join("\n")
}

fn smallest(j: &Judgement) -> Vec<String> {
    let Some(s) = &j.smallest else {
        return Vec::new();
    };
    vec![
        format!("Smallest failing case: {} with seed {}", s.scenario, s.seed),
        format!("  {}", token::command(&s.candidate_replay)),
    ]
}

/// Everything: each plan's changes, each concern, the numbers of each scenario, and both tokens of a new failure.
#[must_use]
pub fn details(j: &Judgement) -> String {
    let mut out = String::new();
    let mut list = |title: &str, lines: &[String]| {
        if !lines.is_empty() {
            let _ = writeln!(out, "{title}:");
            for line in lines {
                let _ = writeln!(out, "{}", wrapped("  - ", "    ", line).join("\n"));
            }
        }
    };
    let rest: Vec<String> = j
        .reasons
        .iter()
        .map(|r| {
            let remedy = r
                .remedy
                .as_ref()
                .map_or_else(String::new, |remedy| format!(" → {remedy}"));
            format!("{}: {}{remedy}", r.answer, r.text)
        })
        .collect();
    list("All reasons", &rest);
    list("Renamed", &j.renamed);
    list("Changes of the front matter", &j.front_matter);
    for plan in &j.plans {
        let title = format!("Changes of the plan of {}", plan.scenarios.join(", "));
        list(&wrapped("", "  ", &title).join("\n"), &plan.changes);
    }
    list(
        "Changes of steps that none of these plans has",
        &j.elsewhere,
    );
    let settled: Vec<String> = j
        .concerns
        .iter()
        .filter_map(|c| Some((c, c.trial.as_ref().filter(|trial| trial.is_enough())?)))
        .map(|(c, trial)| {
            format!(
                "{}: tried by {} drills of {}",
                c.concern.change,
                trial.mattered,
                trial.scenarios.join(", ")
            )
        })
        .collect();
    list(
        "Settled by drills in which it was carried out and mattered",
        &settled,
    );
    if !j.comparisons.is_empty() {
        let _ = writeln!(out, "{}\n", table(j));
        for c in &j.comparisons {
            let line = format!("{}: {}", c.scenario.name, pairs(c));
            let _ = writeln!(out, "{}", wrapped("  ", "    ", &line).join("\n"));
        }
        let _ = writeln!(out, "{}", wrapped("", "  ", LEGEND).join("\n"));
    }
    if let Some(s) = &j.smallest {
        let cut = if s.cut.is_empty() {
            "nothing could be left out".to_owned()
        } else {
            s.cut.join(", ")
        };
        let said = format!(
            "The smallest case is cut down to: {cut} ({} pairs tried); {}: {}",
            s.tried, s.oracle, s.reason
        );
        let _ = writeln!(out, "{}", wrapped("", "  ", &said).join("\n"));
        let _ = writeln!(
            out,
            "  the baseline passes:  {}",
            token::command(&s.baseline_replay)
        );
        let _ = writeln!(
            out,
            "  the candidate fails:  {}",
            token::command(&s.candidate_replay)
        );
    }
    if let Some(reference) = &j.reference {
        let _ = writeln!(
            out,
            "\nAgainst the reference\n{}\n{}",
            text(reference),
            details(reference)
        );
    }
    out.truncate(out.trim_end().len());
    out
}

/// How the numbers are to be read.
pub(super) const LEGEND: &str = "Differences are candidate less baseline, pair by pair: their median with an exact interval at 95 %, and what 99 % of them do not exceed, at 95 %, which takes 299 pairs to show.";

fn table(j: &Judgement) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "",
        "Baseline",
        "Candidate",
        "Difference",
        "99 % at most",
        "Worse",
    ]);
    for c in &j.comparisons {
        table.add_row([c.scenario.name.as_str()]);
        for m in &c.measures {
            table.add_row([
                format!("  {}", m.name),
                value(m.unit, m.baseline),
                value(m.unit, m.candidate),
                difference(m),
                p99(m),
                format!("{} of {}", m.worse, m.pairs),
            ]);
        }
        for n in c.numbers.iter().filter(|n| n.baseline != n.candidate) {
            let shown = |n: u64| i64::try_from(n).unwrap_or(NEVER);
            table.add_row([
                format!("  {}", n.name),
                value(n.unit, shown(n.baseline)),
                value(n.unit, shown(n.candidate)),
            ]);
        }
    }
    for index in 1..6 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// `verify.json`; `meta` says when, where and by which command it was made, and is no part of what is compared.
#[must_use]
pub fn json(j: &Judgement, meta: &[Meta]) -> Value {
    let comparisons: Vec<Value> = j
        .comparisons
        .iter()
        .map(|c| {
            let (low, high) = share_ppm(c.counts.newly_failing, c.pairs.len() as u64);
            json!({
                "scenario": c.scenario.name,
                "pairs": c.pairs.len(),
                "counts": c.counts,
                "distinct": c.distinct,
                "newly_failing_ppm": {"low": low, "high": high},
                "measures": c.measures,
                "numbers": c.numbers,
            })
        })
        .collect();
    json!({
        "schema": "firedrill-verify/3",
        "meta": meta,
        "answer": j.answer,
        "baseline": j.baseline,
        "candidate": j.candidate,
        "reasons": j.reasons,
        "seeds_enough": j.seeds_enough(),
        "changes": {
            "renamed": j.renamed,
            "front_matter": j.front_matter,
            "plans": j.plans,
            "elsewhere": j.elsewhere,
        },
        "concerns": j.concerns,
        "comparisons": comparisons,
        "smallest": j.smallest,
        "seeds": {"run": j.seeds.0, "asked": j.seeds.1},
        "looks": j.analyses,
        "alpha_ppm": ALPHA_PPM,
        "drills": j.drills,
        "spared": j.skipped,
        "interrupted": j.interrupted,
        "reference": j.reference.as_deref().map(|reference| json(reference, &[])),
    })
}
