//! Drills for a comparison, none of them run twice.
//!
//! A drill is a pure function of (scenario, seed, what the runbook makes the executor do), so its result is kept under
//! just these. Order and number of threads change nothing. A drill of the candidate's in which its executor would do
//! what the baseline's did ([`equivalence`](super::equivalence)) is not performed but for a sample;
//! should that show a difference, all are.
//!
//! The seed of a drill is derived from the seed that was asked for and the scenario's name ([`drill_seed`]):
//! scenarios that shared their seeds would share their clients' draws too,
//! and so many drills would show little more than one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use sim::rng::Rng;

use super::canonical::RunbookSide;
use super::equivalence::{Equivalence, SAMPLE};
use crate::digest::digest64;
use crate::drill::DrillResult;
use crate::drill::time_series::TimeSeries;
use crate::finding::{Finding, Severity};
use crate::runner;
use crate::scenario::Scenario;
use crate::verdict::Verdict;
use crate::worlds::{DrillPlan, Until, WorldError, WorldKind};

/// What is kept of a drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief {
    /// The whole verdict.
    pub verdict: Verdict,
    /// Trigger to recovery, measured; `None`: it never recovered.
    pub rto_ms: Option<u64>,
    /// First harm to recovery; `None`: it never recovered.
    pub impact_ms: Option<u64>,
    /// The trigger that fired.
    pub trigger: Option<String>,
    /// Requests answered between the trigger and recovery, or else the drill's end; `None`: no trigger fired.
    pub answered: Option<u64>,
    /// Requests in that time that were refused or failed.
    pub unanswered: Option<u64>,
    /// Digest of what the clients saw, second by second.
    pub answers: u64,
    /// What harm was done that no circumstance excuses, by the oracle that found it and what it found; and how much of
    /// it, where it is counted.
    pub harm: BTreeMap<String, u64>,
    /// Clients' error rate after recovery, in millionths.
    pub error_rate_ppm: Option<u64>,
    /// Acknowledged trades that are gone.
    pub trades_lost: u64,
    /// Files that the executor saved.
    pub files: u64,
    /// Lines of logs in them.
    pub log_lines: u64,
    /// Steps that ended well, as name and service.
    pub done: BTreeSet<(String, Option<String>)>,
    /// Names of the steps that were carried out, however they ended.
    pub carried_out: BTreeSet<String>,
    /// What weighs most of what was found, if the drill did not pass.
    pub problem: Option<Finding>,
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
        let series = result.time_series.as_deref();
        let between = series.and_then(between);
        // A result counts harm that is not over up to the drill's end.
        let never = series.is_some_and(|series| series.recovered_ms.is_none());
        Self {
            verdict: result.verdicts.overall,
            rto_ms: result.rto_ms,
            impact_ms: result.impact_ms.filter(|_| !never),
            trigger: series.and_then(|series| series.trigger.clone()),
            answered: between.map(|(answered, _)| answered),
            unanswered: between.map(|(_, unanswered)| unanswered),
            answers: digest64(format!("{:?}", series.map(|series| &series.seconds)).as_bytes()),
            harm: result
                .findings
                .iter()
                .filter(|finding| finding.severity() == Some(Severity::Harm))
                .map(|finding| {
                    (
                        format!("{}: {}", finding.oracle(), finding.kind()),
                        extent(finding),
                    )
                })
                .collect(),
            error_rate_ppm: result.error_rate_ppm,
            trades_lost: result.trades_lost(),
            files: result.files.len() as u64,
            log_lines: lines.filter(|line| !line.starts_with("==>")).count() as u64,
            done: result
                .steps
                .iter()
                .filter(|step| step.outcome.is_ok())
                .map(|step| (step.name.clone(), step.service.clone()))
                .collect(),
            carried_out: result.steps.iter().map(|step| step.name.clone()).collect(),
            problem: result.problems().first().map(|&finding| finding.clone()),
            replay: result.replay.clone(),
        }
    }
}

/// How much harm `finding` counts; 1 where it counts none.
fn extent(finding: &Finding) -> u64 {
    match finding {
        Finding::Trades(books) | Finding::Orders(books) => {
            let counts = &books.counts;
            (counts.lost + counts.changed + counts.duplicated).max(1)
        }
        _ => 1,
    }
}

/// Requests answered, and not answered, from the second of the trigger on until the clients saw recovery or the drill
/// ended.
fn between(series: &TimeSeries) -> Option<(u64, u64)> {
    let second = |ms: u64| usize::try_from(ms / 1_000).unwrap_or(usize::MAX);
    let from = second(series.trigger_ms?);
    let to = second(
        series
            .recovered_ms
            .unwrap_or(series.end_ms)
            .saturating_add(999),
    );
    let mut sum = (0, 0);
    for second in series.seconds.iter().take(to).skip(from) {
        sum.0 += u64::from(second.answered);
        sum.1 += u64::from(second.maintenance) + u64::from(second.errors);
    }
    Some(sum)
}

/// The seed of the drill of `scenario` that has the number `seed` in a verify:
/// a stream of its own for each scenario's name.
#[must_use]
pub fn drill_seed(scenario: &Scenario, seed: u64) -> u64 {
    Rng::derive(seed, &format!("verify/{}", scenario.name)).next_u64()
}

/// Whether a drill of the baseline's would be the same under the candidate.
type Alike<'a> = dyn Fn(&Scenario, &DrillResult) -> bool + Sync + 'a;

/// A scenario with the seed of one of its drills.
pub type Case = (Arc<Scenario>, u64);

/// Every scenario with every number of a seed.
fn each(
    scenarios: &[Arc<Scenario>],
    seeds: Range<u64>,
) -> impl Iterator<Item = (&Arc<Scenario>, u64)> {
    scenarios
        .iter()
        .flat_map(move |scenario| seeds.clone().map(move |seed| (scenario, seed)))
}

/// Digest of the scenario that is drilled, seed, runbook's key.
type Key = (u64, u64, u64);

/// Under what a drill of `side` in `scenario` with this very seed is kept.
fn key(side: &RunbookSide, scenario: &Scenario, seed: u64) -> Key {
    (side.drilled_in(scenario).digest(), seed, side.key)
}

/// A candidate's drill that would be as that of a baseline with the same scenario and seed; the baseline's key.
type AlikeTo = (Key, u64);

/// What became of drills that need not be performed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// How many were not performed.
    pub skipped: u64,
    /// How many were performed all the same, and came out as expected.
    pub checked: u64,
    /// One that came out otherwise: so none was skipped. It is a fault of this program.
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
    skipped: BTreeSet<Key>,
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
            skipped: BTreeSet::new(),
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
        side: &RunbookSide,
        scenarios: &[Arc<Scenario>],
        seeds: Range<u64>,
    ) -> Result<(), WorldError> {
        self.perform_beside(side, None, scenarios, seeds)
    }

    /// Performs what is not known yet of `side` in `cases`, whose seeds are the drills' own.
    ///
    /// # Errors
    /// The first [`WorldError`].
    pub fn perform_cases(&mut self, side: &RunbookSide, cases: &[Case]) -> Result<(), WorldError> {
        self.perform_all(side, None, cases)
    }

    /// What is known of a drill with this very seed; `None`: it was not performed.
    #[must_use]
    pub fn get_case(
        &self,
        side: &RunbookSide,
        scenario: &Scenario,
        seed: u64,
    ) -> Option<Arc<Brief>> {
        self.kept.get(&key(side, scenario, seed)).cloned()
    }

    /// Performs what is not known yet of both sides, and spares the candidate what need not be performed.
    ///
    /// # Errors
    /// The first [`WorldError`].
    pub fn perform_pairs(
        &mut self,
        baseline: &RunbookSide,
        candidate: &RunbookSide,
        scenarios: &[Arc<Scenario>],
        seeds: Range<u64>,
    ) -> Result<(), WorldError> {
        // On a cluster no drill is like another.
        let equivalence =
            Equivalence::of(baseline, candidate).filter(|_| self.world == WorldKind::Sim);
        match equivalence {
            Some(equivalence) => {
                let alike = |scenario: &Scenario, result: &DrillResult| {
                    equivalence.holds_in(scenario, result)
                };
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
        baseline: &RunbookSide,
        candidate: &RunbookSide,
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
        for key in std::mem::take(&mut self.skipped) {
            self.kept.remove(&key);
        }
        self.perform(candidate, scenarios, seeds)
    }

    /// Takes over what need not be performed, but for the sample.
    fn spare(
        &mut self,
        baseline: &RunbookSide,
        candidate: &RunbookSide,
        scenarios: &[Arc<Scenario>],
        seeds: Range<u64>,
    ) {
        for (scenario, seed) in each(scenarios, seeds) {
            let drill = drill_seed(scenario, seed);
            let key = key(candidate, scenario, drill);
            let skipped = self.alike.contains(&(key, baseline.key)) && seed % SAMPLE != 0;
            if !skipped || self.kept.contains_key(&key) {
                continue;
            }
            let Some(known) = self.get(baseline, scenario, seed) else {
                continue;
            };
            let brief = Brief {
                replay: self.plan(candidate, scenario, drill).token(),
                ..Brief::clone(&known)
            };
            self.kept.insert(key, Arc::new(brief));
            self.skipped.insert(key);
            (self.finished)();
        }
    }

    /// Drills of the candidate's that were performed to see whether the others need not be.
    fn sampled(
        &self,
        baseline: &RunbookSide,
        candidate: &RunbookSide,
        scenarios: &[Arc<Scenario>],
        seeds: Range<u64>,
    ) -> Vec<(Arc<Scenario>, u64)> {
        each(scenarios, seeds)
            .filter(|(scenario, seed)| {
                let key = key(candidate, scenario, drill_seed(scenario, *seed));
                let alike = self.alike.contains(&(key, baseline.key));
                alike && self.kept.contains_key(&key) && !self.skipped.contains(&key)
            })
            .map(|(scenario, seed)| (Arc::clone(scenario), seed))
            .collect()
    }

    /// What became of the candidate's drills that need not be performed.
    #[must_use]
    pub fn skipped(
        &self,
        baseline: &RunbookSide,
        candidate: &RunbookSide,
        scenarios: &[Arc<Scenario>],
        seeds: Range<u64>,
    ) -> Skipped {
        let keys = each(scenarios, seeds.clone())
            .map(|(scenario, seed)| key(candidate, scenario, drill_seed(scenario, seed)));
        Skipped {
            skipped: keys.filter(|key| self.skipped.contains(key)).count() as u64,
            checked: self.sampled(baseline, candidate, scenarios, seeds).len() as u64,
            mismatch: self.mismatch.clone(),
        }
    }

    fn plan(&self, side: &RunbookSide, scenario: &Arc<Scenario>, seed: u64) -> DrillPlan {
        DrillPlan {
            world: self.world,
            scenario: match side.drilled_in(scenario) {
                Cow::Borrowed(_) => Arc::clone(scenario),
                Cow::Owned(other) => Arc::new(other),
            },
            runbook: side.loaded.clone(),
            seed,
            until: Until::Held,
            executor: side.executor.clone(),
        }
    }

    /// Performs what is not known yet of `side`, and keeps in mind which drills would be the same under a rival.
    fn perform_beside(
        &mut self,
        side: &RunbookSide,
        rival: Option<(&RunbookSide, &Alike<'_>)>,
        scenarios: &[Arc<Scenario>],
        seeds: Range<u64>,
    ) -> Result<(), WorldError> {
        let cases: Vec<Case> = each(scenarios, seeds)
            .map(|(scenario, seed)| (Arc::clone(scenario), drill_seed(scenario, seed)))
            .collect();
        self.perform_all(side, rival, &cases)
    }

    /// The same for `cases`, whose seeds are the drills' own.
    fn perform_all(
        &mut self,
        side: &RunbookSide,
        rival: Option<(&RunbookSide, &Alike<'_>)>,
        cases: &[Case],
    ) -> Result<(), WorldError> {
        let plans: Vec<DrillPlan> = cases
            .iter()
            .filter(|(scenario, seed)| !self.kept.contains_key(&key(side, scenario, *seed)))
            .map(|(scenario, seed)| self.plan(side, scenario, *seed))
            .collect();
        let known: BTreeMap<&str, &Arc<Scenario>> = cases
            .iter()
            .map(|(scenario, _)| (scenario.name.as_str(), scenario))
            .collect();
        let done: Mutex<Vec<(Key, Brief, Option<AlikeTo>)>> = Mutex::new(Vec::new());
        runner::run(&plans, self.jobs, self.stop, false, &|result| {
            if let Some(&scenario) = known.get(result.scenario.as_str()) {
                let alike = rival
                    .filter(|(_, alike)| alike(scenario, result))
                    .map(|(rival, _)| (key(rival, scenario, result.seed), side.key));
                let kept = key(side, scenario, result.seed);
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

    /// What is known of the drill that has the number `seed`; `None` if it was not performed.
    #[must_use]
    pub fn get(&self, side: &RunbookSide, scenario: &Scenario, seed: u64) -> Option<Arc<Brief>> {
        self.get_case(side, scenario, drill_seed(scenario, seed))
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
    fn scenarios_do_not_share_their_seeds() {
        let scenario = |name: &str| built_in(name, &[]).expect("built in").expect("it loads");
        let (a, b) = (scenario("latency-regression"), scenario("api-slow"));
        let seeds = |s: &Scenario| (0..50).map(|n| drill_seed(s, n)).collect::<BTreeSet<_>>();
        assert_eq!(seeds(&a).len(), 50);
        assert!(seeds(&a).is_disjoint(&seeds(&b)));
        assert_eq!(seeds(&a), seeds(&a.clone().with(|s| s.load.markets = 1)));
    }

    #[test]
    fn a_drill_that_is_wrongly_taken_for_like_has_all_performed() {
        let side = |text: &str| RunbookSide::parse("runbook.md", text).expect("it loads");
        let late = BUILT_IN.replace("config.changed", "deployment.paused");
        let (old, new) = (side(BUILT_IN), side(&late));
        let scenario = built_in("latency-regression", &[]).expect("it is built in");
        let scenarios = [Arc::new(scenario.expect("it loads"))];
        let stop = AtomicBool::new(false);
        let mut runs = Runs::new(WorldKind::Sim, 2, &stop, &|| {});
        runs.perform_alike(&old, &new, &|_, _| true, &scenarios, 15..18)
            .expect("the simulated world builds");
        let skipped = runs.skipped(&old, &new, &scenarios, 15..18);
        let mismatch = skipped.mismatch.expect("seed 16 is performed");
        assert!(
            mismatch.contains("latency-regression, seed 16"),
            "{mismatch}"
        );
        assert_eq!((skipped.skipped, runs.performed()), (0, 6));
        for seed in 15..18 {
            let verdicts = [&old, &new].map(|side| runs.get(side, &scenarios[0], seed));
            let verdicts = verdicts.map(|brief| brief.expect("performed").verdict);
            assert_eq!(verdicts, [Verdict::Pass, Verdict::Fail]);
        }
    }
}
