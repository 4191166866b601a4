//! The hunt for a bug: drills until one fails that passes with the sound executor,
//! then the smallest case of that failure.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use firedrill::drill;
use firedrill::finding::Finding;
use firedrill::runbooks::LoadedRunbook;
use firedrill::runner;
use firedrill::scenario::Scenario;
use firedrill::search::NoRelease;
use firedrill::shrink::cut_down;
use firedrill::worlds::WorldError;

use crate::bug::Bug;
use crate::cases::{Case, Cases};
use crate::cpu::Cpu;

/// How a hunt goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The seed of built-in scenarios, and of what is drawn.
    pub seed: u64,
    /// Drills with each bug, at most.
    pub drills: usize,
    /// Attempts to make the drill that failed smaller, at most.
    pub cut: u32,
    /// Bugs at a time.
    pub jobs: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            drills: 200,
            cut: 16,
            jobs: 1,
        }
    }
}

/// Why there was no hunt.
#[derive(Debug, thiserror::Error)]
pub enum HuntError {
    /// There is nothing to draw.
    #[error(transparent)]
    NoRelease(#[from] NoRelease),
    /// There was no world.
    #[error(transparent)]
    World(#[from] WorldError),
}

/// How a bug was caught.
#[derive(Clone, Debug)]
pub struct Caught {
    /// The scenario of the drill that failed.
    pub scenario: String,
    /// Its seed.
    pub seed: u64,
    /// Whether somebody wrote that scenario down.
    pub built_in: bool,
    /// What was found: of all that failed the worst.
    pub finding: Finding,
    /// Drills with the bug, that one included.
    pub drills: usize,
    /// The processor's time up to then, with that of the drills of the sound executor which the failure was held
    /// against.
    pub took: Duration,
    /// The smallest case.
    pub smallest: Arc<Scenario>,
    /// Its seed.
    pub smallest_seed: u64,
    /// What the smallest case lacks against the drill that failed, in words.
    pub cut: Vec<String>,
    /// The token of the smallest case, which passes with the sound executor.
    pub token: String,
}

impl Caught {
    /// How many faults the smallest case has; the executor's death is one.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.smallest.faults.len() + usize::from(self.smallest.crash.is_some())
    }
}

/// What became of a bug.
#[derive(Clone, Debug)]
pub enum Fate {
    /// A drill fails that passes with the sound executor.
    Caught(Box<Caught>),
    /// None does.
    Survived {
        /// Drills with the bug.
        drills: usize,
        /// The processor's time that they took.
        took: Duration,
    },
}

/// A bug and what became of it.
#[derive(Clone)]
pub struct Hunted {
    /// The bug.
    pub bug: Bug,
    /// Its fate.
    pub fate: Fate,
}

/// Which drills the sound executor passes, by scenario and seed, as far as that was asked.
type Sound = Mutex<BTreeMap<(String, u64), bool>>;

/// Hunts each of `bugs` with the built-in runbook, in their order; those that this build can't make are left out.
/// `finished` is told of each one. Those that were not begun when `over` said so are missing.
///
/// # Errors
/// There is nothing to draw, or no world.
pub fn hunt(
    bugs: &[Bug],
    runbook: &LoadedRunbook,
    options: &Options,
    over: &(dyn Fn() -> bool + Sync),
    finished: &(dyn Fn(&Hunted) + Sync),
) -> Result<Vec<Hunted>, HuntError> {
    let cases = Cases::new(runbook, options.seed)?;
    let sound = Sound::default();
    let bugs: Vec<&Bug> = bugs.iter().filter(|bug| bug.is_built()).collect();
    let hunted = runner::each(bugs.len(), options.jobs, over, &|index| {
        let fate = one(bugs[index], &cases, &sound, options)?;
        let hunted = Hunted {
            bug: bugs[index].clone(),
            fate,
        };
        finished(&hunted);
        Ok(hunted)
    });
    hunted.into_iter().map(|(_, hunted)| hunted).collect()
}

fn one(bug: &Bug, cases: &Cases, sound: &Sound, options: &Options) -> Result<Fate, HuntError> {
    let began = Cpu::now();
    let mut drills = 0;
    for case in cases.order(bug).into_iter().take(options.drills) {
        drills += 1;
        let result = bug.run(&case.plan)?;
        let Some(finding) = case.failure(&result) else {
            continue;
        };
        if !passes_soundly(&case, sound)? {
            continue;
        }
        let took = began.spent();
        let shown = Shown {
            finding,
            token: result.replay,
            seed: case.plan.seed,
        };
        return Ok(Fate::Caught(Box::new(smallest(
            bug, &case, shown, drills, took, options,
        )?)));
    }
    Ok(Fate::Survived {
        drills,
        took: began.spent(),
    })
}

/// What shows a bug.
#[derive(Clone)]
struct Shown {
    finding: Finding,
    token: String,
    seed: u64,
}

/// Cuts the drill of `case` down as long as it fails in the same way with the bug, and passes without it.
fn smallest(
    bug: &Bug,
    case: &Case,
    shown: Shown,
    drills: usize,
    took: Duration,
    options: &Options,
) -> Result<Caught, HuntError> {
    let (class, finding) = (shown.finding.class(), shown.finding.clone());
    let attempt = |scenario: &Arc<Scenario>, seed: u64| {
        let case = case.with(scenario, seed);
        let result = bug.run(&case.plan)?;
        let failure = case.failure(&result).filter(|it| it.class() == class);
        let Some(finding) = failure else {
            return Ok(None);
        };
        Ok(case.passes(&drill::run(&case.plan)?).then_some(Shown {
            finding,
            token: result.replay,
            seed,
        }))
    };
    let plan = &case.plan;
    let cut = cut_down(&plan.scenario, plan.seed, shown, options.cut, attempt)?;
    Ok(Caught {
        scenario: plan.scenario.name.clone(),
        seed: plan.seed,
        built_in: case.is_built_in(),
        finding,
        drills,
        took,
        smallest: cut.scenario,
        smallest_seed: cut.shown.seed,
        cut: cut.cut,
        token: cut.shown.token,
    })
}

/// Whether the sound executor passes `case`; each case is performed once.
fn passes_soundly(case: &Case, sound: &Sound) -> Result<bool, WorldError> {
    let key = (case.plan.scenario.name.clone(), case.plan.seed);
    let known = sound
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&key)
        .copied();
    if let Some(passes) = known {
        return Ok(passes);
    }
    let passes = case.passes(&drill::run(&case.plan)?);
    let mut sound = sound.lock().unwrap_or_else(PoisonError::into_inner);
    sound.insert(key, passes);
    Ok(passes)
}
