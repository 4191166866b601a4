//! Drills for a comparison, none of them run twice.
//!
//! A drill is a pure function of (scenario, seed, what the runbook makes the executor do), so its result is kept under just these. Order and
//! number of threads change nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use super::canonical::Side;
use crate::drill::DrillResult;
use crate::scenario::Scenario;
use crate::swarm;
use crate::verdict::Verdict;
use crate::worlds::{Plan, Until, WorldError, WorldKind};

/// What is kept of a drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief {
    /// The whole verdict.
    pub verdict: Verdict,
    /// Trigger to recovery, measured.
    pub rto_ms: Option<u64>,
    /// First harm to recovery.
    pub impact_ms: Option<u64>,
    /// Clients' error rate after recovery, in millionths.
    pub error_rate_ppm: Option<u64>,
    /// Acknowledged trades that are gone.
    pub trades_lost: u64,
    /// Files that the executor put by.
    pub files: u64,
    /// Lines of logs in them.
    pub log_lines: u64,
    /// Steps that ended well, as name and service.
    pub done: BTreeSet<(String, Option<String>)>,
    /// Oracle and reason of what decided the verdict, if it is not a pass.
    pub trouble: Option<(String, String)>,
    /// The token that runs it again.
    pub replay: String,
}

impl Brief {
    fn of(result: &DrillResult) -> Self {
        let logs = result
            .files
            .iter()
            .filter(|(name, _)| name.contains("/logs/"));
        let lines = logs.flat_map(|(_, text)| text.lines());
        Self {
            verdict: result.verdicts.overall,
            rto_ms: result.rto_ms,
            impact_ms: result.impact_ms,
            error_rate_ppm: result.error_rate_ppm,
            trades_lost: result.trades_lost,
            files: result.files.len() as u64,
            log_lines: lines.filter(|line| !line.starts_with("==>")).count() as u64,
            done: result
                .steps
                .iter()
                .filter(|step| matches!(step.outcome.as_str(), "done" | "already so"))
                .map(|step| (step.name.clone(), step.service.clone()))
                .collect(),
            trouble: result
                .troubles()
                .first()
                .map(|finding| (finding.oracle.to_owned(), finding.reason.clone())),
            replay: result.replay.clone(),
        }
    }
}

/// Scenario's digest, seed, runbook's key.
type Key = (u64, u64, u64);

/// Runs drills and keeps their results.
pub struct Runs<'a> {
    world: WorldKind,
    jobs: usize,
    stop: &'a AtomicBool,
    finished: &'a (dyn Fn() + Sync),
    kept: BTreeMap<Key, Arc<Brief>>,
    performed: u64,
}

impl<'a> Runs<'a> {
    /// Runs in `world` on `jobs` threads until `stop` is set; `finished` is called after each drill.
    #[must_use]
    pub fn new(
        world: WorldKind,
        jobs: usize,
        stop: &'a AtomicBool,
        finished: &'a (dyn Fn() + Sync),
    ) -> Self {
        Self {
            world,
            jobs,
            stop,
            finished,
            kept: BTreeMap::new(),
            performed: 0,
        }
    }

    /// How many drills were really performed.
    #[must_use]
    pub fn performed(&self) -> u64 {
        self.performed
    }

    /// Where they are performed.
    #[must_use]
    pub fn world(&self) -> WorldKind {
        self.world
    }

    /// Performs what is not known yet of `side` in every scenario with every seed.
    ///
    /// # Errors
    /// The first [`WorldError`].
    pub fn perform(
        &mut self,
        side: &Side,
        scenarios: &[Arc<Scenario>],
        seeds: std::ops::Range<u64>,
    ) -> Result<(), WorldError> {
        let mut plans = Vec::new();
        let mut digests = BTreeMap::new();
        for scenario in scenarios {
            digests.insert(scenario.name.clone(), scenario.digest());
            for seed in seeds.clone() {
                if !self.kept.contains_key(&(scenario.digest(), seed, side.key)) {
                    plans.push(Plan {
                        world: self.world,
                        scenario: Arc::clone(scenario),
                        runbook: side.loaded.clone(),
                        seed,
                        until: Until::Held,
                    });
                }
            }
        }
        let done: Mutex<Vec<(Key, Brief)>> = Mutex::new(Vec::new());
        swarm::run(&plans, self.jobs, self.stop, false, &|result| {
            if let Some(digest) = digests.get(&result.scenario) {
                let kept = ((*digest, result.seed, side.key), Brief::of(result));
                done.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(kept);
            }
            (self.finished)();
        })?;
        for (key, brief) in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
            self.performed += 1;
            self.kept.insert(key, Arc::new(brief));
        }
        Ok(())
    }

    /// What is known of a drill; `None` if it was not performed.
    #[must_use]
    pub fn get(&self, side: &Side, scenario: &Scenario, seed: u64) -> Option<Arc<Brief>> {
        self.kept.get(&(scenario.digest(), seed, side.key)).cloned()
    }

    /// Whether an interruption keeps further drills from beginning.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.load(std::sync::atomic::Ordering::Relaxed)
    }
}
