//! A search as files: `search.json`, `summary.md`, and a scenario for each class of failure.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::campaign::Searched;
use super::coverage::Coverage;
use super::show::{Matrix, scenario, summary};
use crate::report::{WriteError, write_texts};

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
    survivable: u64,
    silent: &'a BTreeMap<String, u64>,
    classes: Vec<ClassLine<'a>>,
    matrix: Matrix,
    coverage: &'a Coverage,
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
    first: u64,
    cut_down: bool,
    message: String,
    scenario: String,
    replay: &'a str,
    known: Option<&'a str>,
}

/// Writes what the search with `seed` from drill `first` on found into `directory`, which is made if need be. `steps` are
/// those of its runbook.
///
/// # Errors
/// The first file that could not be written.
pub fn write(
    directory: &Path,
    seed: u64,
    first: u64,
    searched: &Searched,
    steps: &[&str],
) -> Result<(), WriteError> {
    let classes = searched.classes.iter().map(|found| ClassLine {
        class: found.class.to_string(),
        oracle: found.class.found.oracle.as_str(),
        finding: found.class.found.kind,
        subject: found.class.found.subject.as_deref(),
        causes: &found.class.causes,
        half: found.class.half.as_str(),
        drills: found.drills,
        first: found.first,
        cut_down: found.cut_down,
        message: found.finding.to_string(),
        scenario: format!("{}.toml", found.class.slug()),
        replay: &found.replay,
        known: found.known.as_deref(),
    });
    let file = File {
        schema: "firedrill-search/1",
        seed,
        first,
        next: searched.next,
        drills: searched.drills,
        survivable: searched.survivable,
        silent: &searched.silent,
        classes: classes.collect(),
        matrix: Matrix::of(searched, steps),
        coverage: &searched.coverage,
    };
    // Numbers and texts alone: there is nothing that could fail.
    let mut json = serde_json::to_string_pretty(&file).unwrap_or_default();
    json.push('\n');
    let words = format!(
        "# Search with seed {seed}, drills {first} to {}\n\n```text\n{}```\n",
        searched.next.saturating_sub(1),
        summary(searched, steps)
    );
    let scenarios: Vec<(String, String)> = searched
        .classes
        .iter()
        .map(|found| (format!("{}.toml", found.class.slug()), scenario(found)))
        .collect();
    let mut texts = vec![
        ("search.json", json.as_str()),
        ("summary.md", words.as_str()),
    ];
    texts.extend(
        scenarios
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str())),
    );
    write_texts(directory, &texts)
}
