//! Drills for a comparison, none of them run twice.
//!
//! A drill is a pure function of (scenario, seed, what the runbook makes the executor do), so its result is kept under just these. Order and
//! number of threads change nothing. A drill of the candidate's in which its executor would do what the baseline's did
//! ([`likeness`](super::likeness)) is not performed but for a sample; should that show a difference, all are.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::canonical::Side;
use super::likeness::{Likeness, SAMPLE};
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
    /// Whether they came out alike: all but the token is the same.
    fn is_like(&self, other: &Self) -> bool {
        let same = Self {
            replay: self.replay.clone(),
            ..other.clone()
        };
        *self == same
    }

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
                .filter(|step| step.is_ok())
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

/// Whether a drill of the baseline's would be the same under the candidate.
type Alike<'a> = dyn Fn(&Scenario, &DrillResult) -> bool + Sync + 'a;

/// Every scenario with every seed.
fn each(
    scenarios: &[Arc<Scenario>],
    seeds: Range<u64>,
) -> impl Iterator<Item = (&Arc<Scenario>, u64)> {
    scenarios
        .iter()
        .flat_map(move |scenario| seeds.clone().map(move |seed| (scenario, seed)))
}

/// Scenario's digest, seed, runbook's key.
type Key = (u64, u64, u64);

/// A candidate's drill that would be as that of a baseline with the same scenario and seed; the baseline's key.
type AlikeTo = (Key, u64);

/// What became of drills that need not be performed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spared {
    /// How many were not performed.
    pub spared: u64,
    /// How many were performed all the same, and came out as expected.
    pub checked: u64,
    /// One that came out otherwise: so none was spared. It is a fault of this program.
    pub mismatch: Option<String>,
}

/// Runs drills and keeps their results.
pub struct Runs<'a> {
    world: WorldKind,
    jobs: usize,
    stop: &'a AtomicBool,
    finished: &'a (dyn Fn() + Sync),
    kept: BTreeMap<Key, Arc<Brief>>,
    alike: BTreeSet<AlikeTo>,
    spared: BTreeSet<Key>,
    mismatch: Option<String>,
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
            alike: BTreeSet::new(),
            spared: BTreeSet::new(),
            mismatch: None,
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
        seeds: Range<u64>,
    ) -> Result<(), WorldError> {
        self.perform_beside(side, None, scenarios, seeds)
    }

    /// Performs what is not known yet of both sides, and spares the candidate what need not be performed.
    ///
    /// # Errors
    /// The first [`WorldError`].
    pub fn perform_pairs(
        &mut self,
        baseline: &Side,
        candidate: &Side,
        scenarios: &[Arc<Scenario>],
        seeds: Range<u64>,
    ) -> Result<(), WorldError> {
        // On a cluster no drill is like another.
        let likeness = Likeness::of(baseline, candidate).filter(|_| self.world == WorldKind::Sim);
        match likeness {
            Some(likeness) => {
                let alike =
                    |scenario: &Scenario, result: &DrillResult| likeness.holds_in(scenario, result);
                self.perform_alike(baseline, candidate, &alike, scenarios, seeds)
            }
            None => {
                self.perform(baseline, scenarios, seeds.clone())?;
                self.perform(candidate, scenarios, seeds)
            }
        }
    }

    /// [`perform_pairs`](Self::perform_pairs), where `alike` says in which drills the candidate would do the same.
    fn perform_alike(
        &mut self,
        baseline: &Side,
        candidate: &Side,
        alike: &Alike<'_>,
        scenarios: &[Arc<Scenario>],
        seeds: Range<u64>,
    ) -> Result<(), WorldError> {
        let rival = Some((candidate, alike));
        self.perform_beside(baseline, rival, scenarios, seeds.clone())?;
        if self.mismatch.is_none() {
            self.spare(baseline, candidate, scenarios, seeds.clone());
        }
        self.perform(candidate, scenarios, seeds.clone())?;
        let sample = self.sampled(baseline, candidate, scenarios, seeds.clone());
        let wrong = sample.iter().find(|(scenario, seed)| {
            let sides = [baseline, candidate].map(|side| self.get(side, scenario, *seed));
            let [Some(old), Some(new)] = sides else {
                return false;
            };
            !old.is_like(&new)
        });
        let Some((scenario, seed)) = wrong else {
            return Ok(());
        };
        self.mismatch = Some(format!(
            "{}, seed {seed}: the plans are the same, the drills are not",
            scenario.name
        ));
        self.alike.clear();
        for key in std::mem::take(&mut self.spared) {
            self.kept.remove(&key);
        }
        self.perform(candidate, scenarios, seeds)
    }

    /// Takes over what need not be performed, but for the sample.
    fn spare(
        &mut self,
        baseline: &Side,
        candidate: &Side,
        scenarios: &[Arc<Scenario>],
        seeds: Range<u64>,
    ) {
        for (scenario, seed) in each(scenarios, seeds) {
            let key = (scenario.digest(), seed, candidate.key);
            let spared = self.alike.contains(&(key, baseline.key)) && seed % SAMPLE != 0;
            if !spared || self.kept.contains_key(&key) {
                continue;
            }
            let Some(known) = self.get(baseline, scenario, seed) else {
                continue;
            };
            let brief = Brief {
                replay: self.plan(candidate, scenario, seed).token(),
                ..Brief::clone(&known)
            };
            self.kept.insert(key, Arc::new(brief));
            self.spared.insert(key);
            (self.finished)();
        }
    }

    /// Drills of the candidate's that were performed to see whether the others need not be.
    fn sampled(
        &self,
        baseline: &Side,
        candidate: &Side,
        scenarios: &[Arc<Scenario>],
        seeds: Range<u64>,
    ) -> Vec<(Arc<Scenario>, u64)> {
        each(scenarios, seeds)
            .filter(|(scenario, seed)| {
                let key = (scenario.digest(), *seed, candidate.key);
                let alike = self.alike.contains(&(key, baseline.key));
                alike && self.kept.contains_key(&key) && !self.spared.contains(&key)
            })
            .map(|(scenario, seed)| (Arc::clone(scenario), seed))
            .collect()
    }

    /// What became of the candidate's drills that need not be performed.
    #[must_use]
    pub fn spared(
        &self,
        baseline: &Side,
        candidate: &Side,
        scenarios: &[Arc<Scenario>],
        seeds: Range<u64>,
    ) -> Spared {
        let keys = each(scenarios, seeds.clone())
            .map(|(scenario, seed)| (scenario.digest(), seed, candidate.key));
        Spared {
            spared: keys.filter(|key| self.spared.contains(key)).count() as u64,
            checked: self.sampled(baseline, candidate, scenarios, seeds).len() as u64,
            mismatch: self.mismatch.clone(),
        }
    }

    fn plan(&self, side: &Side, scenario: &Arc<Scenario>, seed: u64) -> Plan {
        Plan {
            world: self.world,
            scenario: Arc::clone(scenario),
            runbook: side.loaded.clone(),
            seed,
            until: Until::Held,
        }
    }

    /// Performs what is not known yet of `side`, and keeps in mind which drills would be the same under a rival.
    fn perform_beside(
        &mut self,
        side: &Side,
        rival: Option<(&Side, &Alike<'_>)>,
        scenarios: &[Arc<Scenario>],
        seeds: Range<u64>,
    ) -> Result<(), WorldError> {
        let plans: Vec<Plan> = each(scenarios, seeds)
            .filter(|(scenario, seed)| {
                let key = (scenario.digest(), *seed, side.key);
                !self.kept.contains_key(&key)
            })
            .map(|(scenario, seed)| self.plan(side, scenario, seed))
            .collect();
        let known: BTreeMap<&str, (u64, &Arc<Scenario>)> = scenarios
            .iter()
            .map(|scenario| (scenario.name.as_str(), (scenario.digest(), scenario)))
            .collect();
        let done: Mutex<Vec<(Key, Brief, Option<AlikeTo>)>> = Mutex::new(Vec::new());
        swarm::run(&plans, self.jobs, self.stop, false, &|result| {
            if let Some(&(digest, scenario)) = known.get(result.scenario.as_str()) {
                let alike = rival
                    .filter(|(_, alike)| alike(scenario, result))
                    .map(|(rival, _)| ((digest, result.seed, rival.key), side.key));
                let kept = (digest, result.seed, side.key);
                done.lock().unwrap_or_else(PoisonError::into_inner).push((
                    kept,
                    Brief::of(result),
                    alike,
                ));
            }
            (self.finished)();
        })?;
        for (key, brief, alike) in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
            self.performed += 1;
            self.kept.insert(key, Arc::new(brief));
            self.alike.extend(alike);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbooks::BUILT_IN;
    use crate::scenario::built_in;

    #[test]
    fn a_drill_that_is_wrongly_taken_for_like_has_all_performed() {
        let side = |text: &str| Side::parse("runbook.md", text).expect("it loads");
        let late = BUILT_IN.replace("\"rb.timeout\":\"16s\"", "\"rb.timeout\":\"1s\"");
        let (old, new) = (side(BUILT_IN), side(&late));
        let scenario = built_in("latency-regression", &[]).expect("it is built in");
        let scenarios = [Arc::new(scenario.expect("it loads"))];
        let stop = AtomicBool::new(false);
        let mut runs = Runs::new(WorldKind::Sim, 2, &stop, &|| {});
        runs.perform_alike(&old, &new, &|_, _| true, &scenarios, 15..18)
            .expect("the simulated world builds");
        let spared = runs.spared(&old, &new, &scenarios, 15..18);
        let mismatch = spared.mismatch.expect("seed 16 is performed");
        assert!(
            mismatch.contains("latency-regression, seed 16"),
            "{mismatch}"
        );
        assert_eq!((spared.spared, runs.performed()), (0, 6));
        for seed in 15..18 {
            let verdicts = [&old, &new].map(|side| runs.get(side, &scenarios[0], seed));
            let verdicts = verdicts.map(|brief| brief.expect("performed").verdict);
            assert_eq!(verdicts, [Verdict::Pass, Verdict::Fail]);
        }
    }
}
