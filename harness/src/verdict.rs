//! Verdicts: three-valued, for each stage of a drill and for the whole of it.
//!
//! A stage fails if any of its findings does, else is inconclusive if any is. The whole follows from the stages, with
//! two exceptions: harm always fails, and but for harm nothing is judged on a drill of which nothing can be told for
//! certain ([`Bearing::Void`]: its steady state never held, its release did no harm, the harness itself failed). Where
//! its host held the clients up, only what rests on them is uncertain, and whoever rests on it says so.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::oracles::finding::{Bearing, Finding};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it must be.
    Pass,
    /// Not shown either way.
    Inconclusive,
    /// Not as it must be.
    Fail,
}

impl Verdict {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The stages of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The steady state held and the bad release did its harm.
    Injection,
    /// The right trigger fired.
    Detection,
    /// The executor did what the runbook says.
    Execution,
    /// The exchange recovered, as its clients see it.
    Recovery,
    /// Nothing was left behind.
    CleanUp,
}

impl Stage {
    /// All stages, in a drill's order.
    pub const ALL: [Self; 5] = [
        Self::Injection,
        Self::Detection,
        Self::Execution,
        Self::Recovery,
        Self::CleanUp,
    ];

    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Injection => "injection",
            Self::Detection => "detection",
            Self::Execution => "execution",
            Self::Recovery => "recovery",
            Self::CleanUp => "clean-up",
        }
    }
}

/// The verdicts of one drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// By stage.
    pub stages: BTreeMap<Stage, Verdict>,
    /// The whole.
    pub overall: Verdict,
}

/// What of a finding the verdicts of its drill rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// The stage that it judges.
    pub stage: Stage,
    /// What it amounts to.
    pub verdict: Verdict,
    /// Whether it is harm.
    pub harm: bool,
    /// Whether it is [`Bearing::Void`].
    pub void: bool,
}

impl From<&Finding> for Weighed {
    fn from(finding: &Finding) -> Self {
        Self {
            stage: finding.stage(),
            verdict: finding.verdict(),
            harm: finding.is_harm(),
            void: finding.bearing() == Bearing::Void,
        }
    }
}

/// Judges a drill by its findings.
#[must_use]
pub fn judge(findings: &[Finding]) -> Verdicts {
    let findings: Vec<Weighed> = findings.iter().map(Weighed::from).collect();
    fold(&findings)
}

/// The verdicts that follow from findings.
#[must_use]
pub fn fold(findings: &[Weighed]) -> Verdicts {
    let mut stages: BTreeMap<Stage, Verdict> = BTreeMap::new();
    for stage in Stage::ALL {
        let verdict = findings
            .iter()
            .filter(|finding| finding.stage == stage)
            .map(|finding| finding.verdict)
            .max()
            // A stage that nothing looked at is not passed.
            .unwrap_or(Verdict::Inconclusive);
        stages.insert(stage, verdict);
    }
    let overall = if findings.iter().any(|it| it.harm) {
        Verdict::Fail
    } else if findings.iter().any(|it| it.void) {
        Verdict::Inconclusive
    } else {
        stages
            .values()
            .copied()
            .max()
            .unwrap_or(Verdict::Inconclusive)
    };
    Verdicts { stages, overall }
}

/// Exit code of a run with these overall verdicts: 0 all passed, 1 one failed, 3 one inconclusive and
/// none failed. No drill at all shows nothing: 3.
#[must_use]
pub fn exit_code(verdicts: impl IntoIterator<Item = Verdict>) -> u8 {
    match verdicts.into_iter().max() {
        Some(Verdict::Pass) => 0,
        Some(Verdict::Fail) => 1,
        Some(Verdict::Inconclusive) | None => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::finding::{
        BookCounts, BooksFinding, BooksState, Ended, HostFinding, InjectionFinding,
        InvariantsFinding, MaintenanceFinding, OracleName, OutcomeFinding, Recorded, RtoFinding,
        TriggerFinding,
    };
    use crate::scenario::Path;

    fn passes() -> Vec<Finding> {
        let took = Ended::Took {
            path: Path::Application,
        };
        vec![
            HostFinding::Simulated.into(),
            TriggerFinding::NoneAsExpected.into(),
            ended(took),
            RtoFinding::NothingToRecover.into(),
            MaintenanceFinding::Open.into(),
        ]
    }

    fn ended(end: Ended) -> Finding {
        let (steps, at_step) = (0, None);
        OutcomeFinding {
            steps,
            at_step,
            end,
        }
        .into()
    }

    fn with(findings: &[Finding]) -> Verdicts {
        judge(&[passes().as_slice(), findings].concat())
    }

    const OPEN: InvariantsFinding = InvariantsFinding::NobodyLooked;
    const LATE: RtoFinding = RtoFinding::Never { limit_ms: 1 };

    fn lost() -> Finding {
        BooksFinding {
            of: Recorded::Trade,
            counts: BookCounts {
                acknowledged: 9,
                lost: 1,
                ..BookCounts::default()
            },
            example: Some(4),
            to_bring_back: None,
            state: BooksState::Damaged,
        }
        .into()
    }

    #[test]
    fn the_worst_finding_decides() {
        assert_eq!(with(&[]).overall, Verdict::Pass);
        for (finding, verdict) in [
            (OPEN.into(), Verdict::Inconclusive),
            (LATE.into(), Verdict::Fail),
        ] {
            let verdicts = with(&[finding]);
            assert_eq!(verdicts.overall, verdict);
            assert_eq!(verdicts.stages[&Stage::Recovery], verdict);
            assert_eq!(verdicts.stages[&Stage::Execution], Verdict::Pass);
        }
    }

    #[test]
    fn where_nothing_is_certain_nothing_is_judged_but_harm() {
        let void: Finding = InjectionFinding::NoHarm.into();
        let verdicts = with(&[void.clone(), LATE.into()]);
        assert_eq!(verdicts.overall, Verdict::Inconclusive);
        assert_eq!(with(&[void.clone(), lost()]).overall, Verdict::Fail);
        let panicked = ended(Ended::Panicked { why: "x".into() });
        assert_eq!(with(&[void, panicked]).overall, Verdict::Fail);
    }

    #[test]
    fn a_fault_that_hit_nothing_hides_no_failure() {
        let missed: Finding = InjectionFinding::FaultNeverFired {
            fault: "x".into(),
            began: true,
        }
        .into();
        let alone = with(std::slice::from_ref(&missed));
        assert_eq!(alone.overall, Verdict::Inconclusive);
        assert_eq!(with(&[missed, LATE.into()]).overall, Verdict::Fail);
    }

    #[test]
    fn harm_is_told_first_then_the_cause_then_by_weight() {
        let void: Finding = InjectionFinding::NoHarm.into();
        let called = ended(Ended::Failed { why: "x".into() });
        let told = |findings: &[Finding]| {
            let overall = with(findings).overall;
            let mut told = findings.to_vec();
            told.sort_by_key(|finding| finding.order(overall));
            told.iter().map(Finding::oracle).collect::<Vec<_>>()
        };
        assert_eq!(
            told(&[void.clone(), called, LATE.into(), lost()]),
            [
                OracleName::Trades,
                OracleName::Outcome,
                OracleName::Rto,
                OracleName::FaultFired
            ]
        );
        assert_eq!(
            told(&[LATE.into(), OPEN.into(), void]),
            [
                OracleName::FaultFired,
                OracleName::Invariants,
                OracleName::Rto
            ]
        );
    }

    #[test]
    fn a_stage_without_findings_is_not_passed() {
        assert_eq!(judge(&passes()[..4]).overall, Verdict::Inconclusive);
    }

    #[test]
    fn exit_codes() {
        use Verdict::{Fail, Inconclusive, Pass};
        for (verdicts, code) in [
            (vec![Pass, Pass], 0),
            (vec![Pass, Fail, Inconclusive], 1),
            (vec![Pass, Inconclusive], 3),
            (vec![], 3),
        ] {
            assert_eq!(exit_code(verdicts.clone()), code, "{verdicts:?}");
        }
    }
}
