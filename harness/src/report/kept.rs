//! What clients hold acknowledgements for, in the words of the application that was drilled: trades of the exchange,
//! writes of any other application with a store, and nothing of one without.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::journal::Drill;
use crate::drill::DrillResult;
use crate::finding::OracleName;

/// What is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Trades of the exchange.
    Trades,
    /// Writes into the store of an application.
    Writes,
    /// Nothing: the application has no store.
    Nothing,
    /// Not the same in all drills.
    Several,
}

impl What {
    /// One word for it: `trades`, `writes`, `records`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Writes | Self::Nothing => "writes",
            Self::Several => "records",
        }
    }

    /// The same at the beginning of a heading.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::Trades => "Trades",
            Self::Writes | Self::Nothing => "Writes",
            Self::Several => "Records",
        }
    }
}

/// How much was acknowledged, and how much of it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it is.
    pub what: What,
    /// How many.
    pub acknowledged: u64,
    /// How many of them are absent or changed at the end.
    pub lost: u64,
}

impl Kept {
    /// Of a drill.
    #[must_use]
    pub fn of_result(result: &DrillResult) -> Self {
        let mut findings = result.findings.iter();
        let writes = findings.find(|it| it.oracle() == OracleName::AcknowledgedWrites);
        match writes {
            None => Self::trades(result.trades.acknowledged, result.trades_lost()),
            Some(found) => Self::writes(found.kind(), &found.numbers().0),
        }
    }

    /// Of a journal's drill.
    #[must_use]
    pub fn of_drill(drill: &Drill<'_>) -> Self {
        let mut findings = drill.findings.iter();
        let writes = findings.find(|it| it.oracle == OracleName::AcknowledgedWrites);
        match writes {
            None => Self::trades(drill.trades_acknowledged, drill.trades_lost),
            Some(found) => Self::writes(&found.kind, &found.numbers),
        }
    }

    fn trades(acknowledged: u64, lost: u64) -> Self {
        Self {
            what: What::Trades,
            acknowledged,
            lost,
        }
    }

    /// By the oracle's numbers, which it has none of where there is no store.
    fn writes<K: Borrow<str> + Ord>(kind: &str, numbers: &BTreeMap<K, i64>) -> Self {
        let number = |name: &str| {
            numbers
                .get(name)
                .map_or(0, |n| u64::try_from(*n).unwrap_or(0))
        };
        Self {
            what: if kind == "does-not-apply" {
                What::Nothing
            } else {
                What::Writes
            },
            acknowledged: number("acknowledged"),
            lost: number("lost").saturating_add(number("changed")),
        }
    }

    /// Of several drills or scenarios together. A journal may come from anywhere: its numbers must not overflow.
    #[must_use]
    pub fn sum(all: impl IntoIterator<Item = Self>) -> Self {
        let together = |sum: Self, it: Self| Self {
            what: match (sum.what, it.what) {
                (one, other) if one == other => one,
                // Where nothing is stored, nothing can be lost beside what is stored elsewhere.
                (What::Nothing, other) | (other, What::Nothing) => other,
                _ => What::Several,
            },
            acknowledged: sum.acknowledged.saturating_add(it.acknowledged),
            lost: sum.lost.saturating_add(it.lost),
        };
        let none = Self::trades(0, 0);
        all.into_iter().reduce(together).unwrap_or(none)
    }
}
