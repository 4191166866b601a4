//! Numbers over all drills of a scenario.

use std::collections::BTreeMap;

use crate::drill::DrillResult;
use crate::stats::percentile;
use crate::verdict::Verdict;

/// Numbers over the drills of one scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScenarioSummary {
    /// Scenario's name.
    pub scenario: String,
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

/// One summary for each scenario, in the order of their first drills.
#[must_use]
pub fn by_scenario(results: &[DrillResult]) -> Vec<ScenarioSummary> {
    let mut order: Vec<&str> = Vec::new();
    let mut groups: BTreeMap<&str, Vec<&DrillResult>> = BTreeMap::new();
    for result in results {
        let group = groups.entry(&result.scenario).or_default();
        if group.is_empty() {
            order.push(&result.scenario);
        }
        group.push(result);
    }
    order
        .into_iter()
        .map(|name| summarise(name, &groups[name]))
        .collect()
}

fn summarise(scenario: &str, results: &[&DrillResult]) -> ScenarioSummary {
    let count = |v| results.iter().filter(|r| r.verdicts.overall == v).count();
    let mut rtos: Vec<u64> = results.iter().filter_map(|r| r.rto_ms).collect();
    let mut impacts: Vec<u64> = results.iter().filter_map(|r| r.impact_ms).collect();
    let sum = |f: fn(&DrillResult) -> u64| results.iter().map(|r| f(r)).sum();
    ScenarioSummary {
        scenario: scenario.to_owned(),
        drills: results.len(),
        passed: count(Verdict::Pass),
        failed: count(Verdict::Fail),
        inconclusive: count(Verdict::Inconclusive),
        recovered: rtos.len(),
        rto_p50_ms: percentile(&mut rtos, 50),
        rto_p99_ms: percentile(&mut rtos, 99),
        rto_max_ms: percentile(&mut rtos, 100),
        error_rate_max_ppm: results.iter().filter_map(|r| r.error_rate_ppm).max(),
        requests_after_recovery: sum(|r| r.requests_after_recovery),
        trades_acknowledged: sum(|r| r.trades_acknowledged),
        trades_lost: sum(|r| r.trades_lost),
        impact_p50_ms: percentile(&mut impacts, 50),
        impact_max_ms: percentile(&mut impacts, 100),
    }
}
