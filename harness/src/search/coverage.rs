//! What the drills of a search have met: which fault hit, and which step met it on which side of its effect;
//! which branches of the planner ran; how steps ended; what oracles found.

use std::collections::BTreeMap;
use std::fmt;

use executor::planner::{LedgerReason, Refusal, StepReason, plan};
use executor::runbook::Runbook;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::names;
use crate::drill::DrillResult;
use crate::drill::struck::Side;
use crate::finding::OracleName;

/// A name of a catalogue. (serde takes a field that is written as a reference for one that borrows from what is read.)
type Word = &'static str;

/// One thing that a drill can meet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Met {
    /// A fault of a kind, on a target, began where the scenario says.
    Began {
        /// Kind.
        #[serde(deserialize_with = "names::fault")]
        kind: Word,
        /// Target, where the kind has one.
        target: Option<String>,
        /// The anchor, as in scenario files.
        at: String,
    },
    /// It hit something, too.
    Hit {
        /// Kind.
        #[serde(deserialize_with = "names::fault")]
        kind: Word,
        /// Target, where the kind has one.
        target: Option<String>,
        /// The anchor, as in scenario files.
        at: String,
    },
    /// A step met a fault that hit something.
    Struck {
        /// Step.
        step: String,
        /// The service that the step was for, if it is for one.
        service: Option<String>,
        /// Kind.
        #[serde(deserialize_with = "names::fault")]
        kind: Word,
        /// Target, where the kind has one.
        target: Option<String>,
        /// On which side of the step's effect.
        #[serde(with = "names::side")]
        side: Side,
    },
    /// A step ended.
    Ended {
        /// Step.
        step: String,
        /// How.
        outcome: String,
    },
    /// A plan had a step, or left it out.
    Planned {
        /// Step.
        step: String,
        /// Whether it was left out.
        left_out: bool,
        /// Why.
        because: StepReason,
    },
    /// A plan dealt with the ledger for this reason.
    Ledger {
        /// Why.
        because: LedgerReason,
    },
    /// A plan brought a service back in this way.
    Target {
        /// How.
        #[serde(deserialize_with = "names::target")]
        target: Word,
    },
    /// There was no plan.
    Refused {
        /// Why.
        because: Refusal,
    },
    /// An oracle found something.
    #[serde(deserialize_with = "names::found")]
    Found {
        /// Who.
        oracle: OracleName,
        /// What.
        kind: Word,
    },
    /// The rollback of a release was begun by a trigger, and ended like this.
    Rolled {
        /// The release.
        release: String,
        /// How it ended.
        #[serde(deserialize_with = "names::ending")]
        ending: Word,
    },
}

/// A kind with its target, if it has one.
pub(super) fn of(kind: &str, target: Option<&String>) -> String {
    match target {
        Some(target) => format!("{kind} of {target}"),
        None => kind.to_owned(),
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began { kind, target, at } => {
                write!(f, "{} begins at {at}", of(kind, target.as_ref()))
            }
            Self::Hit { kind, target, at } => {
                write!(f, "{} hits at {at}", of(kind, target.as_ref()))
            }
            Self::Struck {
                step,
                service,
                kind,
                target,
                side,
            } => {
                let fault = of(kind, target.as_ref());
                match service {
                    Some(service) => write!(f, "{step} ({service}) met {fault}")?,
                    None => write!(f, "{step} met {fault}")?,
                }
                write!(f, " {}", side.as_str())
            }
            Self::Ended { step, outcome } => write!(f, "{step}: {outcome}"),
            Self::Planned {
                step,
                left_out: false,
                because,
            } => write!(f, "{step} planned: {because}"),
            Self::Planned { step, because, .. } => write!(f, "{step} left out: {because}"),
            Self::Ledger { because } => write!(f, "the ledger: {because}"),
            Self::Target { target } => write!(f, "back to: {target}"),
            Self::Refused { because } => write!(f, "no plan: {because}"),
            Self::Found { oracle, kind } => write!(f, "{oracle}: {kind}"),
            Self::Rolled { release, ending } => write!(f, "{release}: {ending}"),
        }
    }
}

/// How often each thing was met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<Met, u64>);

/// As reports have it: what was met, in words, with how often.
impl Serialize for Coverage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (met, times) in &self.0 {
            map.serialize_entry(&met.to_string(), times)?;
        }
        map.end()
    }
}

/// Coverage as it is kept for later searches, which read it back.
pub(super) mod kept {
    use super::{Coverage, Deserialize, Deserializer, Met, Serialize, SerializeSeq, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line<M> {
        times: u64,
        met: M,
    }

    pub(in crate::search) fn serialize<S: Serializer>(
        coverage: &Coverage,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(coverage.len()))?;
        for (met, times) in coverage.iter() {
            seq.serialize_element(&Line { times, met })?;
        }
        seq.end()
    }

    pub(in crate::search) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Coverage, D::Error> {
        let lines: Vec<Line<Met>> = Vec::deserialize(deserializer)?;
        let mut coverage = Coverage::default();
        for line in lines {
            coverage.add(line.met, line.times);
        }
        Ok(coverage)
    }
}

impl Coverage {
    /// How often `met` was met.
    #[must_use]
    pub fn count(&self, met: &Met) -> u64 {
        self.0.get(met).copied().unwrap_or(0)
    }

    /// `met` was met `times` more.
    pub fn add(&mut self, met: Met, times: u64) {
        let count = self.0.entry(met).or_default();
        *count = count.saturating_add(times);
    }

    /// Adds what `other` has met.
    pub fn merge(&mut self, other: Self) {
        for (met, times) in other.0 {
            self.add(met, times);
        }
    }

    /// How many different things were met.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was met.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that was met, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (&Met, u64)> {
        self.0.iter().map(|(met, &times)| (met, times))
    }

    /// What one drill met. `scenario` is what was drilled, by `runbook`.
    #[must_use]
    pub fn of(
        scenario: &crate::scenario::Scenario,
        runbook: &Runbook,
        result: &DrillResult,
    ) -> Self {
        let mut coverage = Self::default();
        if result.panicked() {
            // Its evidence is empty, and what the oracles say of that is nothing that a drill met.
            return coverage;
        }
        coverage.faults(scenario, result);
        coverage.plans(runbook, result);
        for step in &result.steps {
            let met = Met::Ended {
                step: step.name.clone(),
                outcome: step.outcome.to_string(),
            };
            coverage.add(met, 1);
        }
        for finding in &result.findings {
            let met = Met::Found {
                oracle: finding.oracle(),
                kind: finding.kind(),
            };
            coverage.add(met, 1);
        }
        let met = Met::Rolled {
            release: scenario.release.to.clone(),
            ending: result.ending.as_str(),
        };
        coverage.add(met, 1);
        coverage
    }

    fn faults(&mut self, scenario: &crate::scenario::Scenario, result: &DrillResult) {
        for (fault, seen) in scenario.faults.iter().zip(&result.faults_seen) {
            let hits = seen.map(|(_, hits)| hits);
            let (kind, target) = (fault.kind.as_str(), fault.target.clone());
            let at = fault.when.to_text();
            if hits.is_some_and(|hits| hits > 0) {
                let (target, at) = (target.clone(), at.clone());
                self.add(Met::Hit { kind, target, at }, 1);
            }
            if hits.is_some() {
                self.add(Met::Began { kind, target, at }, 1);
            }
        }
        for struck in &result.struck {
            let met = Met::Struck {
                step: struck.step.clone(),
                service: struck.service.clone(),
                kind: struck.kind,
                target: struck.target.clone(),
                side: struck.side,
            };
            self.add(met, 1);
        }
    }

    /// The planner is pure: what it observed says what it planned.
    fn plans(&mut self, runbook: &Runbook, result: &DrillResult) {
        for observed in &result.observed {
            let plan = match plan(runbook, observed) {
                Ok(plan) => plan,
                Err(error) => {
                    let because = error.refusal();
                    self.add(Met::Refused { because }, 1);
                    continue;
                }
            };
            if let Some(because) = plan.ledger.because {
                self.add(Met::Ledger { because }, 1);
            }
            for service in plan.services.iter().chain(&plan.left_alone) {
                let target = service.target.as_str();
                self.add(Met::Target { target }, 1);
            }
            for step in plan.steps.iter().chain(&plan.stand_by) {
                if let Some(because) = step.because {
                    let (step, left_out) = (step.name.clone(), false);
                    let met = Met::Planned {
                        step,
                        left_out,
                        because,
                    };
                    self.add(met, 1);
                }
            }
            for skipped in &plan.skipped {
                // Steps that are left out together for a service share one entry.
                for step in skipped.name.split(", ") {
                    if let Some(because) = skipped.because {
                        let (step, left_out) = (step.to_owned(), true);
                        let met = Met::Planned {
                            step,
                            left_out,
                            because,
                        };
                        self.add(met, 1);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct File {
        #[serde(with = "kept")]
        coverage: Coverage,
    }

    fn every_form() -> Coverage {
        let mut coverage = Coverage::default();
        let all = [
            Met::Began {
                kind: "pods-killed",
                target: Some("risk".to_owned()),
                at: "step undo-app".to_owned(),
            },
            Met::Hit {
                kind: "api-slow",
                target: None,
                at: "trigger".to_owned(),
            },
            Met::Struck {
                step: "undo-app".to_owned(),
                service: Some("risk".to_owned()),
                kind: crate::drill::struck::CRASH,
                target: None,
                side: Side::After,
            },
            Met::Ended {
                step: "undo-app".to_owned(),
                outcome: "already so".to_owned(),
            },
            Met::Planned {
                step: "undo-schema".to_owned(),
                left_out: true,
                because: StepReason::LedgerStays,
            },
            Met::Ledger {
                because: LedgerReason::NoMigration,
            },
            Met::Target {
                target: "replica-set",
            },
            Met::Refused {
                because: Refusal::NothingDiffers,
            },
            Met::Found {
                oracle: OracleName::Outcome,
                kind: "called",
            },
            Met::Rolled {
                release: "1.5.0".to_owned(),
                ending: "recovered",
            },
        ];
        for (times, met) in (1..).zip(all) {
            coverage.add(met, times);
        }
        coverage
    }

    #[test]
    fn what_is_kept_reads_back() {
        let coverage = every_form();
        let forms = coverage.iter().map(|(met, _)| std::mem::discriminant(met));
        let forms: Vec<_> = forms.collect();
        for (nth, form) in forms.iter().enumerate() {
            assert!(!forms[..nth].contains(form), "each form once");
        }
        let text = serde_json::to_string_pretty(&File { coverage }).expect("text");
        let read: File = serde_json::from_str(&text).expect("it reads");
        assert_eq!(read.coverage, every_form());
    }

    #[test]
    fn a_name_that_nothing_has_is_refused_with_its_place() {
        let coverage = every_form();
        let text = serde_json::to_string_pretty(&File { coverage }).expect("text");
        for (was, is) in [
            ("\"pods-killed\"", "\"pods-kissed\""),
            ("\"replica-set\"", "\"replica-bet\""),
            ("\"called\"", "\"culled\""),
            ("\"recovered\"", "\"recovering\""),
            ("\"after its effect\"", "\"after its end\""),
            ("\"ledger-stays\"", "\"ledger-strays\""),
        ] {
            assert!(text.contains(was), "{was} in {text}");
            let wrong = text.replacen(was, is, 1);
            let error = serde_json::from_str::<File>(&wrong).expect_err(is);
            let wanted = 1 + wrong.lines().position(|l| l.contains(is)).expect("there");
            // The place is the name's, or the end of what it is a part of.
            let near = error.line() >= wanted && error.line() <= wanted + 5;
            assert!(near && error.column() > 0, "{is}: {error}");
        }
    }
}
