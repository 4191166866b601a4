//! One drill: performed in a world, judged by the oracles, told as a result.

pub mod course;
pub mod timeline;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use executor::planner::Observed;
use serde::{Deserialize, Serialize};

use crate::evidence::{Evidence, Ms, Outcome, StepSaid, ms, second_from};
use crate::oracles::{self, recovery};
use crate::stats::parts_per_million;
use crate::verdict::{Finding, Stage, Survivability, Verdict, Verdicts, judge};
use crate::worlds::{self, Performed, Plan, WorldError, WorldKind};

/// What came of one drill.
#[derive(Clone, Debug)]
pub struct DrillResult {
    /// Scenario's name.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// World.
    pub world: WorldKind,
    /// Verdicts.
    pub verdicts: Verdicts,
    /// What each oracle found.
    pub findings: Vec<Finding>,
    /// Trigger to recovery, as measured.
    pub rto_ms: Option<Ms>,
    /// Trigger to recovery, as the executor claims.
    pub rto_claimed_ms: Option<Ms>,
    /// First harm to recovery.
    pub impact_ms: Option<Ms>,
    /// Clients' error rate after recovery, in millionths, rounded up.
    pub error_rate_ppm: Option<u64>,
    /// Requests after recovery.
    pub requests_after_recovery: u64,
    /// Acknowledged trades.
    pub trades_acknowledged: u64,
    /// Acknowledged trades that are absent or changed.
    pub trades_lost: u64,
    /// What was done to the exchange and the executor, in words.
    pub faults: Vec<String>,
    /// The executor's steps, as it reports them.
    pub steps: Vec<StepSaid>,
    /// Rolling hash over every event.
    pub fingerprint: u64,
    /// Requests that the executor made from the trigger on.
    pub executor_requests: u64,
    /// What the executor's plans rested on, in the simulation.
    pub observed: Vec<Arc<Observed>>,
    /// The token that runs this drill again.
    pub replay: String,
    /// What the executor put by for the post-mortem, by file name.
    pub files: BTreeMap<String, String>,
    /// What happened when.
    pub timeline: Vec<timeline::Entry>,
    /// What a report draws; `None` where many drills keep it of some only.
    pub course: Option<Box<course::Course>>,
    /// The least that fails in the same way, where somebody looked for it.
    pub smallest: Option<Smallest>,
}

/// A failing drill cut down: with less of anything, it no longer fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smallest {
    /// What is left of it, in one sentence.
    pub what: String,
    /// The token that runs it.
    pub replay: String,
}

impl DrillResult {
    /// Forgets what takes memory and only a representative's report shows.
    pub fn forget_course(&mut self) {
        self.timeline = Vec::new();
        self.files = BTreeMap::new();
        self.course = None;
        self.observed = Vec::new();
    }

    /// The findings that are not passes: first those that decided, in the order of the stages, so
    /// that the likely cause comes before its consequences.
    #[must_use]
    pub fn troubles(&self) -> Vec<&Finding> {
        let mut troubles: Vec<&Finding> = self
            .findings
            .iter()
            .filter(|f| f.verdict != Verdict::Pass)
            .collect();
        troubles.sort_by_key(|f| (f.verdict != self.verdicts.overall, f.stage));
        troubles
    }
}

/// Performs and judges one drill. A panic in the world or the executor is a finding, not an end.
///
/// # Errors
/// [`WorldError`] if there was no world to perform it in.
pub fn run(plan: &Plan) -> Result<DrillResult, WorldError> {
    judged(plan, || worlds::perform(plan))
}

/// Like [`run`] in the simulated world, with an executor that acts through what `refit` makes of its ports: to
/// show that the oracles see a broken executor. `refit` may change the world, too.
///
/// # Errors
/// As [`run`].
pub fn run_refitted(plan: &Plan, refit: &worlds::sim::Refit) -> Result<DrillResult, WorldError> {
    judged(plan, || worlds::sim::perform(plan, refit))
}

fn judged(
    plan: &Plan,
    perform: impl FnOnce() -> Result<Performed, WorldError>,
) -> Result<DrillResult, WorldError> {
    match catch_unwind(AssertUnwindSafe(perform)) {
        Ok(performed) => Ok(conclude(plan, performed?)),
        Err(panic) => {
            let why = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Ok(panicked(plan, why))
        }
    }
}

fn panicked(plan: &Plan, why: &str) -> DrillResult {
    let mut evidence = Evidence::empty(&plan.scenario);
    evidence.executor.outcome = Outcome::Failed(format!("panicked: {why}"));
    let mut result = conclude(
        plan,
        Performed {
            evidence,
            timeline: Vec::new(),
            fingerprint: 0,
            executor_requests: 0,
            observed: Vec::new(),
        },
    );
    // The injection is unknown, yet a panic must not hide as inconclusive.
    let finding = Finding::new(
        "panic",
        Stage::Execution,
        Verdict::Fail,
        format!("panicked: {why}"),
    );
    result.findings.push(finding.harmful());
    result.verdicts = judge(&result.findings, Survivability::Survivable);
    result
}

/// What the drill did on purpose, as far as it came to it.
fn faults(plan: &Plan, evidence: &Evidence) -> Vec<String> {
    let release = evidence
        .deployed_ms
        .map(|at| format!("{at} ms: release {} deployed", plan.scenario.release.to));
    let crash = plan.scenario.crash.zip(evidence.crash_ms.flatten());
    let crash = crash.map(|(crash, at)| {
        let (side, request) = (crash.side.as_str(), crash.request);
        format!("{at} ms: executor killed {side} its request {request}")
    });
    let others = evidence.faults.iter().filter_map(|fault| {
        let (at, what) = (fault.began_ms?, &fault.what);
        Some(format!("{at} ms: {what}; hit {} times", fault.hits))
    });
    release.into_iter().chain(crash).chain(others).collect()
}

/// The least that any executor needs once the last obstacle is gone: a Deployment's pods take that long to be replaced.
const LEAST_RECOVERY_MS: Ms = 5_000;

/// Whether there was a way to meet the objective. There was none if something that nothing can be done against lasted,
/// without a break longer than the least that a recovery takes, from the trigger on until it was too late.
fn survivability(evidence: &Evidence) -> Survivability {
    let Some(trigger) = evidence.executor.trigger.as_ref().map(|t| t.at_ms) else {
        return Survivability::Survivable;
    };
    let deadline = trigger + ms(evidence.expect.rto_max);
    let mut blocked: Vec<(Ms, Ms)> = evidence
        .faults
        .iter()
        .filter(|fault| fault.blocks && fault.hits > 0)
        .filter_map(|fault| {
            let began = fault.began_ms?;
            Some((began, fault.ended_ms.unwrap_or(Ms::MAX)))
        })
        .collect();
    blocked.sort_unstable();
    let mut free_from = trigger;
    for (began, ended) in blocked {
        if began.saturating_sub(free_from) >= LEAST_RECOVERY_MS {
            break;
        }
        free_from = free_from.max(ended);
    }
    if free_from.saturating_add(LEAST_RECOVERY_MS) > deadline {
        Survivability::Unsurvivable
    } else {
        Survivability::Survivable
    }
}

/// Judges what a world handed back.
#[must_use]
pub fn conclude(plan: &Plan, performed: Performed) -> DrillResult {
    let Performed {
        evidence,
        timeline,
        fingerprint,
        executor_requests,
        observed,
    } = performed;
    let findings = oracles::ask_all(&evidence);
    let verdicts = judge(&findings, survivability(&evidence));
    let number = |oracle: &str, name: &str| {
        findings
            .iter()
            .find(|f| f.oracle == oracle)
            .and_then(|f| f.numbers.get(name))
            .and_then(|&n| u64::try_from(n).ok())
            .unwrap_or(0)
    };
    let trigger = evidence.executor.trigger.as_ref().map(|t| t.at_ms);
    let recovered = recovery::recovered_ms(&evidence);
    let after = recovered.map(|r| evidence.between(second_from(r), evidence.seconds.len()));
    let faults = faults(plan, &evidence);
    let course = course::Course::of(plan, &evidence, &faults);
    let since = |from: Option<Ms>, to: Option<Ms>| Some(to?.saturating_sub(from?));
    DrillResult {
        scenario: plan.scenario.name.clone(),
        seed: plan.seed,
        world: plan.world,
        rto_ms: since(trigger, recovered),
        rto_claimed_ms: since(trigger, evidence.executor.recovered_ms),
        impact_ms: since(recovery::first_harm_ms(&evidence), recovered)
            .filter(|_| trigger.is_some()),
        error_rate_ppm: after.and_then(|t| parts_per_million(t.errors, t.counted())),
        requests_after_recovery: after.map_or(0, |t| t.counted()),
        trades_acknowledged: number("trades", "acknowledged"),
        trades_lost: number("trades", "lost") + number("trades", "changed"),
        faults,
        steps: evidence.executor.steps,
        files: evidence.files,
        fingerprint,
        executor_requests,
        observed,
        replay: plan.token(),
        verdicts,
        findings,
        timeline,
        course: Some(Box::new(course)),
        smallest: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{FaultSeen, TriggerSaid};
    use crate::scenario::built_in;

    #[test]
    fn only_what_blocks_until_it_is_too_late_is_unsurvivable() {
        let scenario = built_in("latency-regression", &[])
            .expect("built in")
            .expect("right");
        let under = |faults: &[(bool, Ms, Ms)]| {
            let mut evidence = Evidence::empty(&scenario);
            evidence.executor.trigger = Some(TriggerSaid {
                name: "sla-latency-p99".to_owned(),
                at_ms: 100_000,
            });
            evidence.faults = faults
                .iter()
                .map(|&(blocks, began, ended)| FaultSeen {
                    what: "x".to_owned(),
                    blocks,
                    began_ms: Some(began),
                    ended_ms: Some(ended),
                    hits: 1,
                })
                .collect();
            survivability(&evidence)
        };
        assert_eq!(under(&[]), Survivability::Survivable);
        // The objective ends at 400 s.
        assert_eq!(
            under(&[(true, 101_000, 394_000)]),
            Survivability::Survivable
        );
        assert_eq!(
            under(&[(true, 101_000, 396_000)]),
            Survivability::Unsurvivable
        );
        assert_eq!(
            under(&[(false, 101_000, 396_000)]),
            Survivability::Survivable
        );
        // Time enough in between.
        assert_eq!(
            under(&[(true, 101_000, 150_000), (true, 160_000, 500_000)]),
            Survivability::Survivable
        );
        assert_eq!(
            under(&[(true, 101_000, 150_000), (true, 149_000, 500_000)]),
            Survivability::Unsurvivable
        );
    }
}
