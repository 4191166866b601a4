//! The drills that did not pass in the last run, kept for `chaos --last-failed`.
//!
//! They are in `last-failed.json` in the folder that `FIREDRILL_STATE` names (`cargo xtask` names one below `target`),
//! else in `firedrill` in the user's cache, in a folder for each project: its name is a hash of the project's path.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firedrill::digest::digest64;
use firedrill::drill::DrillResult;
use firedrill::evidence::ms;
use firedrill::report::{self, WriteError};
use firedrill::scenario::{Crash, CrashSide, Scenario};
use firedrill::token::Token;
use firedrill::verdict::Verdict;
use firedrill::worlds::{Program, WorldKind};
use firedrill::{runbooks, suggest};
use serde::{Deserialize, Serialize};

use crate::exit::Failure;
use crate::input::Chosen;
use crate::outside::ExecutorArgs;

const FILE: &str = "last-failed.json";
const SCHEMA: &str = "firedrill-last-failed/1";

/// What is kept of a run.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    schema: String,
    drills: Vec<Failed>,
}

/// A drill that did not pass.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Failed {
    /// The scenario's name, or the path of its file.
    pub(crate) scenario: String,
    /// Where it was drilled.
    pub(crate) world: WorldKind,
    /// Its seed.
    pub(crate) seed: u64,
    /// The executor's death, where it was not the scenario's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    killed: Option<Killed>,
    /// The program that carried it out; none: our own executor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) program: Option<KeptProgram>,
}

/// The program that carried a drill out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct KeptProgram {
    /// Its command.
    pub(crate) executor: String,
    /// How many times as fast as the wall clock the world's clock ran; none: requests moved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pace: Option<u32>,
}

impl KeptProgram {
    /// As a command line names it that records its drill in `record`.
    pub(crate) fn named(&self, record: Option<PathBuf>) -> ExecutorArgs {
        ExecutorArgs {
            executor: Some(self.executor.clone()),
            pace: self.pace,
            executor_timeout: Program::PATIENCE,
            record,
        }
    }
}

/// The executor's death.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Killed {
    request: u64,
    after: bool,
    resume_after_ms: u64,
}

impl Failed {
    /// What is kept of `result`, a drill of one of `chosen`.
    fn of(result: &DrillResult, chosen: &[Chosen]) -> Option<Self> {
        let mine = chosen
            .iter()
            .find(|it| it.scenario.name == result.scenario)?;
        let scenario = match &mine.path {
            None => result.scenario.clone(),
            Some(path) => fs::canonicalize(path).ok()?.to_str()?.to_owned(),
        };
        // The token has the scenario as it was drilled, which may have been given a crash.
        let token = Token::decode(&result.replay, runbooks::BUILT_IN).ok()?;
        let drilled = Scenario::parse(&token.scenario_file, &token.scenario_text, &[]).ok()?;
        let killed = drilled
            .crash
            .filter(|_| drilled.crash != mine.scenario.crash);
        let program = token.program.map(|program| KeptProgram {
            executor: program.command,
            pace: program.pace,
        });
        Some(Self {
            program,
            scenario,
            world: result.world,
            seed: result.seed,
            killed: killed.map(|crash| Killed {
                request: crash.request,
                after: crash.side == CrashSide::After,
                resume_after_ms: ms(crash.resume_after),
            }),
        })
    }

    /// `scenario` as it was drilled.
    pub(crate) fn applied_to(&self, scenario: &Scenario) -> Scenario {
        let Some(killed) = &self.killed else {
            return scenario.clone();
        };
        let crash = Crash {
            request: killed.request,
            side: if killed.after {
                CrashSide::After
            } else {
                CrashSide::Before
            },
            resume_after: Duration::from_millis(killed.resume_after_ms),
        };
        scenario
            .clone()
            .with(|scenario| scenario.crash = Some(crash))
    }
}

/// The folder of the project that `folder` lies in: the nearest one with a `.git`, else `folder` itself.
fn project(folder: &Path) -> &Path {
    let mut ancestors = folder.ancestors();
    let found = ancestors.find(|it| it.join(".git").exists());
    found.unwrap_or(folder)
}

/// What the folder of a project is called in the cache.
fn name_of(project: &Path) -> String {
    let digest = digest64(project.as_os_str().as_encoded_bytes());
    format!("{digest:016x}")
}

/// Where they are kept; `None`: this user has no cache.
fn folder() -> Option<PathBuf> {
    let given = |name: &str| std::env::var_os(name).filter(|it| !it.is_empty());
    let cache = || {
        let home = || given("HOME").map(|home| Path::new(&home).join(".cache"));
        let cache = given("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
        let here = std::env::current_dir().ok()?;
        Some(cache.join("firedrill").join(name_of(project(&here))))
    };
    given("FIREDRILL_STATE").map(PathBuf::from).or_else(cache)
}

/// Keeps those of `results` that did not pass, and those of `again` that were to run again and did not.
/// How many there are, and where.
pub(crate) fn keep(
    results: &[DrillResult],
    chosen: &[Chosen],
    again: &[Failed],
) -> Result<Option<(usize, PathBuf)>, WriteError> {
    let Some(folder) = folder() else {
        return Ok(None);
    };
    let not_passed = results
        .iter()
        .filter(|it| it.verdicts.overall != Verdict::Pass);
    let mut drills: BTreeSet<Failed> = not_passed.filter_map(|it| Failed::of(it, chosen)).collect();
    if !again.is_empty() {
        let ran = results.iter().filter_map(|it| Failed::of(it, chosen));
        let ran: BTreeSet<Failed> = ran.collect();
        drills.extend(again.iter().filter(|it| !ran.contains(it)).cloned());
    }
    let count = drills.len();
    let kept = Kept {
        schema: SCHEMA.to_owned(),
        drills: drills.into_iter().collect(),
    };
    let text = format!("{}\n", serde_json::json!(kept));
    report::write_texts(&folder, &[(FILE, &text)])?;
    Ok(Some((count, folder.join(FILE))))
}

/// The drills that did not pass in the last run, in `world`.
pub(crate) fn read(world: WorldKind) -> Result<Vec<Failed>, Failure> {
    let Some(file) = folder().map(|folder| folder.join(FILE)) else {
        return Err(Failure::input(
            "nobody knows what the last run was: there is no folder to keep it in",
            "set FIREDRILL_STATE to a folder, and run the drills again",
        ));
    };
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::input(
            format!(
                "nobody knows what the last run was: {}: {why}",
                file.display()
            ),
            "run `firedrill chaos` with scenarios first",
        )
    };
    let text = executor::read_text(&file).map_err(|error| wrong(&error))?;
    let kept: Kept = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    if kept.schema != SCHEMA {
        return Err(wrong(&format!("its schema is `{}`", kept.schema)));
    }
    let (mine, others): (Vec<Failed>, Vec<Failed>) =
        kept.drills.into_iter().partition(|it| it.world == world);
    if mine.is_empty() {
        let worlds = others.iter().map(|it| it.world.as_str());
        let help = match worlds.min() {
            Some(other) => format!(
                "{} did not pass in `{other}`: add `--world {other}`",
                others.len()
            ),
            None => "there is nothing to run again".to_owned(),
        };
        return Err(Failure::input(
            format!(
                "every drill of the last run in `{world}` passed, says {}",
                file.display()
            ),
            help,
        ));
    }
    Ok(mine)
}

/// The scenarios of `failed`, each once.
pub(crate) fn scenarios(failed: &[Failed]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for it in failed {
        if !names.contains(&it.scenario) {
            names.push(it.scenario.clone());
        }
    }
    names
}

/// The one of `chosen` that `failed` is a drill of.
pub(crate) fn scenario_of<'a>(
    failed: &Failed,
    chosen: &'a [Chosen],
) -> Result<&'a Chosen, Failure> {
    let is_it = |it: &&Chosen| match &it.path {
        None => it.scenario.name == failed.scenario,
        Some(path) => path == Path::new(&failed.scenario),
    };
    chosen.iter().find(is_it).ok_or_else(|| {
        let known: Vec<&str> = chosen.iter().map(|it| it.scenario.name.as_str()).collect();
        Failure::input(
            format!("there is no scenario `{}` any more", failed.scenario),
            suggest::help(&failed.scenario, &known),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_project_has_a_folder_of_its_own() {
        let root = tempfile::tempdir().expect("a writable directory");
        let (one, other) = (root.path().join("one"), root.path().join("other"));
        for folder in [one.join(".git"), one.join("drills"), other.clone()] {
            fs::create_dir_all(folder).expect("it is ours");
        }
        assert_eq!(project(&one.join("drills")), one);
        assert_eq!(project(&other), other);
        assert_ne!(name_of(&one), name_of(&other));
        assert_eq!(name_of(&one).len(), 16);
    }
}
