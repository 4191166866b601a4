//! The pairs of one scenario, in numbers.

use std::sync::Arc;

use serde::Serialize;

use super::canonical::Side;
use super::interval::{Difference, Statistic, difference};
use super::plans;
use super::runs::{Brief, Runs};
use crate::scenario::Scenario;
use crate::verdict::Verdict;

/// How many pairs ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Both passed.
    pub both_pass: u64,
    /// The baseline passed and the candidate failed.
    pub newly_failing: u64,
    /// The baseline failed and the candidate passed.
    pub newly_passing: u64,
    /// Both failed.
    pub both_fail: u64,
    /// The baseline was conclusive and the candidate is not.
    pub newly_inconclusive: u64,
    /// The baseline was inconclusive already.
    pub inconclusive: u64,
}

impl Counts {
    /// Pairs that show that the candidate works.
    #[must_use]
    pub fn shown(&self) -> u64 {
        self.both_pass + self.newly_passing
    }

    /// Whether no pair tells the two apart or shows that either works.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.shown() + self.newly_failing + self.newly_inconclusive == 0
    }
}

/// What a number measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// Millionths, added up over drills.
    Ppm,
    /// A count.
    Count,
}

/// One measure of both runbooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Measure {
    /// Its name.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Both values and the difference's interval.
    pub difference: Difference,
    /// How many pairs it rests on.
    pub pairs: u64,
}

/// A pair of drills with the same scenario and seed.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The seed of both.
    pub seed: u64,
    /// The baseline's drill.
    pub baseline: Arc<Brief>,
    /// The candidate's drill.
    pub candidate: Arc<Brief>,
}

impl Pair {
    /// Whether the baseline passes where the candidate fails.
    #[must_use]
    pub fn is_newly_failing(&self) -> bool {
        self.baseline.verdict == Verdict::Pass && self.candidate.verdict == Verdict::Fail
    }
}

/// All pairs of one scenario.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// How its pairs ended.
    pub counts: Counts,
    /// Its measures.
    pub measures: Vec<Measure>,
    /// Its pairs, by seed.
    pub pairs: Vec<Pair>,
}

impl Comparison {
    /// The measure called `name`.
    #[must_use]
    pub fn measure(&self, name: &str) -> Option<&Measure> {
        self.measures.iter().find(|m| m.name == name)
    }

    /// The first new failure, in the order of seeds.
    #[must_use]
    pub fn first_newly_failing(&self) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.is_newly_failing())
    }

    /// Compares what is known of both sides.
    #[must_use]
    pub fn of(
        runs: &Runs<'_>,
        baseline: &Side,
        candidate: &Side,
        scenario: &Arc<Scenario>,
        seeds: std::ops::Range<u64>,
        alpha_ppm: u64,
    ) -> Self {
        let pairs: Vec<Pair> = seeds
            .filter_map(|seed| {
                Some(Pair {
                    seed,
                    baseline: runs.get(baseline, scenario, seed)?,
                    candidate: runs.get(candidate, scenario, seed)?,
                })
            })
            .collect();
        let left = [
            left_to_people(scenario, baseline),
            left_to_people(scenario, candidate),
        ];
        let measures = measures(&pairs, &left, alpha_ppm);
        Self {
            scenario: Arc::clone(scenario),
            counts: count(&pairs),
            measures,
            pairs,
        }
    }
}

fn count(pairs: &[Pair]) -> Counts {
    use Verdict::{Fail, Inconclusive, Pass};
    let mut counts = Counts::default();
    for pair in pairs {
        *match (pair.baseline.verdict, pair.candidate.verdict) {
            (Pass, Pass) => &mut counts.both_pass,
            (Pass, Fail) => &mut counts.newly_failing,
            (Fail, Pass) => &mut counts.newly_passing,
            (Fail, Fail) => &mut counts.both_fail,
            (Pass | Fail, Inconclusive) => &mut counts.newly_inconclusive,
            (Inconclusive, _) => &mut counts.inconclusive,
        } += 1;
    }
    counts
}

/// What of a scenario's rollback a person has to do if the executor has done `done`: the steps of the plan that did not end
/// well. Without a plan, all of the runbook's.
fn left_to_people(scenario: &Scenario, side: &Side) -> impl Fn(&Brief) -> u64 + use<> {
    let steps: Vec<(String, Option<String>)> = match plans::plan(scenario, side.runbook()) {
        Some(Ok(plan)) => plan
            .steps
            .into_iter()
            .map(|s| (s.name, s.service))
            .collect(),
        // Nothing is to be done, and so nothing is left.
        None if scenario.expect.trigger.is_none() => Vec::new(),
        _ => side
            .runbook()
            .steps
            .iter()
            .map(|s| (s.name.clone(), None))
            .collect(),
    };
    move |brief| {
        steps
            .iter()
            .filter(|step| !brief.done.contains(*step))
            .count() as u64
    }
}

fn measures(pairs: &[Pair], left: &[impl Fn(&Brief) -> u64; 2], alpha_ppm: u64) -> Vec<Measure> {
    let conclusive: Vec<&Pair> = pairs
        .iter()
        .filter(|p| {
            p.baseline.verdict != Verdict::Inconclusive
                && p.candidate.verdict != Verdict::Inconclusive
        })
        .collect();
    let passed: Vec<&Pair> = conclusive
        .iter()
        .filter(|p| p.baseline.verdict == Verdict::Pass && p.candidate.verdict == Verdict::Pass)
        .copied()
        .collect();
    let known = |value: fn(&Brief) -> Option<u64>| -> Vec<(u64, u64)> {
        let pairs = passed.iter();
        pairs
            .filter_map(|p| Some((value(&p.baseline)?, value(&p.candidate)?)))
            .collect()
    };
    let every = |value: fn(&Brief) -> u64| -> Vec<(u64, u64)> {
        conclusive
            .iter()
            .map(|p| (value(&p.baseline), value(&p.candidate)))
            .collect()
    };
    let (rto, impact) = (known(|b| b.rto_ms), known(|b| b.impact_ms));
    let people = conclusive
        .iter()
        .map(|p| (left[0](&p.baseline), left[1](&p.candidate)))
        .collect();
    let all = [
        (RTO_MEDIAN, Unit::Ms, &rto, Statistic::Percentile(50)),
        (RTO_P99, Unit::Ms, &rto, Statistic::Percentile(99)),
        ("RTO worst", Unit::Ms, &rto, Statistic::Percentile(100)),
        (
            "impact median",
            Unit::Ms,
            &impact,
            Statistic::Percentile(50),
        ),
        (IMPACT_P99, Unit::Ms, &impact, Statistic::Percentile(99)),
        (
            "errors after recovery, worst",
            Unit::Ppm,
            &known(|b| b.error_rate_ppm),
            Statistic::Percentile(100),
        ),
        (
            "trades lost",
            Unit::Count,
            &every(|b| b.trades_lost),
            Statistic::Sum,
        ),
        (
            "files kept, fewest",
            Unit::Count,
            &every(|b| b.files),
            Statistic::Percentile(0),
        ),
        (
            "log lines kept, median",
            Unit::Count,
            &every(|b| b.log_lines),
            Statistic::Percentile(50),
        ),
        (
            "steps left to a person",
            Unit::Count,
            &people,
            Statistic::Sum,
        ),
    ];
    all.into_iter()
        .filter_map(|(name, unit, pairs, statistic)| {
            Some(Measure {
                name,
                unit,
                difference: difference(pairs, statistic, alpha_ppm)?,
                pairs: pairs.len() as u64,
            })
        })
        .collect()
}

/// Names of measures that decide or are pointed out.
pub(super) const RTO_MEDIAN: &str = "RTO median";
pub(super) const RTO_P99: &str = "RTO p99";
pub(super) const IMPACT_P99: &str = "impact p99";
