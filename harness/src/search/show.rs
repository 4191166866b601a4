//! A search in words: for the terminal, and as files.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::campaign::{FoundClass, Searched};
use super::coverage::Met;
use crate::scenario::fault::FAULTS;

/// The matrix of kinds of fault and the instants at which they began, and what was never met in it.
#[derive(Clone, Debug, Serialize)]
pub struct Matrix {
    /// Instants: `trigger`, and the steps of the runbook.
    pub instants: Vec<String>,
    /// By kind of fault, how many drills one hit in that began at each instant.
    pub hit: BTreeMap<&'static str, Vec<u64>>,
}

impl Matrix {
    /// Of what `searched` met at the trigger and at `steps`.
    #[must_use]
    pub fn of(searched: &Searched, steps: &[&str]) -> Self {
        let steps = steps.iter().map(|step| format!("step {step}"));
        let met = |at: &String| {
            let mut marks = searched.coverage.iter();
            marks.any(|(met, _)| matches!(met, Met::Hit { at: when, .. } if when == at))
        };
        // Steps that no drawn drill comes to have no column.
        let instants: Vec<String> = std::iter::once("trigger".to_owned())
            .chain(steps)
            .filter(met)
            .collect();
        let hit = FAULTS.iter().map(|spec| {
            let counts = instants.iter();
            let counts = counts.map(|at| searched.coverage.hit(spec.name, at));
            (spec.name, counts.collect())
        });
        Self {
            hit: hit.collect(),
            instants,
        }
    }

    /// How many of its cells were met, and how many there are.
    #[must_use]
    pub fn met(&self) -> (usize, usize) {
        let cells = || self.hit.values().flatten();
        (cells().filter(|&&count| count > 0).count(), cells().count())
    }
}

/// What a person reads at the end of a search.
#[must_use]
pub fn summary(searched: &Searched, steps: &[&str]) -> String {
    let mut out = String::new();
    for found in &searched.classes {
        let _ = write!(out, "{}", in_words(found));
    }
    let _ = writeln!(
        out,
        "{} drills, {} of them had to recover; {} showed nothing{}",
        searched.drills,
        searched.survivable,
        searched.silent(),
        silent_most(searched),
    );
    let (met, cells) = Matrix::of(searched, steps).met();
    let _ = writeln!(
        out,
        "coverage: {} marks; faults of {met} of {cells} kinds × instants hit",
        searched.coverage.len()
    );
    let new = searched.classes.iter().filter(|it| it.known.is_none());
    let (new, all) = (new.count(), searched.classes.len());
    let _ = match (all, new) {
        (0, _) => writeln!(out, "no failure was found"),
        (_, 0) => writeln!(out, "{all} classes of failure, all known"),
        _ => writeln!(out, "{all} classes of failure, {new} of them new"),
    };
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

fn in_words(found: &FoundClass) -> String {
    let mut out = String::new();
    let state = match &found.known {
        None => "new",
        Some(_) => "known",
    };
    let drills = match found.drills {
        1 => "1 drill".to_owned(),
        n => format!("{n} drills"),
    };
    let _ = writeln!(
        out,
        "{state}: {} ({drills}, {}, first in drill {})",
        found.class,
        found.class.half.as_str(),
        found.first
    );
    let _ = writeln!(out, "  {}", found.finding);
    if !found.cut_down {
        let _ = writeln!(out, "  not cut down to the end: the search was over first");
    }
    if let Some(reason) = &found.known {
        let _ = writeln!(out, "  known: {reason}");
    }
    let _ = writeln!(out, "  {}\n", crate::token::command(&found.replay));
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
