//! A search in words: for the terminal, and as files.

use std::fmt::Write as _;

use super::campaign::{FoundClass, Searched};
use super::marks::{Catalogue, DRILLS_FOR_ALL, Mark, Part, Tally};
use super::matrix::{Cell, Matrix};
use crate::token::Replays;

/// How many marks of a part the terminal lists.
const LISTED: usize = 5;

/// What a person reads at the end of a search, with commands that call the program as `replays` say.
#[must_use]
pub fn summary(searched: &Searched, catalogue: &Catalogue, replays: &Replays) -> String {
    let mut out = String::new();
    for found in &searched.classes {
        let _ = write!(out, "{}", in_words(found, replays));
    }
    let _ = writeln!(
        out,
        "{}, {} of them had to recover; {} showed nothing{}",
        drills(searched.drills),
        searched.survivable,
        searched.silent(),
        silent_most(searched),
    );
    if searched.drills_before > 0 || searched.tried_first > 0 {
        let _ = writeln!(
            out,
            "{} of earlier searches; {} of their cases were tried first",
            drills(searched.drills_before),
            searched.tried_first
        );
    }
    let tally = catalogue.tally(&searched.coverage);
    coverage(&mut out, &tally);
    let never = searched.never_reached(catalogue);
    if !never.is_empty() {
        let _ = writeln!(
            out,
            "new: {} marks were never reached in {}, and nothing says why",
            never.len(),
            drills(searched.drills_in_all())
        );
    }
    let new = searched.classes.iter().filter(|it| it.known.is_none());
    let (new, all) = (new.count(), searched.classes.len());
    let _ = match (all, new) {
        (0, _) => writeln!(out, "no failure was found"),
        (_, 0) => writeln!(out, "{all} classes of failure, all known"),
        _ => writeln!(out, "{all} classes of failure, {new} of them new"),
    };
    out
}

/// `1 drill`, `2 drills`.
pub(super) fn drills(count: u64) -> String {
    match count {
        1 => "1 drill".to_owned(),
        n => format!("{n} drills"),
    }
}

fn coverage(out: &mut String, tally: &Tally<'_>) {
    for part in Part::ALL {
        let counts = tally.counts(part);
        let _ = writeln!(
            out,
            "coverage: {} of {} {} ({} more can't be met)",
            counts.met,
            counts.all,
            part.as_str(),
            counts.unreachable
        );
    }
    for (part, marks) in holes_by_part(tally) {
        let listed: Vec<String> = marks.iter().take(LISTED).map(ToString::to_string).collect();
        let more = match marks.len().saturating_sub(LISTED) {
            0 => String::new(),
            n => format!("; and {n} more"),
        };
        let _ = writeln!(
            out,
            "never met, {}: {}{more}",
            part.as_str(),
            listed.join("; ")
        );
    }
    for (mark, why_not) in tally.refuted() {
        let _ = writeln!(
            out,
            "met, though the code says that it can't be: {mark} ({why_not})"
        );
    }
}

/// What was never met and can be, by what it is about; parts without a hole are left out.
pub(super) fn holes_by_part<'t>(tally: &'t Tally<'_>) -> Vec<(Part, Vec<&'t Mark>)> {
    let of = |part| -> Vec<&'t Mark> { tally.holes().filter(|it| it.part() == part).collect() };
    let parts = Part::ALL.into_iter().map(|part| (part, of(part)));
    parts.filter(|(_, marks)| !marks.is_empty()).collect()
}

/// The search as a page of Markdown, with commands that call the program as `replays` say.
#[must_use]
pub fn markdown(
    seed: u64,
    first: u64,
    searched: &Searched,
    catalogue: &Catalogue,
    replays: &Replays,
) -> String {
    let tally = catalogue.tally(&searched.coverage);
    let mut out = format!(
        "# Search with seed {seed}, drills {first} to {}\n\n```text\n{}```\n",
        searched.next.saturating_sub(1),
        summary(searched, catalogue, replays)
    );
    out.push_str("\n## Faults and steps\n\nA zero is a hole; a dash can't be met.\n\n| fault |");
    let matrix = Matrix::of(catalogue, &tally);
    for column in &matrix.columns {
        let _ = write!(out, " {}, {} |", column.step, column.side);
    }
    out.push_str("\n| --- |");
    out.push_str(&" ---: |".repeat(matrix.columns.len()));
    out.push('\n');
    for row in &matrix.rows {
        let _ = write!(out, "| {} |", row.kind);
        for cell in &row.cells {
            let _ = match cell {
                Cell::Met(times) => write!(out, " {times} |"),
                Cell::Never => write!(out, " – |"),
            };
        }
        out.push('\n');
    }
    let _ = write!(
        out,
        "\n## What was never met\n\nFrom {DRILLS_FOR_ALL} drills on, a mark that was never met fails a search.\n"
    );
    for (part, marks) in holes_by_part(&tally) {
        let _ = write!(out, "\n### {}\n\n", part.as_str());
        for mark in marks {
            let _ = writeln!(out, "- {mark}");
        }
    }
    out
}

/// What kept most of the silent drills from showing anything.
fn silent_most(searched: &Searched) -> String {
    let mut most: Vec<(&String, &u64)> = searched.silent.iter().collect();
    most.sort_by_key(|(what, count)| (std::cmp::Reverse(**count), (*what).clone()));
    let most: Vec<String> = most
        .iter()
        .take(3)
        .map(|(what, count)| format!("{what}: {count}"))
        .collect();
    if most.is_empty() {
        String::new()
    } else {
        format!(" ({})", most.join(", "))
    }
}

fn in_words(found: &FoundClass, replays: &Replays) -> String {
    let mut out = String::new();
    let state = match (&found.known, found.earlier) {
        (Some(_), _) => "known",
        (None, true) => "new, and found by an earlier search",
        (None, false) => "new",
    };
    let _ = writeln!(
        out,
        "{state}: {} ({}, {}, first in drill {})",
        found.class,
        drills(found.drills),
        found.class.half.as_str(),
        found.first
    );
    let _ = writeln!(out, "  {}", found.finding);
    if !found.cut_down {
        let _ = writeln!(out, "  not cut down to the end: the search was over first");
    }
    if found.unconfirmed > 0 {
        let _ = writeln!(
            out,
            "  {} of the drills may be another class's: the search was over before they were tried without its causes",
            found.unconfirmed
        );
    }
    if let Some(reason) = &found.known {
        let _ = writeln!(out, "  known: {reason}");
    }
    let _ = writeln!(
        out,
        "  a case fails after {} virtual seconds",
        found.fastest.virtual_ms / 1_000
    );
    let _ = writeln!(out, "  {}\n", replays.command(&found.replay));
    out
}

/// The smallest case of a class as a scenario file that says where it comes from.
#[must_use]
pub fn scenario(found: &FoundClass) -> String {
    let mut head = vec![
        format!(
            "Found by a search, in drill {}: {}.",
            found.first, found.class
        ),
        format!("What was found: {}", found.finding),
        format!("It shows with seed {}.", found.smallest.seed),
    ];
    if !found.cut.is_empty() {
        head.push(format!("Cut down to {}.", found.cut.join(", ")));
    }
    let head: Vec<String> = head
        .iter()
        .flat_map(|line| line.split('\n'))
        .flat_map(|line| wrapped(line, 110))
        .map(|line| format!("# {line}\n"))
        .collect();
    let named = crate::scenario::Scenario::clone(&found.smallest.scenario).with(|s| {
        s.name = found.class.slug();
        s.description = found.class.to_string();
    });
    format!("{}{}", head.concat(), named.text)
}

/// `text` in lines of at most `width` characters, broken at spaces.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
