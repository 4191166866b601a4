//! Numbers over all drills of a scenario.

use std::collections::{BTreeMap, BTreeSet};

use super::journal::Drill;
use super::kept::Kept;
use crate::drill::{DrillResult, Ending};
use crate::stats::percentile;
use crate::verdict::Verdict;
use crate::worlds::WorldKind;

/// Numbers over the drills of one scenario in one world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioSummary {
    /// Scenario's name.
    pub scenario: String,
    /// World.
    pub world: WorldKind,
    /// What tells it apart from the others: the scenario, and the world where there are two.
    pub label: String,
    /// Number of drills.
    pub drills: usize,
    /// Passed.
    pub passed: usize,
    /// Failed.
    pub failed: usize,
    /// Inconclusive.
    pub inconclusive: usize,
    /// Drills in which recovery was measured.
    pub recovered: usize,
    /// Drills that had something to recover from, and never did.
    pub never: usize,
    /// Those of `never` in which a person was rightly called.
    pub escalated: usize,
    /// Median recovery time. Drills that never recovered and should have count as the slowest:
    /// `None` where the median is one of them.
    pub rto_p50_ms: Option<u64>,
    /// 99th percentile.
    pub rto_p99_ms: Option<u64>,
    /// Worst.
    pub rto_max_ms: Option<u64>,
    /// What the times to recover are held against; `None`: not the same in all drills.
    pub rto_limit_ms: Option<u64>,
    /// Worst error rate after recovery.
    pub error_rate_max_ppm: Option<u64>,
    /// Requests after recovery, summed.
    pub requests_after_recovery: u64,
    /// Acknowledged trades, summed. An application that is not the exchange has none.
    pub trades_acknowledged: u64,
    /// Lost trades, summed.
    pub trades_lost: u64,
    /// What was acknowledged and what of it was lost, trades or not, summed.
    pub kept: Kept,
    /// Median impact.
    pub impact_p50_ms: Option<u64>,
    /// Worst impact.
    pub impact_max_ms: Option<u64>,
}

impl ScenarioSummary {
    /// What stands where a time to recover would, if there is none.
    #[must_use]
    pub fn no_rto(&self) -> &'static str {
        match (self.never - self.escalated, self.escalated) {
            (1.., _) => "never",
            (0, 1..) => Ending::Escalated.as_str(),
            (0, 0) => Ending::NothingToRecover.as_str(),
        }
    }

    /// How many of the drills never recovered, if any should have: `2 of 10 never recovered`.
    #[must_use]
    pub fn never_told(&self) -> Option<String> {
        let n = self.never - self.escalated;
        (n > 0).then(|| format!("{n} of {} never recovered", self.drills))
    }

    /// The worst verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match (self.failed, self.inconclusive, self.passed) {
            (0, 0, 1..) => Verdict::Pass,
            (0, _, _) => Verdict::Inconclusive,
            _ => Verdict::Fail,
        }
    }
}

/// What is summed of a drill.
struct Row<'a> {
    scenario: &'a str,
    world: WorldKind,
    verdict: Verdict,
    ending: Ending,
    rto_ms: Option<u64>,
    rto_limit_ms: u64,
    impact_ms: Option<u64>,
    error_rate_ppm: Option<u64>,
    requests_after_recovery: u64,
    trades_acknowledged: u64,
    trades_lost: u64,
    kept: Kept,
}

/// One summary for each scenario and world, in the order of their first drills.
#[must_use]
pub fn by_scenario(results: &[DrillResult]) -> Vec<ScenarioSummary> {
    summaries(results.iter().map(|r| Row {
        scenario: &r.scenario,
        world: r.world,
        verdict: r.verdicts.overall,
        ending: r.ending,
        rto_ms: r.rto_ms,
        rto_limit_ms: r.rto_max_ms,
        impact_ms: r.impact_ms,
        error_rate_ppm: r.error_rate_ppm,
        requests_after_recovery: r.requests_after_recovery,
        trades_acknowledged: r.trades.acknowledged,
        trades_lost: r.trades_lost(),
        kept: Kept::of_result(r),
    }))
}

/// The same of a journal's drills.
#[must_use]
pub fn by_scenario_of(drills: &[Drill<'_>]) -> Vec<ScenarioSummary> {
    summaries(drills.iter().map(|d| Row {
        scenario: &d.scenario,
        world: d.world,
        verdict: d.verdict,
        ending: d.ending,
        rto_ms: d.rto_ms,
        rto_limit_ms: d.rto_max_ms,
        impact_ms: d.impact_ms,
        error_rate_ppm: d.error_rate_ppm,
        requests_after_recovery: d.requests_after_recovery,
        trades_acknowledged: d.trades_acknowledged,
        trades_lost: d.trades_lost,
        kept: Kept::of_drill(d),
    }))
}

fn summaries<'a>(rows: impl Iterator<Item = Row<'a>>) -> Vec<ScenarioSummary> {
    let mut order: Vec<(&str, WorldKind)> = Vec::new();
    let mut groups: BTreeMap<(&str, WorldKind), Vec<Row<'_>>> = BTreeMap::new();
    let mut worlds: BTreeMap<&str, BTreeSet<WorldKind>> = BTreeMap::new();
    for row in rows {
        let key = (row.scenario, row.world);
        worlds.entry(row.scenario).or_default().insert(row.world);
        let group = groups.entry(key).or_default();
        if group.is_empty() {
            order.push(key);
        }
        group.push(row);
    }
    order
        .into_iter()
        .map(|key| {
            let (scenario, world) = key;
            let label = if worlds[scenario].len() > 1 {
                format!("{scenario} in {world}")
            } else {
                scenario.to_owned()
            };
            summarise(label, &groups[&key])
        })
        .collect()
}

/// Stands for a drill that never recovered: slower than any that did.
const NEVER: u64 = u64::MAX;

fn summarise(label: String, rows: &[Row<'_>]) -> ScenarioSummary {
    let count = |v| rows.iter().filter(|r| r.verdict == v).count();
    let lasting = |r: &&Row<'_>| matches!(r.ending, Ending::Escalated | Ending::NeverRecovered);
    // Where a person had to be called there is no time to recover, neither a short one nor a long one.
    let rightly_called = |r: &&Row<'_>| r.ending == Ending::Escalated && r.verdict == Verdict::Pass;
    let never = rows.iter().filter(lasting).count();
    let escalated = rows.iter().filter(rightly_called).count();
    let recovered = rows.iter().filter(|r| r.rto_ms.is_some()).count();
    let mut rtos: Vec<u64> = rows.iter().filter_map(|r| r.rto_ms).collect();
    rtos.extend(std::iter::repeat_n(NEVER, never - escalated));
    let finite = |ms: Option<u64>| ms.filter(|&ms| ms != NEVER);
    let mut impacts: Vec<u64> = rows.iter().filter_map(|r| r.impact_ms).collect();
    // A journal may come from anywhere: its numbers must not overflow.
    let sum = |f: fn(&Row<'_>) -> u64| rows.iter().map(f).fold(0, u64::saturating_add);
    ScenarioSummary {
        scenario: rows[0].scenario.to_owned(),
        world: rows[0].world,
        label,
        drills: rows.len(),
        passed: count(Verdict::Pass),
        failed: count(Verdict::Fail),
        inconclusive: count(Verdict::Inconclusive),
        recovered,
        never,
        escalated,
        rto_p50_ms: finite(percentile(&mut rtos, 50)),
        rto_p99_ms: finite(percentile(&mut rtos, 99)),
        rto_max_ms: finite(percentile(&mut rtos, 100)),
        rto_limit_ms: rows
            .iter()
            .all(|r| r.rto_limit_ms == rows[0].rto_limit_ms)
            .then_some(rows[0].rto_limit_ms),
        error_rate_max_ppm: rows.iter().filter_map(|r| r.error_rate_ppm).max(),
        requests_after_recovery: sum(|r| r.requests_after_recovery),
        trades_acknowledged: sum(|r| r.trades_acknowledged),
        trades_lost: sum(|r| r.trades_lost),
        kept: Kept::sum(rows.iter().map(|r| r.kept)),
        impact_p50_ms: percentile(&mut impacts, 50),
        impact_max_ms: percentile(&mut impacts, 100),
    }
}
