//! What all findings have in common.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::kinds::Kind;
use crate::oracles::{Finding, OracleName};
use crate::verdict::{Stage, Verdict};

/// How much a finding that is not a pass weighs. The greater, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Something was left lying about.
    Hygiene,
    /// What would show it is not there.
    MissingEvidence,
    /// The rollback did not do what it is for, or not in time.
    MissedObjective,
    /// Data are lost, wrong or doubled, a claim is false, or the executor broke down. No circumstance excuses it.
    Harm,
}

/// What a finding does to its drill's verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearing {
    /// It is as it must be.
    Good,
    /// Nothing is shown either way.
    Open,
    /// Nothing is shown either way, and nothing else that was seen counts, except harm.
    Void,
    /// It is not as it must be.
    Bad(Severity),
}

impl Bearing {
    /// The verdict that it amounts to.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Good => Verdict::Pass,
            Self::Open | Self::Void => Verdict::Inconclusive,
            Self::Bad(_) => Verdict::Fail,
        }
    }

    /// How much it weighs; `None`: it is a pass.
    #[must_use]
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::Good => None,
            Self::Open | Self::Void => Some(Severity::MissingEvidence),
            Self::Bad(severity) => Some(severity),
        }
    }
}

/// Harm.
pub(super) const HARM: Bearing = Bearing::Bad(Severity::Harm);
/// The rollback did not do what it is for, or not in time.
pub(super) const MISSED: Bearing = Bearing::Bad(Severity::MissedObjective);
/// What would show it was not kept.
pub(super) const UNKEPT: Bearing = Bearing::Bad(Severity::MissingEvidence);

/// The numbers behind a finding as `journal.json` shows them; units are part of the names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers(pub BTreeMap<&'static str, i64>);

impl Numbers {
    /// Adds a number; beyond the range of `i64` it is its end.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl TryInto<i64>) -> Self {
        self.0.insert(name, value.try_into().unwrap_or(i64::MAX));
        self
    }
}

/// One of the things that an oracle can find. Its [`Display`](fmt::Display) says it in one sentence.
pub trait Fact: fmt::Display {
    /// All that `oracle` can find of this type. Most types are found by one oracle alone.
    fn kinds(oracle: OracleName) -> &'static [Kind]
    where
        Self: Sized;

    /// What tells it from the other things that its oracle finds.
    fn kind(&self) -> &'static Kind;

    /// What it does to the verdict.
    fn bearing(&self) -> Bearing {
        self.kind().bearing
    }

    /// The step, service or path that it is about, where that tells failures apart; never a generated name.
    fn subject(&self) -> Option<&str> {
        None
    }

    /// The numbers behind it.
    fn numbers(&self) -> Numbers {
        Numbers::default()
    }
}

/// What makes two findings the same failure: neither numbers nor generated names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class {
    /// Who found it.
    pub oracle: OracleName,
    /// See [`Fact::kind`].
    pub kind: &'static str,
    /// See [`Fact::subject`].
    pub subject: Option<String>,
}

impl Finding {
    /// The stage that it judges.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.oracle().stage()
    }

    /// What tells it from the other things that its oracle finds, in kebab-case.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.fact().kind().name
    }

    /// What it does to the drill's verdict.
    #[must_use]
    pub fn bearing(&self) -> Bearing {
        self.fact().bearing()
    }

    /// Its verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.bearing().verdict()
    }

    /// How much it weighs; `None`: it is a pass.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        self.bearing().severity()
    }

    /// Whether it is harm, which no circumstance excuses.
    #[must_use]
    pub fn is_harm(&self) -> bool {
        self.severity() == Some(Severity::Harm)
    }

    /// Which failure it is.
    #[must_use]
    pub fn class(&self) -> Class {
        Class {
            oracle: self.oracle(),
            kind: self.kind(),
            subject: self.fact().subject().map(str::to_owned),
        }
    }

    /// The numbers behind it.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        self.fact().numbers()
    }

    /// The order in which the findings of a drill of the verdict `overall` are told; see [`order`].
    #[must_use]
    pub fn order(&self, overall: Verdict) -> impl Ord + use<> {
        order(self.oracle(), self.verdict(), self.severity(), overall)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fact().fmt(f)
    }
}

/// Whether a finding of `oracle` of that kind is [`Bearing::Void`], for who has no more of it than a journal tells.
#[must_use]
pub fn voids(oracle: OracleName, kind: &str) -> bool {
    let kind = oracle.kind_named(kind);
    kind.is_some_and(|kind| kind.bearing == Bearing::Void)
}

/// The order in which the findings of a drill of the verdict `overall` are told: harm first, and of it what became of
/// the data; then what decided; then what kept the drill from showing anything, which is the cause of all that follows;
/// then by weight, then by stage.
pub fn order(
    oracle: OracleName,
    verdict: Verdict,
    severity: Option<Severity>,
    overall: Verdict,
) -> impl Ord + use<> {
    let harm = severity == Some(Severity::Harm);
    (
        !harm,
        !(harm && oracle.is_about_data()),
        verdict != overall,
        oracle.stage() != Stage::Injection,
        Reverse(severity),
        oracle,
    )
}
