//! A search as files: `search.json`, `summary.md`, `search.html`, and a scenario for each class of failure.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::campaign::Searched;
use super::coverage::Coverage;
use super::marks::{Catalogue, Mark, Part, Tally};
use super::matrix::Matrix;
use super::page::page;
use super::show::{markdown, scenario};
use crate::report::{WriteError, write_texts};
use crate::token::Replays;

/// What `search.json` holds.
#[derive(Serialize)]
struct File<'a> {
    /// Name of the format.
    schema: &'static str,
    seed: u64,
    first: u64,
    /// The number of the first drill that was not performed.
    next: u64,
    drills: u64,
    /// Drills of earlier searches, whose coverage is counted too.
    drills_before: u64,
    /// Cases of earlier searches that were tried first.
    tried_first: u64,
    survivable: u64,
    silent: &'a BTreeMap<String, u64>,
    /// Why it ended before its time, if it did.
    stopped: Option<String>,
    classes: Vec<ClassLine<'a>>,
    marks: Vec<PartLine<'a>>,
    /// Marks that so many drills had to reach and never did.
    never_reached: usize,
    matrix: Matrix,
    coverage: &'a Coverage,
}

/// The marks of one part.
#[derive(Serialize)]
struct PartLine<'a> {
    about: &'static str,
    met: usize,
    can_be_met: usize,
    cannot_be_met: usize,
    holes: Vec<String>,
    /// By reason, what no search can meet.
    unreachable: BTreeMap<&'a str, Vec<String>>,
    /// What was met though a reason says that it can't be.
    refuted: Vec<String>,
}

impl<'a> PartLine<'a> {
    fn of(part: Part, catalogue: &'a Catalogue, tally: &Tally<'_>) -> Self {
        let counts = tally.counts(part);
        let words = |marks: &mut dyn Iterator<Item = &Mark>| -> Vec<String> {
            let of_part = marks.filter(|mark| mark.part() == part);
            of_part.map(ToString::to_string).collect()
        };
        let mut unreachable: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let marks = catalogue.marks().filter(|(mark, _)| mark.part() == part);
        for (mark, why_not) in marks {
            if let Some(why_not) = why_not {
                unreachable
                    .entry(why_not)
                    .or_default()
                    .push(mark.to_string());
            }
        }
        Self {
            about: part.as_str(),
            met: counts.met,
            can_be_met: counts.all,
            cannot_be_met: counts.unreachable,
            holes: words(&mut tally.holes()),
            unreachable,
            refuted: words(&mut tally.refuted().map(|(mark, _)| mark)),
        }
    }
}

#[derive(Serialize)]
struct ClassLine<'a> {
    class: String,
    oracle: &'static str,
    finding: &'static str,
    subject: Option<&'a str>,
    causes: &'a [String],
    half: &'static str,
    drills: u64,
    unconfirmed: u64,
    first: u64,
    /// Whether an earlier search found it.
    earlier: bool,
    cut_down: bool,
    message: String,
    scenario: String,
    replay: &'a str,
    /// The case that fails in the least virtual time.
    fastest_ms: u64,
    fastest: &'a str,
    known: Option<&'a str>,
}

/// Writes what the search with `seed` from drill `first` on found into `directory`, which is made if need be.
/// `catalogue` has the marks of its runbook, and commands in `summary.md` call the program as `replays` say.
///
/// # Errors
/// The first file that could not be written.
pub fn write(
    directory: &Path,
    seed: u64,
    first: u64,
    searched: &Searched,
    catalogue: &Catalogue,
    replays: &Replays,
) -> Result<(), WriteError> {
    let classes = searched.classes.iter().map(|found| ClassLine {
        class: found.class.to_string(),
        oracle: found.class.found.oracle.as_str(),
        finding: found.class.found.kind,
        subject: found.class.found.subject.as_deref(),
        causes: &found.class.causes,
        half: found.class.half.as_str(),
        drills: found.drills,
        unconfirmed: found.unconfirmed,
        first: found.first,
        earlier: found.earlier,
        cut_down: found.cut_down,
        message: found.finding.to_string(),
        scenario: format!("{}.toml", found.class.slug()),
        replay: &found.replay,
        fastest_ms: found.fastest.virtual_ms,
        fastest: &found.fastest.replay,
        known: found.known.as_deref(),
    });
    let tally = catalogue.tally(&searched.coverage);
    let marks = Part::ALL.map(|part| PartLine::of(part, catalogue, &tally));
    let file = File {
        schema: "firedrill-search/1",
        seed,
        first,
        next: searched.next,
        drills: searched.drills,
        drills_before: searched.drills_before,
        tried_first: searched.tried_first,
        survivable: searched.survivable,
        silent: &searched.silent,
        stopped: searched.stopped.as_ref().map(ToString::to_string),
        classes: classes.collect(),
        marks: marks.into(),
        never_reached: searched.never_reached(catalogue).len(),
        matrix: Matrix::of(catalogue, &tally),
        coverage: &searched.coverage,
    };
    // Numbers and texts alone: there is nothing that could fail.
    let mut json = serde_json::to_string_pretty(&file).unwrap_or_default();
    json.push('\n');
    let words = markdown(seed, first, searched, catalogue, replays);
    let html = page(seed, first, searched, catalogue);
    let scenarios: Vec<(String, String)> = searched
        .classes
        .iter()
        .map(|found| (format!("{}.toml", found.class.slug()), scenario(found)))
        .collect();
    let mut texts = vec![
        ("search.json", json.as_str()),
        ("summary.md", words.as_str()),
        ("search.html", html.as_str()),
    ];
    texts.extend(
        scenarios
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str())),
    );
    write_texts(directory, &texts)
}
