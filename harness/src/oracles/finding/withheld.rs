//! A question that has no answer in a drill, as what it rests on is not there, or was not seen for certain.

use std::fmt;

use super::fact::{Bearing, Fact, Numbers};
use super::kinds::{UNREAD, kinds};
use crate::evidence::Reading;
use crate::oracles::{Finding, OracleName};

/// Why an oracle withholds its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithheldFinding {
    /// Whose answer.
    pub oracle: OracleName,
    /// Why.
    pub because: Because,
}

/// What was not seen for certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// What it reads at the end could not be read.
    Unread {
        /// What.
        what: Reading,
        /// Why, in the words of whatever was asked.
        why: String,
    },
    /// The application that was drilled has nothing that it could ask about.
    NoLedger,
    /// The application that was drilled has no store that its clients write into.
    NoStore,
    /// The host held up whoever saw what it found.
    HeldUp {
        /// What it found.
        found: Box<Finding>,
    },
}

impl Fact for WithheldFinding {
    kinds! { self => self.because;
        Because::Unread { .. } => "unread", Bearing::Open, UNREAD;
        Because::NoLedger | Because::NoStore => "does-not-apply", Bearing::Good,
            "The question does not apply to this world";
        Because::HeldUp { .. } => "held-up", Bearing::Open,
            "The host held its clients up, so that the finding is not certain";
    }

    fn numbers(&self) -> Numbers {
        match &self.because {
            Because::Unread { .. } | Because::NoLedger | Because::NoStore => Numbers::default(),
            Because::HeldUp { found } => found.numbers(),
        }
    }
}

impl fmt::Display for WithheldFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.because {
            Because::Unread { what, why } => {
                write!(f, "{} could not be read at the end: {why}", what.as_str())
            }
            Because::NoLedger => f.write_str("does not apply: the application has no ledger"),
            Because::NoStore => {
                f.write_str("does not apply: no client of the application writes into a store")
            }
            Because::HeldUp { found } => {
                write!(
                    f,
                    "{found}; the host held its clients up meanwhile, so that is not certain"
                )
            }
        }
    }
}
