//! The judgement for people and machines: the answer first, then what changes, then the numbers, then the failing case.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::compare::{Comparison, IMPACT_P99, Measure, RTO_MEDIAN, RTO_P99, Unit};
use super::interval::confidence;
use super::interval::{Difference, share_ppm};
use super::judge::Judgement;
use super::runs::Spared;
use crate::stats::{show_count, show_ms, show_ppm};

/// Columns of the terminal's text; tokens are not broken.
const WIDTH: usize = 100;

/// Milliseconds with their sign.
pub(super) fn signed_ms(ms: i64) -> String {
    let sign = match ms {
        0 => "±",
        1.. => "+",
        _ => "−",
    };
    format!("{sign}{}", show_ms(ms.unsigned_abs()))
}

/// Millionths as percent with one decimal, rounded up, so that a bound stays one.
pub(super) fn tenths_of_percent(ppm: u64) -> String {
    let tenths = ppm.div_ceil(1_000);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn value(unit: Unit, value: i64) -> String {
    let n = value.unsigned_abs();
    match unit {
        Unit::Ms => show_ms(n),
        Unit::Ppm => show_ppm(n),
        Unit::Count => show_count(n),
    }
}

fn signed(unit: Unit, n: i64) -> String {
    match (unit, n) {
        (Unit::Ms, n) => signed_ms(n),
        (unit, 0) => format!("±{}", value(unit, 0)),
        (unit, n) => format!("{}{}", if n > 0 { "+" } else { "−" }, value(unit, n)),
    }
}

fn interval(unit: Unit, d: &Difference) -> String {
    if d.low == d.high {
        "in every pair".to_owned()
    } else {
        format!("{} to {}", signed(unit, d.low), signed(unit, d.high))
    }
}

/// Measures that are shown even if nothing differs.
fn always(measure: &Measure) -> bool {
    [RTO_MEDIAN, RTO_P99, IMPACT_P99].contains(&measure.name)
}

fn pairs(c: &Comparison) -> String {
    let counts = c.counts;
    let mut parts = Vec::new();
    for (n, what) in [
        (counts.both_pass, "pass under both"),
        (counts.newly_failing, "newly failing"),
        (counts.newly_passing, "newly passing"),
        (counts.both_fail, "fail under both"),
        (counts.newly_inconclusive, "newly inconclusive"),
        (counts.inconclusive, "inconclusive under the baseline"),
    ] {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    }
    let (low, high) = share_ppm(counts.newly_failing, c.pairs.len() as u64);
    format!(
        "{} pairs: {}; newly failing {} to {} at 95 %",
        c.pairs.len(),
        parts.join(", "),
        tenths_of_percent(low),
        tenths_of_percent(high)
    )
}

fn wrapped(out: &mut String, first: &str, rest: &str, text: &str) {
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(first)
        .subsequent_indent(rest)
        .break_words(false);
    let _ = writeln!(out, "{}", textwrap::fill(text, options));
}

fn extent(j: &Judgement) -> String {
    let stopped = if j.seeds.0 < j.seeds.1 {
        let verb = if j.interrupted {
            "interrupted"
        } else {
            "decided"
        };
        format!(", {verb} after {} of {} seeds", j.seeds.0, j.seeds.1)
    } else {
        String::new()
    };
    format!(
        "{} drills, {} seeds in each of {} scenarios{stopped}{}",
        show_count(j.drills),
        show_count(j.seeds.0),
        j.comparisons.len(),
        spared(&j.spared)
    )
}

fn spared(it: &Spared) -> String {
    if let Some(mismatch) = &it.mismatch {
        return format!(
            ". None of the candidate's was spared, as the reason for it does not hold, which is a fault of this program: {mismatch}"
        );
    }
    if it.spared == 0 {
        return String::new();
    }
    let checked = if it.checked == 0 {
        String::new()
    } else {
        let count = show_count(it.checked);
        format!(
            " ({count} of that kind were performed all the same, and came out as the baseline's)"
        )
    };
    format!(
        "; {} of the candidate's need not be performed: it would do there, request for request, what the baseline did{checked}",
        show_count(it.spared)
    )
}

/// How the numbers are to be read.
fn legend(j: &Judgement) -> String {
    let looks = if j.looks > 1 {
        format!(
            "; {} looks at growing evidence share the 5 %, so that all together stay within it",
            j.looks
        )
    } else {
        String::new()
    };
    format!(
        "Differences are candidate less baseline over pairs with the same seed, intervals at {} %, by paired bootstrap{looks}",
        confidence(j.alpha_ppm)
    )
}

/// For the terminal.
#[must_use]
pub fn text(j: &Judgement) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}: {} instead of {}\n",
        j.answer, j.candidate, j.baseline
    );
    for reason in &j.reasons {
        wrapped(&mut out, "  - ", "    ", &reason.text);
        if let Some(remedy) = &reason.remedy {
            wrapped(&mut out, "      → ", "        ", remedy);
        }
    }
    let _ = writeln!(out, "\nWhat changes");
    let mut nothing = true;
    let mut list = |out: &mut String, title: &str, lines: &[String]| {
        if !lines.is_empty() {
            nothing = false;
            wrapped(out, "  ", "  ", &format!("{title}:"));
            for line in lines {
                wrapped(out, "    - ", "      ", line);
            }
        }
    };
    list(&mut out, "in the front matter", &j.front_matter);
    for plan in &j.plans {
        list(
            &mut out,
            &format!("in the plan of {}", plan.scenarios.join(", ")),
            &plan.changes,
        );
    }
    list(
        &mut out,
        "in steps that none of these plans has",
        &j.elsewhere,
    );
    if nothing {
        let _ = writeln!(out, "  nothing that is done");
    }
    let settled: Vec<_> = j
        .concerns
        .iter()
        .filter(|c| c.settled_by.is_some())
        .collect();
    if !settled.is_empty() {
        let _ = writeln!(out, "\nSettled by drills");
        for c in settled {
            let by = c.settled_by.as_deref().unwrap_or_default();
            wrapped(
                &mut out,
                "  - ",
                "    ",
                &format!("{}: {by} tries it and passes", c.concern.change),
            );
        }
    }
    if !j.comparisons.is_empty() {
        out.push('\n');
        wrapped(&mut out, "Numbers: ", "  ", &extent(j));
        let _ = writeln!(out, "{}", table(j));
        for c in &j.comparisons {
            wrapped(
                &mut out,
                "  ",
                "    ",
                &format!("{}: {}", c.scenario.name, pairs(c)),
            );
        }
        wrapped(&mut out, "  ", "  ", &legend(j));
    }
    if let Some(s) = &j.smallest {
        let _ = writeln!(
            out,
            "\nSmallest failing case: {} with seed {}",
            s.scenario, s.seed
        );
        let cut = if s.cut.is_empty() {
            "nothing could be left out".to_owned()
        } else {
            s.cut.join(", ")
        };
        wrapped(
            &mut out,
            "  ",
            "  ",
            &format!("cut down to: {cut} ({} pairs tried)", s.tried),
        );
        wrapped(&mut out, "  ", "  ", &format!("{}: {}", s.oracle, s.reason));
        let _ = writeln!(
            out,
            "  the baseline passes:  cargo xtask replay {}",
            s.baseline_replay
        );
        let _ = writeln!(
            out,
            "  the candidate fails:  cargo xtask replay {}",
            s.candidate_replay
        );
    }
    out.truncate(out.trim_end().len());
    out
}

fn table(j: &Judgement) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["", "Baseline", "Candidate", "Difference", "Interval"]);
    for c in &j.comparisons {
        table.add_row([c.scenario.name.as_str()]);
        for m in c.measures.iter().filter(|m| {
            always(m) || m.difference.value() != 0 || m.difference.low != m.difference.high
        }) {
            let d = &m.difference;
            table.add_row([
                format!("  {}", m.name),
                value(m.unit, d.baseline),
                value(m.unit, d.candidate),
                signed(m.unit, d.value()),
                interval(m.unit, d),
            ]);
        }
    }
    for index in 1..5 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.to_string();
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Text within a cell or an item of Markdown.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

/// `verify.md`: for a pull request or a job's summary.
#[must_use]
pub fn markdown(j: &Judgement) -> String {
    let mut out = format!(
        "## {}\n\n`{}` instead of `{}`\n\n",
        j.answer, j.candidate, j.baseline
    );
    for reason in &j.reasons {
        let remedy = reason
            .remedy
            .as_ref()
            .map_or_else(String::new, |r| format!(" → {}", escaped(r)));
        let _ = writeln!(
            out,
            "- **{}**: {}{remedy}",
            reason.answer,
            escaped(&reason.text)
        );
    }
    let _ = writeln!(out, "\n### What changes\n");
    let mut nothing = true;
    let plans = j.plans.iter().map(|p| {
        (
            format!("in the plan of {}", p.scenarios.join(", ")),
            &p.changes,
        )
    });
    let lists = std::iter::once(("in the front matter".to_owned(), &j.front_matter))
        .chain(plans)
        .chain(std::iter::once((
            "in steps that none of these plans has".to_owned(),
            &j.elsewhere,
        )));
    for (title, lines) in lists.filter(|(_, lines)| !lines.is_empty()) {
        nothing = false;
        let _ = writeln!(out, "- {title}");
        for line in lines {
            let _ = writeln!(out, "  - {}", escaped(line));
        }
    }
    if nothing {
        let _ = writeln!(out, "Nothing that is done.");
    }
    if !j.comparisons.is_empty() {
        let _ = writeln!(out, "\n### Numbers\n\n{}.\n", extent(j));
        let _ = writeln!(
            out,
            "| scenario | | baseline | candidate | difference | interval |\n| --- | --- | ---: | ---: | ---: | ---: |"
        );
        for c in &j.comparisons {
            let _ = writeln!(out, "| **{}** | {} | | | | |", c.scenario.name, pairs(c));
            for m in &c.measures {
                let d = &m.difference;
                let _ = writeln!(
                    out,
                    "| | {} | {} | {} | {} | {} |",
                    m.name,
                    value(m.unit, d.baseline),
                    value(m.unit, d.candidate),
                    signed(m.unit, d.value()),
                    interval(m.unit, d)
                );
            }
        }
        let _ = writeln!(out, "\n{}.", legend(j));
    }
    if let Some(s) = &j.smallest {
        let cut = if s.cut.is_empty() {
            "nothing could be left out".to_owned()
        } else {
            s.cut.join(", ")
        };
        let _ = writeln!(
            out,
            "\n### Smallest failing case\n\n`{}`, seed {}; {cut}. `{}`: {}\n\n```sh\n# the baseline passes\ncargo xtask replay {}\n# the candidate fails\ncargo xtask replay {}\n```",
            s.scenario,
            s.seed,
            s.oracle,
            escaped(&s.reason),
            s.baseline_replay,
            s.candidate_replay
        );
    }
    out
}

/// `verify.json`.
#[must_use]
pub fn json(j: &Judgement) -> Value {
    let comparisons: Vec<Value> = j
        .comparisons
        .iter()
        .map(|c| {
            let (low, high) = share_ppm(c.counts.newly_failing, c.pairs.len() as u64);
            json!({
                "scenario": c.scenario.name,
                "pairs": c.pairs.len(),
                "counts": c.counts,
                "newly_failing_ppm": {"low": low, "high": high},
                "measures": c.measures,
            })
        })
        .collect();
    json!({
        "schema": "firedrill-verify/1",
        "answer": j.answer,
        "baseline": j.baseline,
        "candidate": j.candidate,
        "reasons": j.reasons,
        "changes": {"front_matter": j.front_matter, "plans": j.plans, "elsewhere": j.elsewhere},
        "concerns": j.concerns,
        "comparisons": comparisons,
        "smallest": j.smallest,
        "seeds": {"run": j.seeds.0, "asked": j.seeds.1},
        "looks": j.looks,
        "interval_alpha_ppm": j.alpha_ppm,
        "drills": j.drills,
        "spared": j.spared,
        "interrupted": j.interrupted,
    })
}
