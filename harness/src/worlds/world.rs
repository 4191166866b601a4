//! What a world is asked to do, and what it hands back.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use executor::planner::Observed;
use serde::{Deserialize, Serialize};

use super::recording::Recording;
use crate::drill::timeline::TimelineEntry;
use crate::evidence::Evidence;
use crate::runbooks::{self, LoadedRunbook};
use crate::scenario::{FaultKind, Lacking, OfApplication, ProgramRefusal, Scenario};
use crate::token::{AtHand, ByProgram, Made, Token};

/// The kinds of world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorldKind {
    /// The deterministic simulation.
    Sim,
    /// A kind cluster with real PostgreSQL and Prometheus.
    Kind,
}

impl WorldKind {
    /// The word on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Kind => "kind",
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Sim => 1,
            Self::Kind => 2,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Sim),
            2 => Some(Self::Kind),
            _ => None,
        }
    }
}

impl fmt::Display for WorldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// When a drill ends. `kind` always ends once what recovered has held, as its time is real.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// At the scenario's `duration`.
    #[default]
    Duration,
    /// At the scenario's `duration`, or sooner, in the simulation, at the first look at the world by which the drill
    /// passes and nothing is left that could change that. Up to then it is the same drill to the last event:
    /// a drill that ends so at an instant has the fingerprint of one whose `duration` is that instant, and whatever
    /// does not pass ends at its `duration`.
    Settled,
    /// Once the executor is done and what recovered has held for the scenario's `hold`, or can't be in time any
    /// more; at the latest at its `duration`. Whatever would have befallen the exchange later is not seen.
    /// In the simulation the release is deployed [sooner](crate::scenario::Timing::hurried) too,
    /// where nothing needs that time.
    Held,
}

/// A drill to be performed.
#[derive(Clone, Debug)]
pub struct DrillPlan {
    /// Where.
    pub world: WorldKind,
    /// What.
    pub scenario: Arc<Scenario>,
    /// By which procedure.
    pub runbook: LoadedRunbook,
    /// With which seed.
    pub seed: u64,
    /// Until when.
    pub until: Until,
    /// The program that carries it out; `None`: our own executor, in this process.
    pub executor: Option<Arc<Program>>,
}

/// An executor that is a program of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The command that a shell runs, for each phase.
    pub command: String,
    /// How many times as fast as the wall clock the world's clock runs; `None`: requests move it.
    pub pace: Option<u32>,
    /// How long it may run without a request, by the wall clock, before it is killed. A real cluster has a bound of its
    /// own.
    pub patience: Duration,
    /// The program that the commands of its `PATH` call: this one.
    pub tools: PathBuf,
    /// Where recordings of its drills go.
    pub record: Option<Record>,
}

impl Program {
    /// How long a program may run without a request if nobody says otherwise.
    pub const PATIENCE: Duration = Duration::from_secs(300);
}

/// Where recordings go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Into this file, which is written anew.
    File(PathBuf),
    /// Into this folder, one file for each scenario, seed and crash.
    Folder(PathBuf),
}

impl Record {
    /// The file for a drill of `plan`.
    #[must_use]
    pub fn file(&self, plan: &DrillPlan) -> PathBuf {
        let folder = match self {
            Self::File(file) => return file.clone(),
            Self::Folder(folder) => folder,
        };
        let crash = plan.scenario.crash.map(|crash| {
            let side = crash.side.as_str();
            format!("-killed-{side}-{}", crash.request)
        });
        let (name, crash) = (&plan.scenario.name, crash.unwrap_or_default());
        folder.join(format!("{name}-{}{crash}.jsonl", plan.seed))
    }

    /// Writes it there, for the user alone: answers may hold what a cluster keeps secret.
    pub(crate) fn write(&self, plan: &DrillPlan, recording: &Recording) -> Result<(), String> {
        let file = self.file(plan);
        let told = |error: std::io::Error| format!("{}: {error}", file.display());
        if let Self::Folder(folder) = self {
            std::fs::create_dir_all(folder).map_err(told)?;
        }
        let folder = file.parent().filter(|it| !it.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut written = tempfile::NamedTempFile::new_in(folder).map_err(told)?;
        let text = recording.text();
        written.write_all(text.as_bytes()).map_err(told)?;
        written.persist(&file).map_err(|error| told(error.error))?;
        Ok(())
    }
}

impl DrillPlan {
    /// The token that performs it again, and says nothing of how it went.
    #[must_use]
    pub fn token(&self) -> String {
        self.token_with(None)
    }

    /// The token that performs it again, and says by which build it was made and how the drill went.
    #[must_use]
    pub fn token_of(&self, fingerprint: u64) -> String {
        self.token_with(Some(Made::here(fingerprint)))
    }

    /// The same drill, which is not recorded.
    #[must_use]
    pub fn unrecorded(&self) -> Self {
        let executor = self.executor.as_deref().map(|program| {
            Arc::new(Program {
                record: None,
                ..program.clone()
            })
        });
        Self {
            executor,
            ..self.clone()
        }
    }

    fn token_with(&self, made: Option<Made>) -> String {
        let token = Token {
            world: self.world,
            seed: self.seed,
            until: self.until,
            scenario_file: String::new(),
            scenario_text: self.scenario.text.clone(),
            runbook_file: String::new(),
            runbook_text: self.runbook.text.to_string(),
            program: self.executor.as_deref().map(|program| ByProgram {
                command: program.command.clone(),
                pace: program.pace,
            }),
            made,
        };
        token.text(&self.scenario.name, runbooks::BUILT_IN, &AtHand::default())
    }
}

/// Whether `world` can do what `scenario` asks for.
///
/// # Errors
/// [`WorldError::Lacks`] for the first fault that it can't, [`WorldError::LacksKey`] for the first key.
pub fn check(scenario: &Scenario, world: WorldKind) -> Result<(), WorldError> {
    match scenario.lacking_in(world) {
        None => Ok(()),
        Some(Lacking::Key(key)) => Err(WorldError::LacksKey {
            scenario: scenario.name.clone(),
            key,
            world,
        }),
        Some(Lacking::OfApplication(what)) => Err(WorldError::LacksOfApplication {
            scenario: scenario.name.clone(),
            what,
            world,
        }),
        Some(Lacking::Fault(fault)) => Err(WorldError::Lacks {
            scenario: scenario.name.clone(),
            fault,
            world,
        }),
    }
}

/// Whether the world can do what the scenario asks for with the plan's program.
fn check_program(plan: &DrillPlan) -> Result<(), WorldError> {
    if plan.executor.is_none() {
        return Ok(());
    }
    let scenario = &plan.scenario;
    if let Some(refusal) = scenario.refusals_of_programs(plan.world).next() {
        return Err(WorldError::NotByProgram {
            scenario: scenario.name.clone(),
            refusal,
        });
    }
    Ok(())
}

/// What a world hands back.
#[derive(Clone, Debug)]
pub struct Performed {
    /// For the oracles.
    pub evidence: Evidence,
    /// For people.
    pub timeline: Vec<TimelineEntry>,
    /// Rolling hash over every event; 0 in a world that is not deterministic.
    pub fingerprint: u64,
    /// Requests that the executor made from the trigger on, none if nothing fired: in the simulation all of them, on a
    /// cluster those to the API server.
    pub executor_requests: u64,
    /// What its plans rested on, in the simulation; on a cluster nobody asks.
    pub observed: Vec<Arc<Observed>>,
}

/// The world could not be built, so nothing was drilled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// This build lacks that world.
    #[error(
        "this build lacks the world `{0}`: `cargo xtask chaos --world {0}` builds one that has it"
    )]
    NotBuilt(WorldKind),
    /// The scenario asks for a fault that this world does not have.
    #[error(
        "scenario {scenario}: the world `{world}` has no fault `{}`; it can be had in {}",
        fault.as_str(), worlds_of(*.fault)
    )]
    Lacks {
        /// Its name.
        scenario: String,
        /// The fault.
        fault: FaultKind,
        /// The world.
        world: WorldKind,
    },
    /// The scenario sets a key that this world can't change.
    #[error(
        "scenario {scenario}: the world `{world}` can't change `{key}`; leave it out, or use `--world sim`"
    )]
    LacksKey {
        /// Its name.
        scenario: String,
        /// The key, or its table.
        key: &'static str,
        /// The world.
        world: WorldKind,
    },
    /// The scenario's application asks for what this world can't do.
    #[error("scenario {scenario}: the world `{world}` can't do this: {what}; use `--world sim`")]
    LacksOfApplication {
        /// Its name.
        scenario: String,
        /// What it asks for.
        what: OfApplication,
        /// The world.
        world: WorldKind,
    },
    /// The scenario asks for what can't be had with an executor that is a program.
    #[error("scenario {scenario}: {refusal}")]
    NotByProgram {
        /// Its name.
        scenario: String,
        /// What it asks for, and what to write instead.
        refusal: ProgramRefusal,
    },
    /// Its beginnings failed.
    #[error("the world could not be set up: {0}")]
    SetUp(String),
    /// Somebody interrupted it. What was cut short shows nothing, neither for an executor nor against it.
    #[error("interrupted")]
    Interrupted,
}

/// Where a fault can be had, as options.
fn worlds_of(fault: FaultKind) -> String {
    let worlds = fault.spec().worlds.iter();
    let options: Vec<String> = worlds.map(|world| format!("`--world {world}`")).collect();
    options.join(", ")
}

/// Performs a drill.
///
/// # Errors
/// [`WorldError`] if there is no world to perform it in. Whatever goes wrong later is evidence.
pub fn perform(plan: &DrillPlan) -> Result<Performed, WorldError> {
    check(&plan.scenario, plan.world)?;
    check_program(plan)?;
    match plan.world {
        WorldKind::Sim => super::sim::perform(plan, &|_, ports| ports),
        #[cfg(feature = "kind")]
        WorldKind::Kind => super::kind::perform(plan),
        #[cfg(not(feature = "kind"))]
        WorldKind::Kind => Err(WorldError::NotBuilt(WorldKind::Kind)),
    }
}
