//! Numbers over all drills of a scenario.

use std::collections::{BTreeMap, BTreeSet};

use super::journal::Drill;
use crate::drill::DrillResult;
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
    /// Median RTO, of the drills that recovered.
    pub rto_p50_ms: Option<u64>,
    /// 99th percentile.
    pub rto_p99_ms: Option<u64>,
    /// Worst.
    pub rto_max_ms: Option<u64>,
    /// Worst error rate after recovery.
    pub error_rate_max_ppm: Option<u64>,
    /// Requests after recovery, summed.
    pub requests_after_recovery: u64,
    /// Acknowledged trades, summed.
    pub trades_acknowledged: u64,
    /// Lost trades, summed.
    pub trades_lost: u64,
    /// Median impact.
    pub impact_p50_ms: Option<u64>,
    /// Worst impact.
    pub impact_max_ms: Option<u64>,
}

impl ScenarioSummary {
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
    rto_ms: Option<u64>,
    impact_ms: Option<u64>,
    error_rate_ppm: Option<u64>,
    requests_after_recovery: u64,
    trades_acknowledged: u64,
    trades_lost: u64,
}

/// One summary for each scenario and world, in the order of their first drills.
#[must_use]
pub fn by_scenario(results: &[DrillResult]) -> Vec<ScenarioSummary> {
    summaries(results.iter().map(|r| Row {
        scenario: &r.scenario,
        world: r.world,
        verdict: r.verdicts.overall,
        rto_ms: r.rto_ms,
        impact_ms: r.impact_ms,
        error_rate_ppm: r.error_rate_ppm,
        requests_after_recovery: r.requests_after_recovery,
        trades_acknowledged: r.trades_acknowledged,
        trades_lost: r.trades_lost,
    }))
}

/// The same of a journal's drills.
#[must_use]
pub fn by_scenario_of(drills: &[Drill<'_>]) -> Vec<ScenarioSummary> {
    summaries(drills.iter().map(|d| Row {
        scenario: &d.scenario,
        world: d.world,
        verdict: d.verdict,
        rto_ms: d.rto_ms,
        impact_ms: d.impact_ms,
        error_rate_ppm: d.error_rate_ppm,
        requests_after_recovery: d.requests_after_recovery,
        trades_acknowledged: d.trades_acknowledged,
        trades_lost: d.trades_lost,
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

fn summarise(label: String, rows: &[Row<'_>]) -> ScenarioSummary {
    let count = |v| rows.iter().filter(|r| r.verdict == v).count();
    let mut rtos: Vec<u64> = rows.iter().filter_map(|r| r.rto_ms).collect();
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
        recovered: rtos.len(),
        rto_p50_ms: percentile(&mut rtos, 50),
        rto_p99_ms: percentile(&mut rtos, 99),
        rto_max_ms: percentile(&mut rtos, 100),
        error_rate_max_ppm: rows.iter().filter_map(|r| r.error_rate_ppm).max(),
        requests_after_recovery: sum(|r| r.requests_after_recovery),
        trades_acknowledged: sum(|r| r.trades_acknowledged),
        trades_lost: sum(|r| r.trades_lost),
        impact_p50_ms: percentile(&mut impacts, 50),
        impact_max_ms: percentile(&mut impacts, 100),
    }
}
