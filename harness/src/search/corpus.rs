//! What searches leave to the next ones: what they met, the smallest case of each class that they found, and the number
//! at which the next one begins, so that no interval is searched twice.
//!
//! A corpus is a folder: `corpus.json`, and a scenario for each class. It is small, and a night's job hands it on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::campaign::{Earlier, FoundClass, Searched, Start};
use super::coverage::{Coverage, kept};
use super::draw::Half;
use super::show;
use crate::report::{WriteError, write_texts};
use crate::runbooks::LoadedRunbook;
use crate::scenario::{Scenario, ScenarioError};
use crate::worlds::{DrillPlan, Until, WorldKind};

/// The file that has all but the scenarios.
const FILE: &str = "corpus.json";
/// The name of the format.
const SCHEMA: &str = "firedrill-corpus/1";

/// What earlier searches left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corpus {
    schema: String,
    /// The seed of the searches. Numbers of another seed's drills are others'.
    pub seed: u64,
    /// The number of the first drill that was not performed.
    pub next: u64,
    /// How many drills were performed.
    pub drills: u64,
    /// The classes that were found.
    pub cases: Vec<Case>,
    /// What was met.
    #[serde(with = "kept")]
    pub coverage: Coverage,
}

/// The smallest case of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The scenario's file in the folder.
    pub scenario: String,
    /// Which class it is, for people.
    pub class: String,
    /// Of which half of the drills.
    #[serde(with = "half")]
    pub half: Half,
    /// The number of the drill in which it was found.
    pub number: u64,
    /// The seed with which it fails.
    pub seed: u64,
    /// The least virtual time in which a case of the class fails, in milliseconds.
    pub fastest_ms: u64,
    /// The token of that case.
    pub fastest: String,
    /// Whether it failed when it was tried last.
    pub fails: bool,
}

mod half {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Half;

    pub(super) fn serialize<S: Serializer>(half: &Half, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(half.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Half, D::Error> {
        let name = String::deserialize(deserializer)?;
        let mut halves = [Half::Survivable, Half::Hostile].into_iter();
        let found = halves.find(|half| half.as_str() == name);
        found.ok_or_else(|| D::Error::custom(format!("there is no half `{name}`")))
    }
}

/// A corpus that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// A file can't be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not a corpus.
    #[error("{path}, line {line}, column {column}: {why}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        why: String,
    },
    /// A case's scenario is wrong.
    #[error("{path} is no scenario")]
    Scenario {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its place.
        source: Box<ScenarioError>,
    },
    /// A case's file is not one of the folder.
    #[error("{path}: the case `{scenario}` is not the plain name of a file in this folder")]
    Outside {
        /// The file.
        path: PathBuf,
        /// What stands there.
        scenario: String,
    },
}

impl Corpus {
    /// One without anything, for searches with `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            seed,
            next: 0,
            drills: 0,
            cases: Vec::new(),
            coverage: Coverage::default(),
        }
    }

    /// The corpus in `folder`; `None`: there is none yet.
    ///
    /// # Errors
    /// It is broken: the file, with line and column.
    pub fn read(folder: &Path) -> Result<Option<Self>, CorpusError> {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(unreadable(&path))?,
        };
        let wrong = |line, column, why: String| CorpusError::Wrong {
            path: path.clone(),
            line,
            column,
            why,
        };
        let corpus: Self = serde_json::from_str(&text).map_err(|error| {
            let place = format!(" at line {} column {}", error.line(), error.column());
            let why = error.to_string();
            let why = why.strip_suffix(&place).unwrap_or(&why);
            wrong(error.line(), error.column(), why.to_owned())
        })?;
        if corpus.schema != SCHEMA {
            let line = text.lines().position(|line| line.contains("\"schema\""));
            let why = format!(
                "the format is `{}`, and this program reads `{SCHEMA}`",
                corpus.schema
            );
            return Err(wrong(line.unwrap_or(0) + 1, 1, why));
        }
        let named =
            |case: &&Case| Path::new(&case.scenario).file_name() != Some(case.scenario.as_ref());
        match corpus.cases.iter().find(named) {
            Some(case) => Err(CorpusError::Outside {
                path,
                scenario: case.scenario.clone(),
            }),
            None => Ok(Some(corpus)),
        }
    }

    /// What a search of drills by `runbook` starts from, and the cases that can't be tried any more since they wait for
    /// a step that the runbook has not. The cases' scenarios are read from `folder`.
    ///
    /// # Errors
    /// A scenario is not there, or is broken.
    pub fn start(
        &self,
        folder: &Path,
        runbook: &LoadedRunbook,
    ) -> Result<(Start, Vec<String>), CorpusError> {
        let mut start = Start {
            drills: self.drills,
            coverage: self.coverage.clone(),
            cases: Vec::new(),
        };
        let mut unfit = Vec::new();
        for case in &self.cases {
            let path = folder.join(&case.scenario);
            let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
            let triggers = runbook.triggers();
            let file = path.display().to_string();
            let scenario = Scenario::parse(&file, &text, &triggers).map_err(|source| {
                CorpusError::Scenario {
                    path: path.clone(),
                    source: Box::new(source),
                }
            })?;
            if scenario.fits(&file, &runbook.runbook).is_err() {
                unfit.push(case.scenario.clone());
                continue;
            }
            start.cases.push(Earlier {
                number: case.number,
                half: case.half,
                plan: DrillPlan {
                    world: WorldKind::Sim,
                    scenario: Arc::new(scenario),
                    runbook: runbook.clone(),
                    seed: case.seed,
                    until: Until::Held,
                    executor: None,
                },
            });
        }
        Ok((start, unfit))
    }

    /// Takes in what `searched` came to, which began with this corpus. The drills of a batch that was cut short are
    /// performed again by the next search: they count then.
    pub fn take_in(&mut self, searched: &Searched) {
        let (drills, coverage) = match &searched.whole {
            Some(whole) => (whole.drills, &whole.coverage),
            None => (searched.drills, &searched.coverage),
        };
        self.next = searched.next;
        self.drills = self.drills.saturating_add(drills);
        self.coverage = coverage.clone();
        for case in &mut self.cases {
            case.fails = false;
        }
        for found in &searched.classes {
            let case = Case::of(found);
            let mut cases = self.cases.iter_mut();
            match cases.find(|it| it.scenario == case.scenario) {
                Some(same) if found.earlier => {
                    same.fails = true;
                    if case.fastest_ms < same.fastest_ms {
                        (same.fastest_ms, same.fastest) = (case.fastest_ms, case.fastest);
                    }
                }
                Some(same) => *same = case,
                None => self.cases.push(case),
            }
        }
    }

    /// Writes it into `folder`, with the scenarios of the classes that `searched` found.
    ///
    /// # Errors
    /// The first file that could not be written.
    pub fn write(&self, folder: &Path, searched: &Searched) -> Result<(), WriteError> {
        // An earlier case stays as it was found, unless it fails in another way by now.
        let is_new = |found: &&FoundClass| !found.earlier || !folder.join(file_of(found)).exists();
        let mut texts: Vec<(String, String)> = searched
            .classes
            .iter()
            .filter(is_new)
            .map(|found| (file_of(found), show::scenario(found)))
            .collect();
        // Names and numbers alone: there is nothing that could fail.
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        // Last, so that it names no scenario that is not there.
        texts.push((FILE.to_owned(), json));
        let texts: Vec<(&str, &str)> = texts
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        write_texts(folder, &texts)
    }
}

impl Case {
    fn of(found: &FoundClass) -> Self {
        Self {
            scenario: file_of(found),
            class: found.class.to_string(),
            half: found.class.half,
            number: found.first,
            seed: found.smallest.seed,
            fastest_ms: found.fastest.virtual_ms,
            fastest: found.fastest.replay.clone(),
            fails: true,
        }
    }
}

fn file_of(found: &FoundClass) -> String {
    format!("{}.toml", found.class.slug())
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> CorpusError + '_ {
    |source| CorpusError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Met;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    fn corpus() -> Corpus {
        let mut corpus = Corpus::new(7);
        (corpus.next, corpus.drills) = (128, 120);
        let met = Met::Ended {
            step: "undo-app".to_owned(),
            outcome: "done".to_owned(),
        };
        corpus.coverage.add(met, 3);
        corpus.cases.push(Case {
            scenario: "a-class.toml".to_owned(),
            class: "outcome called under quota".to_owned(),
            half: Half::Survivable,
            number: 5,
            seed: 9,
            fastest_ms: 60_000,
            fastest: "fd1-x".to_owned(),
            fails: true,
        });
        corpus
    }

    #[test]
    fn it_reads_back_and_none_is_no_error() {
        let folder = folder();
        assert_eq!(Corpus::read(folder.path()).expect("nothing there"), None);
        let corpus = corpus();
        let nothing = Searched::default();
        corpus.write(folder.path(), &nothing).expect("written");
        let read = Corpus::read(folder.path()).expect("it reads");
        assert_eq!(read, Some(corpus));
    }

    #[test]
    fn a_broken_file_is_named_with_line_and_column() {
        let folder = folder();
        let file = folder.path().join(FILE);
        corpus()
            .write(folder.path(), &Searched::default())
            .expect("written");
        let text = fs::read_to_string(&file).expect("there");
        for (was, is, line) in [
            ("\"seed\": 7", "\"seed\": -7", 3),
            ("\"half\": \"survivable\"", "\"half\": \"half\"", 10),
            ("\"drills\": 120,", "\"drills\": 120, \"more\": 1,", 5),
            ("firedrill-corpus/1", "firedrill-corpus/2", 2),
        ] {
            assert!(text.contains(was), "{was} in {text}");
            fs::write(&file, text.replacen(was, is, 1)).expect("written");
            let error = Corpus::read(folder.path()).expect_err(is);
            let CorpusError::Wrong {
                line: at, column, ..
            } = &error
            else {
                panic!("{error}");
            };
            assert!(*at == line && *column > 0, "{is}: {error}");
            let told = error.to_string();
            assert!(
                told.contains(&format!("corpus.json, line {line}, column ")),
                "{told}"
            );
            assert_eq!(told.matches("line").count(), 1, "{told}");
        }
        fs::write(&file, text.replace("a-class.toml", "../a.toml")).expect("written");
        let error = Corpus::read(folder.path()).expect_err("it leads out of the folder");
        assert!(matches!(error, CorpusError::Outside { .. }), "{error}");
    }

    #[test]
    fn a_case_without_its_scenario_or_with_a_broken_one_is_an_error() {
        let folder = folder();
        let runbook = LoadedRunbook::built_in().expect("valid");
        let corpus = corpus();
        let missing = corpus.start(folder.path(), &runbook).expect_err("missing");
        assert!(missing.to_string().contains("a-class.toml"), "{missing}");
        let file = folder.path().join("a-class.toml");
        fs::write(&file, "name = 1\n").expect("written");
        let broken = corpus.start(folder.path(), &runbook).expect_err("broken");
        assert!(matches!(broken, CorpusError::Scenario { .. }), "{broken}");
        let right = crate::scenario::built_in("quota", &[]).expect("there");
        let right = right.expect("right");
        fs::write(&file, &right.text).expect("written");
        let (start, unfit) = corpus.start(folder.path(), &runbook).expect("right");
        assert_eq!((start.cases.len(), start.drills), (1, 120));
        assert_eq!(unfit, [""; 0]);
        assert_eq!(start.cases[0].plan.seed, 9);
        // A step that the runbook has not can't be waited for.
        let elsewhere = "kind = \"quota\"\nwhen = \"step undo-nothing\"";
        let renamed = right.text.replace("kind = \"quota\"", elsewhere);
        assert_ne!(renamed, right.text);
        fs::write(&file, renamed).expect("written");
        let (start, unfit) = corpus.start(folder.path(), &runbook).expect("right");
        assert!(start.cases.is_empty());
        assert_eq!(unfit, ["a-class.toml"]);
    }
}
