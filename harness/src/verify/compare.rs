//! The pairs of one scenario, in numbers.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use super::Margin;
use super::canonical::RunbookSide;
use super::exact::{NEVER, at_least, median_interval, upper_bound};
use super::plans;
use super::runs::{Brief, Runs, drill_seed};
use crate::scenario::{Expected, Scenario};
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
    /// The baseline was inconclusive already, and the candidate did not fail.
    pub inconclusive: u64,
    /// The baseline was inconclusive, and the candidate failed.
    pub failing_where_unknown: u64,
    /// The candidate does harm that the baseline does not do; such a pair is also among the others.
    pub newly_harmful: u64,
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
        let told_apart = self.newly_failing
            + self.failing_where_unknown
            + self.newly_inconclusive
            + self.newly_harmful;
        self.shown() + told_apart == 0
    }
}

/// What a number measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// Millionths.
    Ppm,
    /// A count.
    Count,
}

/// A measure that may get worse by no more than a margin. Each grows as it gets worse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Measure {
    /// Its name.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// The baseline's median; [`NEVER`]: it mostly did not recover.
    pub baseline: i64,
    /// The candidate's median.
    pub candidate: i64,
    /// How many pairs it rests on.
    pub pairs: u64,
    /// Pairs that are worse by more than their margin.
    pub worse: u64,
    /// Pairs that are better by more than their margin.
    pub better: u64,
    /// The smallest margin of its pairs.
    pub margin: i64,
    /// The median of the paired differences, candidate less baseline, and its interval at 95 %,
    /// if there are enough pairs.
    pub difference: (i64, Option<(i64, i64)>),
    /// What 99 % of the paired differences do not exceed, at 95 %; `None`: not shown by so few pairs.
    pub p99_at_most: Option<i64>,
    /// Drills that never recovered: the baseline's and the candidate's.
    pub never: (u64, u64),
}

impl Measure {
    /// The p-value of the sign test: so many worse pairs, or more,
    /// were the candidate worse in at most half of all drills.
    #[must_use]
    pub fn sign_test(&self) -> f64 {
        at_least(self.worse, self.pairs, 0.5)
    }

    /// The same, were it worse in at most `ppm` millionths of all drills.
    #[must_use]
    pub fn share_test(&self, ppm: u32) -> f64 {
        at_least(self.worse, self.pairs, f64::from(ppm) / 1_000_000.0)
    }
}

/// A number that decides nothing by itself; a person may want to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Number {
    /// Its name.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// The baseline's.
    pub baseline: u64,
    /// The candidate's.
    pub candidate: u64,
}

/// A pair of drills with the same scenario and seed.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The seed of both drills.
    pub seed: u64,
    /// The baseline's drill.
    pub baseline: Arc<Brief>,
    /// The candidate's drill.
    pub candidate: Arc<Brief>,
    /// Whether another pair has the same two courses, so that this one adds nothing to it.
    pub is_repeat: bool,
}

impl Pair {
    /// Whether the baseline passes where the candidate fails.
    #[must_use]
    pub fn is_newly_failing(&self) -> bool {
        self.baseline.verdict == Verdict::Pass && self.candidate.verdict == Verdict::Fail
    }

    /// Harm that the candidate does and the baseline does not, or not half as much of,
    /// whatever else came of the two drills.
    pub fn new_harm(&self) -> impl Iterator<Item = &str> {
        let harm = self.candidate.harm.iter().filter(|(what, extent)| {
            let before = self.baseline.harm.get(*what);
            before.is_none_or(|before| **extent > 2 * before)
        });
        harm.map(|(what, _)| what.as_str())
    }

    /// Whether the candidate could have failed newly, as the baseline passes, and did not.
    fn stays_sound(&self) -> bool {
        self.candidate.verdict == Verdict::Pass && self.baseline.verdict == Verdict::Pass
    }
}

/// All pairs of one scenario.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// How its pairs ended.
    pub counts: Counts,
    /// What may get worse by no more than a margin.
    pub measures: Vec<Measure>,
    /// Other numbers.
    pub numbers: Vec<Number>,
    /// Pairs that both pass, so that the candidate could have failed newly and did not, and whose courses no other
    /// pair has.
    pub distinct: u64,
    /// Its pairs, by number of the seed.
    pub pairs: Vec<Pair>,
}

impl Comparison {
    /// The measure called `name`.
    #[must_use]
    pub fn measure(&self, name: &str) -> Option<&Measure> {
        self.measures.iter().find(|m| m.name == name)
    }

    /// The number called `name`.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<&Number> {
        self.numbers.iter().find(|n| n.name == name)
    }

    /// The first new failure, in the order of seeds.
    #[must_use]
    pub fn first_newly_failing(&self) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.is_newly_failing())
    }

    /// Compares what is known of both sides. `seen` holds the courses of pairs that were met before,
    /// in other scenarios too.
    #[must_use]
    pub fn of(
        runs: &Runs<'_>,
        baseline: &RunbookSide,
        candidate: &RunbookSide,
        scenario: &Arc<Scenario>,
        seeds: std::ops::Range<u64>,
        margin: Margin,
        seen: &mut BTreeSet<(u64, u64)>,
    ) -> Self {
        let pairs: Vec<Pair> = seeds
            .filter_map(|seed| {
                let old = runs.get(baseline, scenario, seed)?;
                let new = runs.get(candidate, scenario, seed)?;
                Some(Pair {
                    seed: drill_seed(scenario, seed),
                    is_repeat: !seen.insert((old.answers, new.answers)),
                    baseline: old,
                    candidate: new,
                })
            })
            .collect();
        // A step that only the candidate has leaves nobody with more to do than before.
        let steps = baseline.runbook().steps.iter();
        let known: BTreeSet<&str> = steps.map(|s| s.name.as_str()).collect();
        let left = [
            left_to_people(scenario, baseline, &known),
            left_to_people(scenario, candidate, &known),
        ];
        Self {
            scenario: Arc::clone(scenario),
            counts: count(&pairs),
            measures: measures(scenario, &pairs, margin),
            numbers: numbers(&pairs, &left),
            distinct: distinct(&pairs),
            pairs,
        }
    }
}

/// Pairs in which the candidate could have failed newly and did not. Those whose clients saw the same count once.
fn distinct(pairs: &[Pair]) -> u64 {
    let sound = pairs.iter().filter(|p| p.stays_sound() && !p.is_repeat);
    sound.count() as u64
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
            (Inconclusive, Fail) => &mut counts.failing_where_unknown,
            (Inconclusive, _) => &mut counts.inconclusive,
        } += 1;
        counts.newly_harmful += u64::from(pair.new_harm().next().is_some());
    }
    counts
}

/// What of a scenario's rollback a person has to do if the executor has done `done`: the steps of the plan that did not
/// end well. Without a plan, all of the runbook's.
fn left_to_people(
    scenario: &Scenario,
    side: &RunbookSide,
    counted: &BTreeSet<&str>,
) -> impl Fn(&Brief) -> u64 + use<> {
    let mut steps: Vec<(String, Option<String>)> = match plans::plan(scenario, side.runbook()) {
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
    steps.retain(|(name, _)| counted.contains(name.as_str()));
    move |brief| {
        steps
            .iter()
            .filter(|step| !brief.done.contains(*step))
            .count() as u64
    }
}

/// Values of both sides, and the margin of their difference.
type Values = (u64, u64, i64);

/// Pairs that show something on both sides.
fn conclusive(pairs: &[Pair]) -> Vec<&Pair> {
    let shows = |brief: &Brief| brief.verdict != Verdict::Inconclusive;
    let pairs = pairs.iter();
    pairs
        .filter(|p| shows(&p.baseline) && shows(&p.candidate))
        .collect()
}

fn measures(scenario: &Scenario, pairs: &[Pair], margin: Margin) -> Vec<Measure> {
    // Who is expected to recover and never does is the slowest of all.
    let recovers =
        scenario.expect.trigger.is_some() && scenario.expect.outcome == Expected::Recovered;
    let mut pairs = conclusive(pairs);
    pairs.retain(|pair| !pair.is_repeat);
    let times = |value: fn(&Brief) -> Option<u64>| -> Vec<Values> {
        let both = pairs
            .iter()
            .map(|p| (value(&p.baseline), value(&p.candidate)));
        both.filter(|(a, b)| recovers || (a.is_some() && b.is_some()))
            .map(|(a, b)| {
                let margin = a.map_or(0, |a| margin.of(i64::try_from(a).unwrap_or(NEVER)));
                (a.unwrap_or(u64::MAX), b.unwrap_or(u64::MAX), margin)
            })
            .collect()
    };
    // As many requests as clients send while a recovery may be longer.
    let requests = |baseline: u64| {
        let least = margin.least.as_millis() * u128::from(scenario.load.rate_per_s) / 1_000;
        let share = u128::from(baseline) * u128::from(margin.percent) / 100;
        i64::try_from(least.max(share)).unwrap_or(NEVER)
    };
    let unanswered = pairs
        .iter()
        .filter_map(|p| Some((p.baseline.unanswered?, p.candidate.unanswered?)))
        .map(|(a, b)| (a, b, requests(a)))
        .collect();
    let all = [
        (RECOVERY_TIME, Unit::Ms, times(|b| b.rto_ms)),
        (IMPACT, Unit::Ms, times(|b| b.impact_ms)),
        (UNANSWERED, Unit::Count, unanswered),
    ];
    all.into_iter()
        .filter_map(|(name, unit, values)| measure(name, unit, &values))
        .collect()
}

fn measure(name: &'static str, unit: Unit, values: &[Values]) -> Option<Measure> {
    let signed = |value: u64| i64::try_from(value).unwrap_or(NEVER);
    let difference = |&(a, b, _): &Values| match (a, b) {
        (u64::MAX, u64::MAX) => 0,
        (_, u64::MAX) => NEVER,
        (u64::MAX, _) => -NEVER,
        (a, b) => signed(b) - signed(a),
    };
    let mut differences: Vec<i64> = values.iter().map(difference).collect();
    let beyond = |sign: i64| {
        let pairs = values.iter().zip(&differences);
        pairs
            .filter(|((.., margin), d)| sign * **d > *margin)
            .count() as u64
    };
    let (worse, better) = (beyond(1), beyond(-1));
    let middle = |side: fn(&Values) -> u64| {
        let mut of: Vec<i64> = values.iter().map(|v| signed(side(v))).collect();
        median(&mut of)
    };
    let never = |side: fn(&Values) -> u64| values.iter().filter(|v| side(v) == u64::MAX).count();
    Some(Measure {
        name,
        unit,
        baseline: middle(|v| v.0)?,
        candidate: middle(|v| v.1)?,
        pairs: values.len() as u64,
        worse,
        better,
        margin: values.iter().map(|v| v.2).min()?,
        p99_at_most: upper_bound(&mut differences, 990_000),
        difference: (median(&mut differences)?, median_interval(&mut differences)),
        never: (never(|v| v.0) as u64, never(|v| v.1) as u64),
    })
}

/// The lower of the two in the middle, which one that never ends does not spoil.
fn median(values: &mut [i64]) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

fn numbers(pairs: &[Pair], left: &[impl Fn(&Brief) -> u64; 2]) -> Vec<Number> {
    let conclusive = conclusive(pairs);
    if conclusive.is_empty() {
        return Vec::new();
    }
    let both = |of: &dyn Fn(Vec<u64>) -> u64, value: &dyn Fn(&Brief) -> u64| {
        (
            of(conclusive.iter().map(|p| value(&p.baseline)).collect()),
            of(conclusive.iter().map(|p| value(&p.candidate)).collect()),
        )
    };
    let sum = |values: Vec<u64>| values.into_iter().sum();
    let worst = |values: Vec<u64>| values.into_iter().max().unwrap_or(0);
    let fewest = |values: Vec<u64>| values.into_iter().min().unwrap_or(0);
    let middle = |mut values: Vec<u64>| crate::stats::median(&mut values).unwrap_or(0);
    let people = (
        conclusive.iter().map(|p| left[0](&p.baseline)).sum(),
        conclusive.iter().map(|p| left[1](&p.candidate)).sum(),
    );
    let all = [
        (
            ANSWERED,
            Unit::Count,
            both(&middle, &|b| b.answered.unwrap_or(0)),
        ),
        (
            "errors after recovery, worst",
            Unit::Ppm,
            both(&worst, &|b| b.error_rate_ppm.unwrap_or(0)),
        ),
        ("trades lost", Unit::Count, both(&sum, &|b| b.trades_lost)),
        (FILES, Unit::Count, both(&fewest, &|b| b.files)),
        (LOG_LINES, Unit::Count, both(&middle, &|b| b.log_lines)),
        (LEFT, Unit::Count, people),
    ];
    all.into_iter()
        .map(|(name, unit, (baseline, candidate))| Number {
            name,
            unit,
            baseline,
            candidate,
        })
        .collect()
}

/// Names of what decides or is pointed out.
pub(super) const RECOVERY_TIME: &str = "recovery time";
pub(super) const IMPACT: &str = "impact";
pub(super) const UNANSWERED: &str = "requests not answered between trigger and recovery";
pub(super) const ANSWERED: &str = "requests answered between trigger and recovery, median";
pub(super) const FILES: &str = "files kept, fewest";
pub(super) const LOG_LINES: &str = "log lines kept, median";
pub(super) const LEFT: &str = "steps left to a person";

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What a drill of that verdict came to, and nothing else of it.
    pub(in crate::verify) fn brief(verdict: Verdict) -> Arc<Brief> {
        Arc::new(Brief {
            verdict,
            rto_ms: None,
            impact_ms: None,
            trigger: None,
            answered: None,
            unanswered: None,
            answers: 0,
            harm: BTreeMap::new(),
            error_rate_ppm: None,
            trades_lost: 0,
            files: 0,
            log_lines: 0,
            done: BTreeSet::new(),
            carried_out: BTreeSet::new(),
            problem: None,
            replay: String::new(),
        })
    }

    #[test]
    fn only_where_the_baseline_passes_can_a_drill_fail_newly() {
        use Verdict::{Fail, Inconclusive, Pass};
        let pair = |(baseline, candidate, is_repeat)| Pair {
            seed: 1,
            baseline: brief(baseline),
            candidate: brief(candidate),
            is_repeat,
        };
        let pairs = [
            (Pass, Pass, false),
            (Pass, Pass, true),
            (Pass, Fail, false),
            // It passes newly, and says nothing of how often one fails newly.
            (Fail, Pass, false),
            (Inconclusive, Pass, false),
            (Inconclusive, Fail, false),
        ];
        let pairs: Vec<Pair> = pairs.into_iter().map(pair).collect();
        assert_eq!(distinct(&pairs), 1);
        let counts = count(&pairs);
        assert_eq!((counts.newly_failing, counts.newly_passing), (1, 1));
        assert_eq!((counts.failing_where_unknown, counts.inconclusive), (1, 1));
        assert_eq!(counts.shown(), 3);
    }
}
