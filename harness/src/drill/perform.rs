//! A drill, performed and judged.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use executor::planner::Observed;
use serde::{Deserialize, Serialize};

use super::struck::{Struck, struck};
use super::time_series::{self, Mark};
use super::timeline;
use crate::evidence::{Acknowledgements, Evidence, ExecutorOutcome, Ms, StepSaid, ms};
use crate::finding::{BookCounts, Ended, Finding, Recorded};
use crate::oracles::{self, recovery};
use crate::stats::parts_per_million;
use crate::verdict::{Verdict, Verdicts, judge};
use crate::worlds::{self, DrillPlan, Performed, WorldError, WorldKind};

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
    /// What became of the exchange.
    pub ending: Ending,
    /// Trigger to recovery, as measured.
    pub rto_ms: Option<Ms>,
    /// Trigger to recovery, as the executor claims.
    pub rto_claimed_ms: Option<Ms>,
    /// First harm to recovery, or to the drill's end where it never recovered.
    pub impact_ms: Option<Ms>,
    /// Clients' error rate after recovery, in millionths, rounded up.
    pub error_rate_ppm: Option<u64>,
    /// Requests after recovery.
    pub requests_after_recovery: u64,
    /// The bound of the RTO.
    pub rto_max_ms: Ms,
    /// Acknowledged trades against those present.
    pub trades: BookCounts,
    /// Acknowledged orders against those present.
    pub orders: BookCounts,
    /// What was done to the exchange and the executor.
    pub faults: Vec<Mark>,
    /// When each of the scenario's faults began, in its order, and how often it hit; `None`: its instant never came.
    pub faults_seen: Vec<Option<(Ms, u64)>>,
    /// Which steps met which faults.
    pub struck: Vec<Struck>,
    /// The executor's steps, as it reports them.
    pub steps: Vec<StepSaid>,
    /// Rolling hash over every event.
    pub fingerprint: u64,
    /// Requests that the executor made from the trigger on; none if nothing fired.
    pub executor_requests: u64,
    /// What the executor's plans rested on, in the simulation.
    pub observed: Vec<Arc<Observed>>,
    /// The token that runs this drill again.
    pub replay: String,
    /// What the executor saved for the post-mortem, by file name.
    pub files: BTreeMap<String, String>,
    /// What happened when.
    pub timeline: Vec<timeline::TimelineEntry>,
    /// What a report draws; `None` where many drills keep it of some only.
    pub time_series: Option<Box<time_series::TimeSeries>>,
    /// The least that fails in the same way, where somebody looked for it.
    pub smallest: Option<Smallest>,
}

/// What became of the exchange, as the clients saw it: why a drill has a time to recover, or has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// There was nothing to recover from.
    NothingToRecover,
    /// It recovered.
    Recovered,
    /// It did not, and a person was paged.
    Escalated,
    /// It did not, and nobody was called.
    NeverRecovered,
}

impl Ending {
    /// What stands where a time to recover would.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NothingToRecover => "nothing to recover",
            Self::Recovered => "recovered",
            Self::Escalated => "person paged",
            Self::NeverRecovered => "never",
        }
    }
}

/// A failing drill cut down: the smallest that was found within the budget of drills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smallest {
    /// What is left of it, in one sentence.
    pub what: String,
    /// The token that runs it.
    #[serde(deserialize_with = "crate::token::read_whole")]
    pub replay: String,
}

impl Smallest {
    /// The command that runs it.
    #[must_use]
    pub fn command(&self) -> String {
        crate::token::command(&self.replay)
    }
}

impl DrillResult {
    /// Forgets what takes memory and only a representative's report shows.
    pub fn forget_detail(&mut self) {
        self.timeline = Vec::new();
        self.files = BTreeMap::new();
        self.time_series = None;
        self.observed = Vec::new();
        self.struck = Vec::new();
    }

    /// Whether the program or the world around it panicked, so that nothing of the drill is on record.
    #[must_use]
    pub fn panicked(&self) -> bool {
        let panicked = |it: &Finding| matches!(it, Finding::Outcome(it) if matches!(it.end, Ended::Panicked { .. }));
        self.findings.iter().any(panicked)
    }

    /// The findings that are not passes, in the order of [`Finding::order`]: what matters most comes first.
    #[must_use]
    pub fn problems(&self) -> Vec<&Finding> {
        let findings = self.findings.iter();
        let mut problems: Vec<&Finding> = findings
            .filter(|finding| finding.verdict() != Verdict::Pass)
            .collect();
        problems.sort_by_key(|finding| finding.order(self.verdicts.overall));
        problems
    }

    /// Acknowledged trades that are absent or changed.
    #[must_use]
    pub fn trades_lost(&self) -> u64 {
        self.trades.lost + self.trades.changed
    }
}

/// Performs and judges one drill. A panic in the world or the executor is a finding, not an end.
///
/// # Errors
/// [`WorldError`] if there was no world to perform it in.
pub fn run(plan: &DrillPlan) -> Result<DrillResult, WorldError> {
    judged(plan, || worlds::perform(plan))
}

/// Like [`run`] in the simulated world, with an executor that acts through what `decorate` makes of its ports: to
/// show that the oracles see a broken executor. `decorate` may change the world, too.
///
/// # Errors
/// As [`run`].
pub fn run_decorated(
    plan: &DrillPlan,
    decorate: &worlds::sim::PortDecorator,
) -> Result<DrillResult, WorldError> {
    judged(plan, || worlds::sim::perform(plan, decorate))
}

/// Like [`run`] in the simulated world, of an application that a Rust program implements.
///
/// # Errors
/// As [`run`].
pub fn run_of<D: worlds::sim::Drilled>(
    drilled: &D,
    plan: &DrillPlan,
) -> Result<DrillResult, WorldError> {
    judged(plan, || {
        worlds::sim::perform_of(drilled, plan, &|_, ports| ports)
    })
}

fn judged(
    plan: &DrillPlan,
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

fn panicked(plan: &DrillPlan, why: &str) -> DrillResult {
    let mut evidence = Evidence::empty(&plan.scenario);
    evidence.executor.outcome = ExecutorOutcome::Panicked(why.to_owned());
    conclude(
        plan,
        Performed {
            evidence,
            timeline: Vec::new(),
            fingerprint: 0,
            executor_requests: 0,
            observed: Vec::new(),
        },
    )
}

/// What the drill did on purpose, as far as it came to it.
fn faults(plan: &DrillPlan, evidence: &Evidence) -> Vec<Mark> {
    let mark = |at_ms, what| Mark { at_ms, what };
    let release = evidence
        .deployed_ms
        .map(|at| mark(at, format!("release {} deployed", plan.scenario.release.to)));
    let crash = plan.scenario.crash.zip(evidence.crash_ms.flatten());
    let crash = crash.map(|(crash, at)| {
        let (side, request) = (crash.side.as_str(), crash.request);
        mark(at, format!("executor killed {side} its request {request}"))
    });
    let others = evidence.faults.iter().filter_map(|fault| {
        let what = format!("{}; hit {} times", fault.what, fault.hits);
        Some(mark(fault.began_ms?, what))
    });
    release.into_iter().chain(crash).chain(others).collect()
}

/// What became of the exchange.
fn ending(evidence: &Evidence, recovered: Option<Ms>) -> Ending {
    let harmed = recovery::first_harm_ms(evidence).is_some();
    if recovered.is_some() && evidence.executor.trigger.is_some() {
        Ending::Recovered
    } else if evidence.expect.trigger.is_none() && (evidence.executor.trigger.is_none() || !harmed)
    {
        Ending::NothingToRecover
    } else if evidence.executor.called() {
        Ending::Escalated
    } else {
        Ending::NeverRecovered
    }
}

/// Judges what a world handed back.
#[must_use]
pub fn conclude(plan: &DrillPlan, performed: Performed) -> DrillResult {
    let Performed {
        evidence,
        timeline,
        fingerprint,
        executor_requests,
        observed,
    } = performed;
    let findings = oracles::ask_all(&evidence);
    let verdicts = judge(&findings);
    let counts = |of: Recorded, books: &Acknowledgements| {
        let found = findings.iter().find_map(|finding| match finding {
            Finding::Trades(books) | Finding::Orders(books) if books.of == of => Some(books.counts),
            _ => None,
        });
        // Where the ledger could not be read, what the clients hold is known all the same.
        found.unwrap_or_else(|| BookCounts {
            acknowledged: oracles::acknowledged(books),
            ..BookCounts::default()
        })
    };
    let trades = counts(Recorded::Trade, &evidence.trades);
    let orders = counts(Recorded::Order, &evidence.orders);
    let trigger = evidence.executor.trigger.as_ref().map(|t| t.at_ms);
    let recovered = recovery::recovered_ms(&evidence);
    let after = recovery::tail(&evidence).map(|tail| tail.total);
    let faults = faults(plan, &evidence);
    let faults_seen = evidence.faults.iter();
    let faults_seen = faults_seen.map(|fault| Some((fault.began_ms?, fault.hits)));
    let faults_seen = faults_seen.collect();
    let struck = struck(&plan.runbook.runbook, &evidence);
    let series = time_series::TimeSeries::of(plan, &evidence, &faults);
    let since = |from: Option<Ms>, to: Option<Ms>| Some(to?.saturating_sub(from?));
    DrillResult {
        scenario: plan.scenario.name.clone(),
        seed: plan.seed,
        world: plan.world,
        ending: ending(&evidence, recovered),
        rto_ms: since(trigger, recovered),
        rto_claimed_ms: since(trigger, evidence.executor.recovered_ms),
        impact_ms: since(
            recovery::first_harm_ms(&evidence),
            recovered.or(evidence.expect.trigger.as_ref().map(|_| evidence.end_ms)),
        )
        .filter(|_| trigger.is_some() || evidence.expect.trigger.is_some()),
        error_rate_ppm: after.and_then(|t| parts_per_million(t.errors, t.counted())),
        requests_after_recovery: after.map_or(0, |t| t.counted()),
        rto_max_ms: ms(evidence.expect.rto_max),
        trades,
        orders,
        faults,
        faults_seen,
        struck,
        steps: evidence.executor.steps,
        files: evidence.files,
        fingerprint,
        executor_requests,
        observed,
        replay: plan.token_of(fingerprint),
        verdicts,
        findings,
        timeline,
        time_series: Some(Box::new(series)),
        smallest: None,
    }
}
