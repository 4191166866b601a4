//! What the ledger holds at the end against what the order log gives, and orders that nobody sent.

use std::fmt;

use super::fact::{Bearing, Fact, HARM, MISSED, Numbers};
use super::kinds::{UNREAD, kinds};
use crate::stats::show_count;

/// Whether the ledger is what the prior release's engine makes of the order log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerFinding {
    /// The ledger could not be read.
    Unread,
    /// It is, entry by entry.
    Equal {
        /// How many numbers and trades were compared.
        compared: u64,
        /// The last entry of the order log that both include.
        as_of: u64,
    },
    /// It is not.
    Differs {
        /// How many numbers and trades differ.
        differences: u64,
        /// How many were compared.
        compared: u64,
        /// The last entry of the order log that both include.
        as_of: u64,
        /// Entries of the log that the engine refuses.
        refused: u64,
        /// The first difference, in words.
        first: Option<String>,
        /// Whether the executor claims recovery all the same.
        claimed: bool,
    },
}

impl Fact for LedgerFinding {
    kinds! { self => self;
        Self::Unread => "unread", Bearing::Open, UNREAD;
        Self::Equal { .. } => "equal", Bearing::Good, "The ledger is what the order log makes";
        Self::Differs { refused: 1.., .. } => "refused", MISSED,
            "The ledger refuses entries that were accepted";
        Self::Differs { .. } => "differs", MISSED, "The ledger is not what the order log makes";
    }

    fn bearing(&self) -> Bearing {
        match self {
            // A wrong ledger is harm only under a claim.
            Self::Differs { claimed: true, .. } => HARM,
            Self::Unread | Self::Equal { .. } | Self::Differs { .. } => self.kind().bearing,
        }
    }

    fn numbers(&self) -> Numbers {
        let numbers = Numbers::default();
        match *self {
            Self::Unread => numbers,
            Self::Equal { compared, as_of } => {
                numbers.with("compared", compared).with("as_of", as_of)
            }
            Self::Differs {
                differences,
                compared,
                as_of,
                refused,
                ..
            } => numbers
                .with("compared", compared)
                .with("as_of", as_of)
                .with("differences", differences)
                .with("refused", refused),
        }
    }
}

impl fmt::Display for LedgerFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread => f.write_str("the ledger could not be read at the end"),
            Self::Equal { compared, .. } => write!(
                f,
                "all {} numbers and trades of the ledger are what the prior release makes of the order log",
                show_count(*compared)
            ),
            Self::Differs {
                differences,
                compared,
                refused,
                first,
                ..
            } => {
                write!(
                    f,
                    "{} of {} numbers and trades of the ledger are not what the prior release makes of the order log",
                    show_count(*differences),
                    show_count(*compared)
                )?;
                if let Some(first) = first {
                    write!(f, ": {first}")?;
                }
                if *refused > 0 {
                    let refused = show_count(*refused);
                    write!(f, "; it refuses {refused} entries that were accepted")?;
                }
                Ok(())
            }
        }
    }
}

/// Whether every order in the log was sent by a client, and is there once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhantomsFinding {
    /// How many orders are acknowledged; without any nothing is shown.
    pub acknowledged: u64,
    /// Orders in the log whose acknowledgement nobody holds.
    pub unclaimed: u64,
    /// Those of them that nobody sent, or that are there more often than they were sent.
    pub phantoms: u64,
    /// The id of one.
    pub example: Option<u64>,
}

impl Fact for PhantomsFinding {
    kinds! { self => (self.acknowledged, self.phantoms);
        (_, 1..) => "phantoms", HARM, "The log has orders that no client sent";
        (0, 0) => "empty", Bearing::Open, "The log has no orders";
        (_, 0) => "none", Bearing::Good, "Every order of the log was sent by a client";
    }

    fn numbers(&self) -> Numbers {
        Numbers::default()
            .with("unclaimed", self.unclaimed)
            .with("phantoms", self.phantoms)
    }
}

impl fmt::Display for PhantomsFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.acknowledged, self.phantoms) {
            (_, 1..) => {
                let phantoms = show_count(self.phantoms);
                write!(
                    f,
                    "{phantoms} orders are in the log that no client sent, or more often"
                )?;
                match self.example {
                    Some(id) => write!(f, ", for instance order {id}"),
                    None => Ok(()),
                }
            }
            (0, 0) => f.write_str("no order was ever acknowledged"),
            (_, 0) => write!(
                f,
                "each order in the log was sent by a client; {} of them never learned so",
                show_count(self.unclaimed)
            ),
        }
    }
}
