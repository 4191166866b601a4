//! What the drills of a search have met: which fault began at which step, how steps ended, what oracles found.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::drill::DrillResult;
use crate::finding::OracleName;

/// One thing that a drill can meet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Met {
    /// A fault of a kind, on a target, began where the scenario says.
    Began {
        /// Kind.
        kind: &'static str,
        /// Target, where the kind has one.
        target: Option<String>,
        /// The anchor, as in scenario files.
        at: String,
    },
    /// It hit something, too.
    Hit {
        /// Kind.
        kind: &'static str,
        /// Target, where the kind has one.
        target: Option<String>,
        /// The anchor, as in scenario files.
        at: String,
    },
    /// A step ended.
    Ended {
        /// Step.
        step: String,
        /// How.
        outcome: String,
    },
    /// An oracle found something.
    Found {
        /// Who.
        oracle: OracleName,
        /// What.
        kind: &'static str,
    },
    /// The rollback of a release was begun by a trigger, and ended like this.
    Rolled {
        /// The release.
        release: String,
        /// How it ended.
        ending: &'static str,
    },
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began {
                kind,
                target: Some(target),
                at,
            } => write!(f, "{kind} of {target} begins at {at}"),
            Self::Began {
                kind,
                target: None,
                at,
            } => write!(f, "{kind} begins at {at}"),
            Self::Hit {
                kind,
                target: Some(target),
                at,
            } => write!(f, "{kind} of {target} hits at {at}"),
            Self::Hit {
                kind,
                target: None,
                at,
            } => write!(f, "{kind} hits at {at}"),
            Self::Ended { step, outcome } => write!(f, "{step}: {outcome}"),
            Self::Found { oracle, kind } => write!(f, "{oracle}: {kind}"),
            Self::Rolled { release, ending } => write!(f, "{release}: {ending}"),
        }
    }
}

impl Serialize for Met {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How often each thing was met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Coverage(BTreeMap<Met, u64>);

impl Coverage {
    /// How often `met` was met.
    #[must_use]
    pub fn count(&self, met: &Met) -> u64 {
        self.0.get(met).copied().unwrap_or(0)
    }

    /// `met` was met `times` more.
    pub fn add(&mut self, met: Met, times: u64) {
        *self.0.entry(met).or_default() += times;
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

    /// How often a fault of `kind` that began at the anchor `at` hit something, whatever its target.
    #[must_use]
    pub fn hit(&self, kind: &str, at: &str) -> u64 {
        let met = self.0.iter().filter(|(met, _)| {
            matches!(met, Met::Hit { kind: hit, at: when, .. } if *hit == kind && when == at)
        });
        met.map(|(_, times)| times).sum()
    }

    /// What one drill met. `scenario` is what was drilled.
    #[must_use]
    pub fn of(scenario: &crate::scenario::Scenario, result: &DrillResult) -> Self {
        let mut coverage = Self::default();
        for (fault, seen) in scenario.faults.iter().zip(&result.faults_seen) {
            let hits = seen.map(|(_, hits)| hits);
            let (kind, target) = (fault.kind.as_str(), fault.target.clone());
            let at = fault.when.to_text();
            if hits.is_some_and(|hits| hits > 0) {
                let (target, at) = (target.clone(), at.clone());
                coverage.add(Met::Hit { kind, target, at }, 1);
            }
            if hits.is_some() {
                coverage.add(Met::Began { kind, target, at }, 1);
            }
        }
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
}
