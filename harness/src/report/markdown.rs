//! `summary.md`: the verdict, a table and the failures, for pull requests and job summaries.
//!
//! Those cut or refuse long texts (a comment at 64 KiB), so this one never grows beyond [`BYTES_MAX`].

use std::fmt::Write as _;

use super::classes::{Class, classes};
use super::journal::Journal;
use super::kept::{Kept, What};
use super::summary::by_scenario_of;
use super::{limit_ms, verdict_line};
use crate::stats::{show_count, show_ms, show_ppm};
use crate::verdict::Verdict;

/// The most that the text takes.
pub const BYTES_MAX: usize = 60_000;
/// What has everything.
const JOURNAL: &str = "journal.json";
/// How many scenarios of one class of failure are named.
const SCENARIOS_MAX: usize = 10;
/// How many reasons of one class are told.
const REASONS_MAX: usize = 5;

/// The file's text.
#[must_use]
pub fn render(journal: &Journal<'_>) -> String {
    let icon = match journal.summary.verdict {
        Verdict::Pass => "✅",
        Verdict::Inconclusive => "❔",
        Verdict::Fail => "❌",
    };
    let mut out = format!(
        "## {icon} {}: {}\n\n",
        journal.summary.verdict.as_str().to_uppercase(),
        escaped(&verdict_line(journal))
    );
    let (mut rows, mut all) = (Vec::new(), Vec::new());
    for s in by_scenario_of(&journal.drills) {
        let time = |ms: Option<u64>| ms.map_or_else(|| s.no_rto().to_owned(), show_ms);
        let never = s
            .never_told()
            .map_or_else(String::new, |told| format!(", {told}"));
        let limit = limit_ms(&journal.drills, &s);
        let kept = match s.kept.what {
            What::Nothing => "none".to_owned(),
            _ => format!(
                "{} of {}",
                show_count(s.kept.lost),
                show_count(s.kept.acknowledged)
            ),
        };
        all.push(s.kept);
        rows.push(format!(
            "| {} | {} | {} | {} | {} / {} / {}{never} | {} | {} | {kept} |\n",
            escaped(&s.label),
            s.verdict(),
            s.drills,
            s.passed,
            time(s.rto_p50_ms),
            time(s.rto_p99_ms),
            time(s.rto_max_ms),
            show_ms(limit),
            s.error_rate_max_ppm
                .map_or_else(|| "none".to_owned(), show_ppm),
        ));
    }
    if !rows.is_empty() {
        let lost = Kept::sum(all).what.word();
        // Writing into a string never fails.
        let _ = write!(
            out,
            "| scenario | verdict | drills | passed | recovery time median / p99 / worst | limit | worst error rate | {lost} lost |\n| :-- | :-- | --: | --: | --: | --: | --: | --: |\n"
        );
        push_all(&mut out, &rows, "scenarios", JOURNAL);
    }
    let failures: Vec<String> = classes(&journal.drills).iter().map(failure).collect();
    if !failures.is_empty() {
        out.push_str("\n### What did not pass\n");
        push_all(&mut out, &failures, "classes of failure", JOURNAL);
    }
    if let Some(run) = journal.meta.first() {
        let commit = run.commit.as_deref().unwrap_or("unknown");
        let mut line = format!(
            "\nRun of {}, commit {}, on {}: {}",
            run.began(),
            escaped(commit),
            escaped(&run.host.name),
            escaped(&run.command_line())
        );
        if journal.meta.len() > 1 {
            let _ = write!(line, ", and {} more runs", journal.meta.len() - 1);
        }
        line.push('\n');
        push_all(&mut out, &[line], "runs", JOURNAL);
    }
    out
}

/// A class of failure: what it is, where it was met, why, and one command.
fn failure(class: &Class<'_>) -> String {
    let scenarios = class.scenarios();
    let named: Vec<String> = scenarios
        .keys()
        .take(SCENARIOS_MAX)
        .map(|name| escaped(name))
        .collect();
    let more = match scenarios.len().saturating_sub(SCENARIOS_MAX) {
        0 => String::new(),
        n => format!(", and {n} more"),
    };
    let mut entry = format!(
        "\n**{}** · {} · {}\n\n{}.\n\n- {}{more}",
        class.name.verdict,
        escaped(&class.name.title()),
        escaped(&class.extent()),
        escaped(&class.name.headline()),
        named.join(", "),
    );
    match &class.told_reasons(REASONS_MAX)[..] {
        [only] => {
            let _ = writeln!(entry, ": {}", escaped(only));
        }
        several => {
            entry.push('\n');
            for reason in several {
                let _ = writeln!(entry, "  - {}", escaped(reason));
            }
            entry.push('\n');
        }
    }
    if let Some(smallest) = class.smallest() {
        let _ = writeln!(entry, "  smallest failing case: {}", escaped(&smallest));
    }
    fence(&mut entry, &class.command());
    entry
}

/// Appends `parts` as long as there is room, and says how many had none and which `file` has them.
pub(crate) fn push_all(out: &mut String, parts: &[String], what: &str, file: &str) {
    // For the line that says what was left out, and the heading after it.
    const RESERVE: usize = 200;
    for (index, part) in parts.iter().enumerate() {
        if out.len() + part.len() + RESERVE > BYTES_MAX {
            let _ = writeln!(
                out,
                "\n{} more {what} are left out here; all are in {file}.",
                parts.len() - index
            );
            return;
        }
        out.push_str(part);
    }
}

/// `command` in a fence inside a list item; it can't close the fence, as it is put on one line.
fn fence(out: &mut String, command: &str) {
    let command = command.split_whitespace().collect::<Vec<_>>().join(" ");
    let longest = command.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(longest.max(2) + 1);
    let _ = writeln!(out, "  {ticks}sh\n  {command}\n  {ticks}");
}

/// Text that means nothing to Markdown, on one line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' | '$' => {
                out.extend(['\\', c])
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // Nobody is called, and no issue is linked.
            '@' => out.push_str("&#64;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{escaped, fence};

    #[test]
    fn hostile_text_stays_text() {
        assert_eq!(
            escaped("a|b\n<img src=x> `c` @you [l](u)"),
            "a\\|b &lt;img src=x&gt; \\`c\\` &#64;you \\[l\\](u)"
        );
    }

    #[test]
    fn a_command_cannot_leave_its_fence() {
        let mut out = String::new();
        fence(&mut out, "x ````\n# y");
        assert_eq!(out, "  `````sh\n  x ```` # y\n  `````\n");
    }
}
