//! `journal.json`: every drill and the summary, schema `firedrill/3`.
//!
//! The journal is the one source of every other report, so that they can be made again from the file alone. It
//! borrows from the results when it is written and owns its text when it was read. What the file must look like is
//! published in `harness/schema/journal.schema.json`; tests hold the two together.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::meta::Meta;
use super::summary::{ScenarioSummary, by_scenario_of};
use crate::drill::time_series::TimeSeries;
use crate::drill::{DrillResult, Ending, Smallest};
use crate::evidence::Ms;
use crate::finding::{self, BookCounts, OracleName, Severity};
use crate::token;
use crate::verdict::{Stage, Verdict};
use crate::worlds::WorldKind;

/// The schema's name and version. Version 3 added `meta`, `gave_up_ms` and `ended_on_purpose` to version 2,
/// and took nothing away.
pub const SCHEMA: &str = "firedrill/3";

/// Every version that this build reads.
pub const READABLE: [&str; 2] = ["firedrill/2", SCHEMA];

/// The published JSON Schema of the file.
pub const JSON_SCHEMA: &str = include_str!("../../schema/journal.schema.json");

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal<'a> {
    /// Always [`SCHEMA`].
    pub schema: Cow<'a, str>,
    /// The runs that the drills are of, the earliest first. It is no part of what is compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub meta: Vec<Meta>,
    /// Every drill that ran.
    pub drills: Vec<Drill<'a>>,
    /// Numbers over them.
    pub summary: Summary,
}

/// One drill. `null` stands for what was not measured: no recovery time where nothing recovered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drill<'a> {
    /// Scenario's name.
    pub scenario: Cow<'a, str>,
    /// Seed.
    pub seed: u64,
    /// World.
    pub world: WorldKind,
    /// The whole verdict.
    pub verdict: Verdict,
    /// By stage.
    pub verdicts: BTreeMap<Stage, Verdict>,
    /// What became of the exchange.
    pub ending: Ending,
    /// Trigger to recovery, as measured.
    pub rto_ms: Option<Ms>,
    /// Trigger to recovery, as the executor claims.
    pub rto_claimed_ms: Option<Ms>,
    /// First harm to recovery, or to the drill's end where it never recovered.
    pub impact_ms: Option<Ms>,
    /// In the file a fraction; what decides is this integer of millionths.
    #[serde(rename = "error_rate", with = "fraction")]
    pub error_rate_ppm: Option<u64>,
    /// Requests after recovery.
    pub requests_after_recovery: u64,
    /// The bound of the RTO.
    pub rto_max_ms: Ms,
    /// Acknowledged trades.
    pub trades_acknowledged: u64,
    /// Acknowledged trades that are absent or changed.
    pub trades_lost: u64,
    /// Acknowledged trades against those present.
    pub trades: BookCounts,
    /// Acknowledged orders against those present.
    pub orders: BookCounts,
    /// What was done to the exchange and the executor.
    pub faults: Vec<Cow<'a, str>>,
    /// The executor's steps, as it reports them.
    pub steps: Vec<Step<'a>>,
    /// What each oracle found.
    pub findings: Vec<Finding<'a>>,
    /// Rolling hash over every event, 16 hexadecimal digits.
    pub fingerprint: Cow<'a, str>,
    /// The token that runs this drill again.
    #[serde(deserialize_with = "token::read_whole")]
    pub replay: Cow<'a, str>,
    /// The least that fails in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest: Option<Cow<'a, Smallest>>,
    /// What a report draws, of the drill that stands for its scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail<'a>>,
}

/// A step, as the executor reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step<'a> {
    /// Name in the runbook.
    pub name: Cow<'a, str>,
    /// Heading in the runbook.
    pub title: Cow<'a, str>,
    /// Service, if it is a step for one.
    pub service: Option<Cow<'a, str>>,
    /// When it began.
    pub started_ms: Ms,
    /// When it ended.
    pub finished_ms: Option<Ms>,
    /// Its budget.
    pub budget_ms: Ms,
    /// How it ended, in the executor's word.
    pub outcome: Cow<'a, str>,
    /// What it found.
    pub detail: Cow<'a, str>,
}

/// What an oracle found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding<'a> {
    /// The oracle.
    pub oracle: OracleName,
    /// Stage it judges.
    pub stage: Stage,
    /// Its verdict.
    pub verdict: Verdict,
    /// What tells it from the other things that its oracle finds, in kebab-case.
    pub kind: Cow<'a, str>,
    /// How much it weighs; `null`: it is a pass.
    pub severity: Option<Severity>,
    /// Why.
    pub reason: Cow<'a, str>,
    /// The numbers behind it.
    pub numbers: BTreeMap<Cow<'a, str>, i64>,
    /// Whether a failure is harm that nothing excuses.
    pub harm: bool,
}

/// What only the representative of a scenario keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detail<'a> {
    /// Instants, phases and what the clients saw. The published schema calls it `course`.
    #[serde(rename = "course")]
    pub time_series: Cow<'a, TimeSeries>,
    /// What happened when.
    pub timeline: Vec<JournalEvent<'a>>,
    /// What the executor saved, by file name.
    pub files: Cow<'a, BTreeMap<String, String>>,
}

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalEvent<'a> {
    /// When.
    pub at_ms: Ms,
    /// Who.
    pub who: Cow<'a, str>,
    /// Phase or step, possibly empty.
    pub step: Cow<'a, str>,
    /// What.
    pub what: Cow<'a, str>,
}

/// Numbers over all drills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Drills that ran.
    pub drills: usize,
    /// Passed.
    pub passed: usize,
    /// Failed.
    pub failed: usize,
    /// Inconclusive.
    pub inconclusive: usize,
    /// Planned, and kept from running: by an interruption, or on purpose.
    pub skipped: usize,
    /// Of those, how many of each scenario; empty if nobody wrote it down.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skipped_scenarios: BTreeMap<String, usize>,
    /// Whether they did not run because as many drills had failed as `--max-failures` allows,
    /// and not because of an interruption.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended_on_purpose: bool,
    /// The worst verdict; without a drill, or where some did not run, inconclusive at best.
    pub verdict: Verdict,
    /// By scenario; where one was drilled in two worlds, by `SCENARIO in WORLD`.
    pub scenarios: BTreeMap<String, ScenarioNumbers>,
}

/// Numbers over the drills of one scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioNumbers {
    drills: usize,
    passed: usize,
    failed: usize,
    inconclusive: usize,
    never_recovered: usize,
    rto_p50_ms: Option<Ms>,
    rto_p99_ms: Option<Ms>,
    rto_max_ms: Option<Ms>,
    #[serde(rename = "error_rate_max", with = "fraction")]
    error_rate_max_ppm: Option<u64>,
    requests_after_recovery: u64,
    trades_acknowledged: u64,
    trades_lost: u64,
    impact_p50_ms: Option<Ms>,
    impact_max_ms: Option<Ms>,
}

impl From<&ScenarioSummary> for ScenarioNumbers {
    fn from(s: &ScenarioSummary) -> Self {
        Self {
            drills: s.drills,
            passed: s.passed,
            failed: s.failed,
            inconclusive: s.inconclusive,
            never_recovered: s.never,
            rto_p50_ms: s.rto_p50_ms,
            rto_p99_ms: s.rto_p99_ms,
            rto_max_ms: s.rto_max_ms,
            error_rate_max_ppm: s.error_rate_max_ppm,
            requests_after_recovery: s.requests_after_recovery,
            trades_acknowledged: s.trades_acknowledged,
            trades_lost: s.trades_lost,
            impact_p50_ms: s.impact_p50_ms,
            impact_max_ms: s.impact_max_ms,
        }
    }
}

/// Millionths, which the file shows as a fraction. The fraction nearest to an integer of millionths gives that integer
/// back.
mod fraction {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    #[expect(clippy::ref_option, reason = "serde hands the field over like this")]
    pub(super) fn serialize<S: Serializer>(ppm: &Option<u64>, s: S) -> Result<S::Ok, S::Error> {
        ppm.map(|ppm| ppm as f64 / 1e6).serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u64>, D::Error> {
        Option::<f64>::deserialize(d)?
            .map(|fraction| match fraction {
                0.0..=1.0 => Ok((fraction * 1e6).round() as u64),
                _ => Err(de::Error::custom(format!(
                    "{fraction} is not a fraction from 0 to 1"
                ))),
            })
            .transpose()
    }
}

impl<'a> Journal<'a> {
    /// The journal of `results`; `skipped` drills were planned and did not run.
    #[must_use]
    pub fn new(results: &'a [DrillResult], skipped: impl Into<Skipped>) -> Self {
        Self::of(results.iter().map(Drill::from).collect(), skipped.into())
    }

    /// The journal of `drills`; `skipped` more were planned and did not run.
    #[must_use]
    pub fn of(drills: Vec<Drill<'a>>, skipped: Skipped) -> Self {
        let summary = Summary::of(&drills, skipped);
        Self {
            schema: SCHEMA.into(),
            meta: Vec::new(),
            drills,
            summary,
        }
    }

    /// The same journal, of these runs.
    #[must_use]
    pub fn with_meta(mut self, mut meta: Vec<Meta>) -> Self {
        meta.sort();
        meta.dedup();
        self.meta = meta;
        self
    }
}

/// Drills that were planned, and that an interruption or the bound on failures kept from running.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many.
    pub drills: usize,
    /// How many of each scenario; empty if that is not known.
    pub scenarios: BTreeMap<String, usize>,
    /// Whether the run was ended on purpose, after as many failures as were allowed.
    pub on_purpose: bool,
}

impl From<usize> for Skipped {
    /// So many, of scenarios that nobody wrote down.
    fn from(drills: usize) -> Self {
        Self {
            drills,
            scenarios: BTreeMap::new(),
            on_purpose: false,
        }
    }
}

impl Summary {
    /// What did not run.
    #[must_use]
    pub fn unfinished(&self) -> Skipped {
        Skipped {
            drills: self.skipped,
            scenarios: self.skipped_scenarios.clone(),
            on_purpose: self.ended_on_purpose,
        }
    }

    /// The numbers over `drills`.
    #[must_use]
    pub fn of(drills: &[Drill<'_>], skipped: Skipped) -> Self {
        // What did not run shows nothing, so that an interrupted run never passes.
        let least = match skipped.drills {
            0 if !drills.is_empty() => Verdict::Pass,
            _ => Verdict::Inconclusive,
        };
        let count = |v| drills.iter().filter(|d| d.verdict == v).count();
        Self {
            drills: drills.len(),
            passed: count(Verdict::Pass),
            failed: count(Verdict::Fail),
            inconclusive: count(Verdict::Inconclusive),
            skipped: skipped.drills,
            skipped_scenarios: skipped.scenarios,
            ended_on_purpose: skipped.on_purpose && skipped.drills > 0,
            verdict: drills.iter().map(|d| d.verdict).fold(least, Verdict::max),
            scenarios: by_scenario_of(drills)
                .iter()
                .map(|s| (s.label.clone(), s.into()))
                .collect(),
        }
    }
}

impl Drill<'_> {
    /// The findings that are not passes, in the order of [`finding::order`]: what matters most comes first.
    #[must_use]
    pub fn problems(&self) -> Vec<&Finding<'_>> {
        let findings = self.findings.iter();
        let mut problems: Vec<&Finding<'_>> =
            findings.filter(|f| f.verdict != Verdict::Pass).collect();
        problems.sort_by_key(|f| finding::order(f.oracle, f.verdict, f.severity, self.verdict));
        problems
    }

    /// The command that runs it again.
    #[must_use]
    pub fn command(&self) -> String {
        token::command(&self.replay)
    }
}

impl<'a> From<&'a DrillResult> for Drill<'a> {
    fn from(result: &'a DrillResult) -> Self {
        Self {
            scenario: (&result.scenario).into(),
            seed: result.seed,
            world: result.world,
            verdict: result.verdicts.overall,
            verdicts: result.verdicts.stages.clone(),
            ending: result.ending,
            rto_ms: result.rto_ms,
            rto_claimed_ms: result.rto_claimed_ms,
            impact_ms: result.impact_ms,
            error_rate_ppm: result.error_rate_ppm,
            requests_after_recovery: result.requests_after_recovery,
            rto_max_ms: result.rto_max_ms,
            trades_acknowledged: result.trades.acknowledged,
            trades_lost: result.trades_lost(),
            trades: result.trades,
            orders: result.orders,
            faults: result.faults.iter().map(|f| f.to_string().into()).collect(),
            steps: result
                .steps
                .iter()
                .map(|s| Step {
                    name: (&s.name).into(),
                    title: (&s.title).into(),
                    service: s.service.as_deref().map(Cow::from),
                    started_ms: s.started_ms,
                    finished_ms: s.finished_ms,
                    budget_ms: s.budget_ms,
                    outcome: s.outcome.to_string().into(),
                    detail: (&s.detail).into(),
                })
                .collect(),
            findings: result
                .findings
                .iter()
                .map(|f| Finding {
                    oracle: f.oracle(),
                    stage: f.stage(),
                    verdict: f.verdict(),
                    kind: f.kind().into(),
                    severity: f.severity(),
                    reason: f.to_string().into(),
                    numbers: {
                        let numbers = f.numbers().0.into_iter();
                        numbers.map(|(name, n)| (name.into(), n)).collect()
                    },
                    harm: f.is_harm(),
                })
                .collect(),
            fingerprint: format!("{:016x}", result.fingerprint).into(),
            replay: (&result.replay).into(),
            smallest: result.smallest.as_ref().map(Cow::Borrowed),
            detail: result.time_series.as_deref().map(|series| Detail {
                time_series: Cow::Borrowed(series),
                timeline: result
                    .timeline
                    .iter()
                    .map(|e| JournalEvent {
                        at_ms: e.at_ms,
                        who: e.who.into(),
                        step: (&e.step).into(),
                        what: (&e.what).into(),
                    })
                    .collect(),
                files: Cow::Borrowed(&result.files),
            }),
        }
    }
}
