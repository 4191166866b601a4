//! Verdicts: three-valued, for each stage of a drill and for the whole of it.
//!
//! A stage fails if any of its findings does, else is inconclusive if any is. The whole follows from
//! the stages, with two exceptions: nothing is judged on a drill whose injection did not work (it is
//! inconclusive), unless harm was done that nothing excuses (an acknowledged trade is gone: it fails).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

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

/// What one oracle found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the oracle.
    pub oracle: &'static str,
    /// Stage it judges.
    pub stage: Stage,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
    /// The numbers behind it; units are part of the names.
    pub numbers: BTreeMap<&'static str, i64>,
    /// Whether a failure is harm that no circumstance excuses.
    pub harm: bool,
}

impl Finding {
    /// A finding without numbers.
    #[must_use]
    pub fn new(
        oracle: &'static str,
        stage: Stage,
        verdict: Verdict,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            oracle,
            stage,
            verdict,
            reason: reason.into(),
            numbers: BTreeMap::new(),
            harm: false,
        }
    }

    /// Adds a number; beyond the range of `i64` it is its end.
    #[must_use]
    pub fn number(mut self, name: &'static str, value: impl TryInto<i64>) -> Self {
        self.numbers
            .insert(name, value.try_into().unwrap_or(i64::MAX));
        self
    }

    /// Marks what it judges as harm.
    #[must_use]
    pub fn harmful(mut self) -> Self {
        self.harm = true;
        self
    }
}

/// Whether any executor could have met the objective under the faults of a drill.
///
/// An RTO that is missed under faults that leave no way to meet it (the API server gone for five minutes) is
/// inconclusive, not failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Survivability {
    /// A perfect executor would have met the objective.
    #[default]
    Survivable,
    /// Nothing would have.
    Unsurvivable,
}

/// The verdicts of one drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// By stage.
    pub stages: BTreeMap<Stage, Verdict>,
    /// The whole.
    pub overall: Verdict,
}

/// Judges a drill by its findings.
#[must_use]
pub fn judge(findings: &[Finding], survivability: Survivability) -> Verdicts {
    let mut stages: BTreeMap<Stage, Verdict> = BTreeMap::new();
    for stage in Stage::ALL {
        let verdict = findings
            .iter()
            .filter(|f| f.stage == stage)
            .map(|f| excused(f, survivability))
            .max()
            // A stage that nothing looked at is not passed.
            .unwrap_or(Verdict::Inconclusive);
        stages.insert(stage, verdict);
    }
    let harm = findings
        .iter()
        .any(|f| f.harm && f.verdict == Verdict::Fail);
    let overall = if harm {
        Verdict::Fail
    } else if stages[&Stage::Injection] != Verdict::Pass {
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

fn excused(finding: &Finding, survivability: Survivability) -> Verdict {
    let late = finding.oracle == "rto" && finding.verdict == Verdict::Fail;
    if late && survivability == Survivability::Unsurvivable {
        Verdict::Inconclusive
    } else {
        finding.verdict
    }
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

    fn all(verdict: Verdict) -> Vec<Finding> {
        Stage::ALL
            .map(|s| Finding::new("x", s, verdict, ""))
            .to_vec()
    }

    #[test]
    fn the_worst_finding_decides() {
        assert_eq!(
            judge(&all(Verdict::Pass), Survivability::Survivable).overall,
            Verdict::Pass
        );
        for verdict in [Verdict::Inconclusive, Verdict::Fail] {
            let mut findings = all(Verdict::Pass);
            findings.push(Finding::new("y", Stage::Recovery, verdict, ""));
            let verdicts = judge(&findings, Survivability::Survivable);
            assert_eq!(verdicts.overall, verdict);
            assert_eq!(verdicts.stages[&Stage::Recovery], verdict);
            assert_eq!(verdicts.stages[&Stage::Execution], Verdict::Pass);
        }
    }

    #[test]
    fn without_injection_nothing_is_judged_but_harm() {
        let mut findings = all(Verdict::Pass);
        findings[0].verdict = Verdict::Inconclusive;
        findings.push(Finding::new("y", Stage::Recovery, Verdict::Fail, ""));
        assert_eq!(
            judge(&findings, Survivability::Survivable).overall,
            Verdict::Inconclusive
        );
        findings.push(Finding::new("trades", Stage::Recovery, Verdict::Fail, "").harmful());
        assert_eq!(
            judge(&findings, Survivability::Survivable).overall,
            Verdict::Fail
        );
    }

    #[test]
    fn a_stage_without_findings_is_not_passed() {
        let findings = &all(Verdict::Pass)[..4];
        assert_eq!(
            judge(findings, Survivability::Survivable).overall,
            Verdict::Inconclusive
        );
    }

    #[test]
    fn an_unsurvivable_drill_excuses_lateness_only() {
        let mut findings = all(Verdict::Pass);
        findings.push(Finding::new("rto", Stage::Recovery, Verdict::Fail, ""));
        assert_eq!(
            judge(&findings, Survivability::Unsurvivable).overall,
            Verdict::Inconclusive
        );
        findings.push(Finding::new(
            "maintenance",
            Stage::CleanUp,
            Verdict::Fail,
            "",
        ));
        assert_eq!(
            judge(&findings, Survivability::Unsurvivable).overall,
            Verdict::Fail
        );
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
