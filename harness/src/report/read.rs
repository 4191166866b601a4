//! Reading journals back, and merging those of several runs.
//!
//! A file that does not fit the schema is refused with the JSON path of the place and a remedy; so is one that
//! fits and contradicts itself, since somebody has edited or cut it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::agree;
use super::journal::{Drill, Journal, READABLE, SCHEMA, Skipped, Summary};
use super::representative::{Rank, Representatives};
use crate::verdict::Stage;
use crate::worlds::WorldKind;

/// Most bytes of a journal: a million drills take some two of these four GiB.
const JOURNAL_BYTES_MAX: u64 = 4 << 30;

const REMEDY: &str = "`firedrill report --schema` prints what a journal must look like; or run the drills again with --report";

/// A journal that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file can't be read.
    #[error("cannot read the journal {path}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no JSON, or not a journal of this schema.
    #[error("{path}: {place}: {why}", path = path.display())]
    Unfit {
        /// Which.
        path: PathBuf,
        /// JSON path of the place, with line and column if they are known.
        place: String,
        /// What is wrong there.
        why: String,
        /// What to do.
        help: String,
    },
    /// Two journals tell the same drill differently.
    #[error(
        "{first} and {second} tell {scenario}, seed {seed}, in {world} differently",
        first = first.display(),
        second = second.display()
    )]
    Contradiction {
        /// The file named first.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// Scenario of the drill.
        scenario: String,
        /// Its seed.
        seed: u64,
        /// Its world.
        world: WorldKind,
    },
}

impl ReadError {
    /// What to do.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::File { .. } => {
                "give the path of a journal.json that a run with --report DIR wrote".to_owned()
            }
            Self::Unfit { help, .. } => help.clone(),
            Self::Contradiction { .. } => {
                "they come from different builds or runbooks, or the drill is not deterministic: leave one of them out, or run both with the same build"
                    .to_owned()
            }
        }
    }
}

/// Reads a journal.
///
/// # Errors
/// [`ReadError`], unless it fits the schema and agrees with itself.
pub fn read(path: &Path) -> Result<Journal<'static>, ReadError> {
    let open = || {
        fs::File::open(path)
            // A file without an end must not be read for ever.
            .map(|file| BufReader::new(file.take(JOURNAL_BYTES_MAX)))
            .map_err(|source| ReadError::File {
                path: path.to_owned(),
                source,
            })
    };
    let unfit = |place: String, why: String, help: &str| ReadError::Unfit {
        path: path.to_owned(),
        place,
        why,
        help: help.to_owned(),
    };
    // The name of the schema first: what another one looks like is not for this build to complain of.
    #[derive(Deserialize)]
    struct Head {
        #[serde(default)]
        schema: Option<serde_json::Value>,
    }
    let head: Head = serde_json::from_reader(open()?).map_err(|e| {
        let help = "the file is no JSON object: give a journal.json that a run with --report DIR wrote, whole";
        unfit("$".to_owned(), e.to_string(), help)
    })?;
    let named = head.schema.as_ref().and_then(|s| s.as_str());
    if !named.is_some_and(|name| READABLE.contains(&name)) {
        let found = head.schema.map_or("missing".to_owned(), |s| s.to_string());
        let help = "use the firedrill that wrote it, or run the drills again with this one";
        let known = READABLE.map(|name| format!("\"{name}\"")).join(" and ");
        let why = format!("the schema is {found}, and this build reads {known}");
        return Err(unfit("$.schema".to_owned(), why, help));
    }
    let mut text = serde_json::Deserializer::from_reader(open()?);
    let mut journal: Journal<'static> =
        serde_path_to_error::deserialize(&mut text).map_err(|e| {
            let place = match e.path().to_string().as_str() {
                "." => "$".to_owned(),
                path => format!("$.{path}"),
            };
            unfit(place, e.into_inner().to_string(), REMEDY)
        })?;
    check(&journal).map_err(|(place, why)| {
        let help = "somebody edited or cut the file: run the drills again with --report";
        unfit(place, why, help)
    })?;
    // An older version lacks fields that may be absent. Written again, it is of this one.
    journal.schema = SCHEMA.into();
    Ok(journal)
}

/// What the types can't say. The place, and what is wrong there.
fn check(journal: &Journal<'_>) -> Result<(), (String, String)> {
    let mut seen: BTreeMap<(&str, WorldKind, u64), usize> = BTreeMap::new();
    for (index, drill) in journal.drills.iter().enumerate() {
        let wrong = |field: &str, why: String| Err((format!("$.drills[{index}]{field}"), why));
        let key = (&*drill.scenario, drill.world, drill.seed);
        if let Some(first) = seen.insert(key, index) {
            return wrong("", format!("the same drill as $.drills[{first}]"));
        }
        if drill.scenario.is_empty() {
            return wrong(".scenario", "a scenario has a name".to_owned());
        }
        if let Some(stage) = Stage::ALL.iter().find(|s| !drill.verdicts.contains_key(s)) {
            return wrong(".verdicts", format!("`{}` is missing", stage.as_str()));
        }
        let hex = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        if drill.fingerprint.len() != 16 || !drill.fingerprint.bytes().all(hex) {
            return wrong(".fingerprint", "not 16 hexadecimal digits".to_owned());
        }
        if let Err((field, why)) = agree::check(drill) {
            return wrong(&field, why);
        }
        let Some(detail) = &drill.detail else {
            continue;
        };
        if !detail.time_series.seconds.is_even() {
            let why = "its columns differ in length".to_owned();
            return wrong(".detail.course.seconds", why);
        }
        let phases = &detail.time_series.phases;
        let steps = phases
            .iter()
            .map(|p| p.steps)
            .fold(0, usize::saturating_add);
        if steps != drill.steps.len() {
            let why = format!(
                "they hold {steps} steps, and the drill has {}",
                drill.steps.len()
            );
            return wrong(".detail.course.phases", why);
        }
    }
    let skipped = journal.summary.unfinished();
    let named = skipped
        .scenarios
        .values()
        .fold(0, |sum: usize, n| sum.saturating_add(*n));
    let adds_up = skipped.scenarios.is_empty() || named == skipped.drills;
    if adds_up && Summary::of(&journal.drills, skipped) == journal.summary {
        Ok(())
    } else {
        Err((
            "$.summary".to_owned(),
            "it does not agree with the drills".to_owned(),
        ))
    }
}

/// Merges journals, each with the file that it came from. A drill that two of them tell alike is told once. Of each
/// scenario in each world only the representative keeps its details. The runs of all are kept. One journal stays as it
/// is.
///
/// # Errors
/// [`ReadError::Contradiction`].
pub fn merge(
    mut journals: Vec<(PathBuf, Journal<'static>)>,
) -> Result<Journal<'static>, ReadError> {
    if journals.len() == 1
        && let Some((_, only)) = journals.pop()
    {
        return Ok(only);
    }
    let mut scenarios: Vec<String> = Vec::new();
    let mut drills: BTreeMap<(usize, WorldKind, u64), (usize, Drill<'static>)> = BTreeMap::new();
    // Until a part says otherwise.
    let mut skipped = Skipped {
        on_purpose: true,
        ..Skipped::default()
    };
    let mut meta = Vec::new();
    let mut paths = Vec::new();
    for (number, (path, journal)) in journals.into_iter().enumerate() {
        paths.push(path);
        meta.extend(journal.meta);
        let more = journal.summary.unfinished();
        skipped.drills = skipped.drills.saturating_add(more.drills);
        skipped.on_purpose &= more.on_purpose || more.drills == 0;
        for (scenario, count) in more.scenarios {
            let sum = skipped.scenarios.entry(scenario).or_default();
            *sum = sum.saturating_add(count);
        }
        for mut drill in journal.drills {
            let scenario = scenarios
                .iter()
                .position(|s| *s == drill.scenario)
                .unwrap_or_else(|| {
                    scenarios.push(drill.scenario.clone().into_owned());
                    scenarios.len() - 1
                });
            let key = (scenario, drill.world, drill.seed);
            if let Some((first, known)) = drills.get_mut(&key) {
                // Whether it stood for its scenario depends on the others of its run.
                let detail = known.detail.take().or(drill.detail.take());
                if *known != drill {
                    return Err(ReadError::Contradiction {
                        first: paths[*first].clone(),
                        second: paths[number].clone(),
                        scenario: scenarios[scenario].clone(),
                        seed: drill.seed,
                        world: drill.world,
                    });
                }
                known.detail = detail;
            } else {
                drills.insert(key, (number, drill));
            }
        }
    }
    // Where one of the journals does not say which, the sum would be wrong.
    if skipped
        .scenarios
        .values()
        .fold(0, |sum: usize, n| sum.saturating_add(*n))
        != skipped.drills
    {
        skipped.scenarios.clear();
    }
    let mut drills: Vec<Drill<'static>> = drills.into_values().map(|(_, drill)| drill).collect();
    let mut kept = Representatives::default();
    for (index, drill) in drills.iter_mut().enumerate() {
        if let Some(detail) = drill.detail.take() {
            let group = (drill.scenario.clone().into_owned(), drill.world);
            let rank = Rank::of(drill.verdict, drill.rto_ms, drill.seed);
            kept.offer(group, rank, || (index, detail));
        }
    }
    for (index, detail) in kept.into_kept() {
        drills[index].detail = Some(detail);
    }
    Ok(Journal::of(drills, skipped).with_meta(meta))
}
