//! `verify.md`: for a pull request or a job's summary. Those cut or refuse long texts, so this one is bounded.

use std::fmt::Write as _;

use super::compare::Comparison;
use super::judge::Judgement;
use super::reason::Remedy;
use super::show::{LEGEND, changes, confidence, difference, extent, p99, pairs, value};
use crate::report::markdown::push_all;
use crate::token;

/// What has everything.
const WHOLE: &str = "verify.json";

/// Text within a cell or an item of Markdown.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

/// The text. What matters most comes first, and what has no room is counted.
#[must_use]
pub fn markdown(j: &Judgement) -> String {
    let mut out = String::new();
    append(&mut out, j, "##");
    if let Some(reference) = &j.reference {
        push_all(
            &mut out,
            &["\n# Against the reference\n\n".to_owned()],
            "comparisons",
            WHOLE,
        );
        append(&mut out, reference, "##");
    }
    out
}

fn append(out: &mut String, j: &Judgement, level: &str) {
    let head = format!(
        "{level} {}\n\n`{}` instead of `{}`\n\n",
        j.answer, j.candidate, j.baseline
    );
    push_all(out, &[head], "answers", WHOLE);
    let reasons: Vec<String> = j
        .reasons
        .iter()
        .map(|reason| {
            let remedy = match &reason.remedy {
                Some(Remedy::Say(remedy)) => format!(" → {}", escaped(remedy)),
                _ => String::new(),
            };
            let text = escaped(&reason.text);
            format!("- **{}**: {text}{remedy}\n", reason.answer)
        })
        .collect();
    push_all(out, &reasons, "reasons", WHOLE);
    let mut rest = Vec::new();
    if let Some(seeds) = j.seeds_enough() {
        rest.push(format!("\n`{}`\n", Remedy::Seeds(seeds)));
    }
    rest.extend(smallest(j));
    push_all(out, &rest, "parts", WHOLE);
    let mut lines: Vec<String> = changes(j)
        .iter()
        .map(|change| format!("- {}\n", escaped(change)))
        .collect();
    if lines.is_empty() {
        lines.push("Nothing that is done.\n".to_owned());
    }
    lines.insert(0, "\n### What changes\n\n".to_owned());
    push_all(out, &lines, "changes", WHOLE);
    if !j.comparisons.is_empty() {
        let title = format!(
            "\n### Numbers\n\n{}; {}. {LEGEND}\n\n| scenario | | baseline | candidate | difference | 99 % at most | worse |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |\n",
            extent(j),
            confidence(j)
        );
        let mut tables = vec![title];
        tables.extend(j.comparisons.iter().map(numbers));
        push_all(out, &tables, "scenarios", WHOLE);
    }
}

fn numbers(c: &Comparison) -> String {
    let mut rows = format!("| **{}** | {} | | | | | |\n", c.scenario.name, pairs(c));
    for m in &c.measures {
        let _ = writeln!(
            rows,
            "| | {} | {} | {} | {} | {} | {} of {} |",
            m.name,
            value(m.unit, m.baseline),
            value(m.unit, m.candidate),
            difference(m),
            p99(m),
            m.worse,
            m.pairs
        );
    }
    rows
}

fn smallest(j: &Judgement) -> Option<String> {
    let s = j.smallest.as_ref()?;
    let cut = if s.cut.is_empty() {
        "nothing could be left out".to_owned()
    } else {
        s.cut.join(", ")
    };
    Some(format!(
        "\n### Smallest failing case\n\n`{}`, seed {}; {cut}. `{}`: {}\n\n```sh\n# the baseline passes\n{}\n# the candidate fails\n{}\n```\n",
        s.scenario,
        s.seed,
        s.oracle,
        escaped(&s.reason),
        token::command(&s.baseline_replay),
        token::command(&s.candidate_replay)
    ))
}
