//! `journal.json`: every drill and the summary, schema `firedrill/1`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::summary::by_scenario;
use crate::drill::DrillResult;
use crate::evidence::Ms;
use crate::verdict::{Finding, Stage, Verdict};
use crate::worlds::WorldKind;

/// The schema's name and version.
pub const SCHEMA: &str = "firedrill/1";

/// The whole file.
#[derive(Debug, Serialize)]
pub struct Journal<'a> {
    schema: &'static str,
    drills: Vec<Drill<'a>>,
    summary: Summary,
}

/// One drill. `null` stands for what was not measured: no RTO where nothing recovered.
#[derive(Debug, Serialize)]
struct Drill<'a> {
    scenario: &'a str,
    seed: u64,
    world: WorldKind,
    verdict: Verdict,
    verdicts: &'a BTreeMap<Stage, Verdict>,
    rto_ms: Option<Ms>,
    rto_claimed_ms: Option<Ms>,
    impact_ms: Option<Ms>,
    /// A fraction; what decides is the integer behind it.
    error_rate: Option<f64>,
    requests_after_recovery: u64,
    trades_acknowledged: u64,
    trades_lost: u64,
    faults: &'a [String],
    steps: Vec<Step<'a>>,
    findings: &'a [Finding],
    fingerprint: String,
    replay: &'a str,
}

#[derive(Debug, Serialize)]
struct Step<'a> {
    name: &'a str,
    title: &'a str,
    service: Option<&'a str>,
    started_ms: Ms,
    finished_ms: Option<Ms>,
    budget_ms: Ms,
    outcome: &'a str,
    detail: &'a str,
}

#[derive(Debug, Serialize)]
struct Summary {
    drills: usize,
    passed: usize,
    failed: usize,
    inconclusive: usize,
    skipped: usize,
    verdict: Verdict,
    scenarios: BTreeMap<String, ScenarioNumbers>,
}

#[derive(Debug, Serialize)]
struct ScenarioNumbers {
    drills: usize,
    passed: usize,
    failed: usize,
    inconclusive: usize,
    rto_p50_ms: Option<Ms>,
    rto_p99_ms: Option<Ms>,
    rto_max_ms: Option<Ms>,
    error_rate_max: Option<f64>,
    requests_after_recovery: u64,
    trades_acknowledged: u64,
    trades_lost: u64,
    impact_p50_ms: Option<Ms>,
    impact_max_ms: Option<Ms>,
}

fn fraction(ppm: u64) -> f64 {
    ppm as f64 / 1e6
}

impl<'a> Journal<'a> {
    /// The journal of `results`; `skipped` drills were planned and did not run.
    #[must_use]
    pub fn new(results: &'a [DrillResult], skipped: usize) -> Self {
        let count = |v| results.iter().filter(|r| r.verdicts.overall == v).count();
        let scenarios = by_scenario(results)
            .into_iter()
            .map(|s| {
                let numbers = ScenarioNumbers {
                    drills: s.drills,
                    passed: s.passed,
                    failed: s.failed,
                    inconclusive: s.inconclusive,
                    rto_p50_ms: s.rto_p50_ms,
                    rto_p99_ms: s.rto_p99_ms,
                    rto_max_ms: s.rto_max_ms,
                    error_rate_max: s.error_rate_max_ppm.map(fraction),
                    requests_after_recovery: s.requests_after_recovery,
                    trades_acknowledged: s.trades_acknowledged,
                    trades_lost: s.trades_lost,
                    impact_p50_ms: s.impact_p50_ms,
                    impact_max_ms: s.impact_max_ms,
                };
                (s.scenario, numbers)
            })
            .collect();
        Self {
            schema: SCHEMA,
            drills: results.iter().map(drill).collect(),
            summary: Summary {
                drills: results.len(),
                passed: count(Verdict::Pass),
                failed: count(Verdict::Fail),
                inconclusive: count(Verdict::Inconclusive),
                skipped,
                verdict: results
                    .iter()
                    .map(|r| r.verdicts.overall)
                    .max()
                    .unwrap_or(Verdict::Inconclusive),
                scenarios,
            },
        }
    }
}

fn drill(result: &DrillResult) -> Drill<'_> {
    Drill {
        scenario: &result.scenario,
        seed: result.seed,
        world: result.world,
        verdict: result.verdicts.overall,
        verdicts: &result.verdicts.stages,
        rto_ms: result.rto_ms,
        rto_claimed_ms: result.rto_claimed_ms,
        impact_ms: result.impact_ms,
        error_rate: result.error_rate_ppm.map(fraction),
        requests_after_recovery: result.requests_after_recovery,
        trades_acknowledged: result.trades_acknowledged,
        trades_lost: result.trades_lost,
        faults: &result.faults,
        steps: result
            .steps
            .iter()
            .map(|s| Step {
                name: &s.name,
                title: &s.title,
                service: s.service.as_deref(),
                started_ms: s.started_ms,
                finished_ms: s.finished_ms,
                budget_ms: s.budget_ms,
                outcome: &s.outcome,
                detail: &s.detail,
            })
            .collect(),
        findings: &result.findings,
        fingerprint: format!("{:016x}", result.fingerprint),
        replay: &result.replay,
    }
}
