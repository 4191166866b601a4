//! What became of everything that was acknowledged.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::fact::{Bearing, Fact, HARM, Numbers};
use super::kinds::Kind;
use crate::oracles::OracleName;
use crate::stats::show_count;

/// What the books of one kind of record may show, in the order in which [`BooksFinding`] takes them apart.
macro_rules! kinds_of {
    ($one:literal) => {
        &[
            Kind {
                name: "empty",
                bearing: Bearing::Open,
                headline: concat!("No ", $one, " was ever acknowledged"),
            },
            Kind {
                name: "lost",
                bearing: HARM,
                headline: concat!("Acknowledged ", $one, "s are lost"),
            },
            Kind {
                name: "changed",
                bearing: HARM,
                headline: concat!("Acknowledged ", $one, "s are changed"),
            },
            Kind {
                name: "duplicated",
                bearing: HARM,
                headline: concat!("Acknowledged ", $one, "s are there twice"),
            },
            Kind {
                name: "unsought",
                bearing: Bearing::Open,
                headline: "Nobody looked for what was acknowledged",
            },
            Kind {
                name: "there",
                bearing: Bearing::Good,
                headline: "All that was acknowledged is there",
            },
        ]
    };
}

/// What the books are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Trades.
    Trade,
    /// Orders.
    Order,
    /// What clients of an application of somebody's own wrote into its store.
    Write,
}

impl Recorded {
    /// The word for one of them.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::Order => "order",
            Self::Write => "write",
        }
    }

    fn kinds(self) -> &'static [Kind; 6] {
        match self {
            Self::Trade => kinds_of!("trade"),
            Self::Order => kinds_of!("order"),
            Self::Write => kinds_of!("write"),
        }
    }
}

/// Acknowledged against present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookCounts {
    /// What clients hold an acknowledgement for, each once.
    pub acknowledged: u64,
    /// Acknowledged and absent.
    pub lost: u64,
    /// Acknowledged and present with another content.
    pub changed: u64,
    /// Present more than once, or acknowledged with two contents.
    pub duplicated: u64,
}

/// Acknowledged trades or orders against those present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BooksFinding {
    /// Which books.
    pub of: Recorded,
    /// What was counted.
    pub counts: BookCounts,
    /// The id of one that is not as it must be.
    pub example: Option<u64>,
    /// How many are not in the ledger in use and can be brought back; `None`: nobody had to look.
    pub to_bring_back: Option<u64>,
    /// What that amounts to.
    pub state: State,
}

/// What the counts amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was ever acknowledged.
    Empty,
    /// Some are gone, changed or doubled.
    Damaged,
    /// Some are not in the ledger, and nobody looked whether they can be brought back.
    Unsought,
    /// All are there, but for as many as may be absent.
    There,
}

impl Fact for BooksFinding {
    fn kinds(oracle: OracleName) -> &'static [Kind] {
        match oracle {
            OracleName::Trades => Recorded::Trade.kinds(),
            OracleName::Orders => Recorded::Order.kinds(),
            _ => Recorded::Write.kinds(),
        }
    }

    fn kind(&self) -> &'static Kind {
        let [empty, lost, changed, duplicated, unsought, there] = self.of.kinds();
        match self.state {
            State::Empty => empty,
            State::Damaged if self.counts.lost > 0 => lost,
            State::Damaged if self.counts.changed > 0 => changed,
            State::Damaged => duplicated,
            State::Unsought => unsought,
            State::There => there,
        }
    }

    fn numbers(&self) -> Numbers {
        let counts = self.counts;
        let numbers = Numbers::default()
            .with("acknowledged", counts.acknowledged)
            .with("lost", counts.lost)
            .with("changed", counts.changed)
            .with("duplicated", counts.duplicated);
        match self.to_bring_back {
            None => numbers,
            Some(back) => numbers.with("to_bring_back", back),
        }
    }
}

impl fmt::Display for BooksFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.of.as_str();
        let counts = self.counts;
        match self.state {
            State::Empty => write!(f, "no {word} was ever acknowledged"),
            State::Damaged => {
                let all = show_count(counts.acknowledged);
                write!(f, "of {all} acknowledged {word}s ")?;
                let parts = [
                    (counts.lost, "are gone"),
                    (counts.changed, "are there with another content"),
                    (counts.duplicated, "are there twice"),
                ];
                let parts = parts.iter().filter(|(n, _)| *n > 0);
                for (i, (n, what)) in parts.enumerate() {
                    let and = if i == 0 { "" } else { ", " };
                    write!(f, "{and}{} {what}", show_count(*n))?;
                }
                match self.example {
                    Some(id) => write!(f, ", for instance {word} {id}"),
                    None => Ok(()),
                }
            }
            State::Unsought => write!(
                f,
                "{} acknowledged {word}s are not in the ledger, and nobody looked whether they can be brought back",
                counts.lost
            ),
            State::There => {
                write!(
                    f,
                    "{} of {} acknowledged {word}s are there",
                    counts.acknowledged - counts.lost.min(counts.acknowledged),
                    counts.acknowledged
                )?;
                match self.to_bring_back {
                    None => Ok(()),
                    Some(back) => {
                        let log = match self.of {
                            Recorded::Trade | Recorded::Order => "the order log",
                            Recorded::Write => "the log",
                        };
                        write!(
                            f,
                            ", {back} of them to be brought back by a replay of {log}"
                        )
                    }
                }
            }
        }
    }
}
