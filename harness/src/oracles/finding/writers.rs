//! Whether whoever wrote was entitled to.

use std::fmt;

use super::fact::{Bearing, Fact, HARM, Numbers};
use super::kinds;
use crate::evidence::Ms;
use crate::stats::show_ms;

/// Whether every write of an executor's host was made under a lease of its own,
/// and what rewrites the ledger behind the fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WritersFinding {
    /// No host wrote anything.
    NoWrites,
    /// All were.
    Entitled {
        /// How many writes.
        writes: u64,
        /// Of how many hosts.
        hosts: u64,
    },
    /// Some were not.
    Trespassed {
        /// How many writes.
        writes: u64,
        /// Of them, how many that should not have been.
        trespasses: u64,
        /// The first one's host.
        host: String,
        /// What it did.
        request: String,
        /// When it took effect.
        at_ms: Ms,
        /// What was wrong with it.
        why: Trespass,
    },
}

/// What is wrong with a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trespass {
    /// The host has never held the lease, or has given it up before it sent this.
    NoLease,
    /// Another host has taken the lease since.
    Superseded {
        /// Which.
        by: String,
    },
    /// The host's own lease was over when it sent this.
    RanOut {
        /// For how long.
        for_ms: Ms,
    },
    /// It carried another token than the host's lease.
    OtherToken {
        /// The one that it carried.
        token: u64,
        /// The lease's.
        lease: u64,
    },
    /// It rewrote the ledger while the exchange could write to it.
    Unfenced,
}

impl Fact for WritersFinding {
    kinds! { self => self;
        Self::NoWrites => "no-writes", Bearing::Good, "The program wrote nothing";
        Self::Entitled { .. } => "entitled", Bearing::Good, "Every write was made under a lease";
        Self::Trespassed { why: Trespass::NoLease, .. } => "no-lease", HARM,
            "A host wrote without a lease";
        Self::Trespassed { why: Trespass::Superseded { .. }, .. } => "superseded", HARM,
            "A host wrote after another one had taken its lease";
        Self::Trespassed { why: Trespass::RanOut { .. }, .. } => "ran-out", HARM,
            "A host wrote after its lease had run out";
        Self::Trespassed { why: Trespass::OtherToken { .. }, .. } => "other-token", HARM,
            "A host wrote with a token that is not its lease's";
        Self::Trespassed { why: Trespass::Unfenced, .. } => "unfenced", HARM,
            "A host wrote to the database without a fence";
    }

    fn numbers(&self) -> Numbers {
        let numbers = Numbers::default();
        match *self {
            Self::NoWrites => numbers.with("writes", 0),
            Self::Entitled { writes, hosts } => numbers.with("writes", writes).with("hosts", hosts),
            Self::Trespassed {
                writes,
                trespasses,
                at_ms,
                ..
            } => numbers
                .with("writes", writes)
                .with("trespasses", trespasses)
                .with("first_trespass_ms", at_ms),
        }
    }
}

impl fmt::Display for WritersFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWrites => f.write_str("no executor wrote anything"),
            Self::Entitled { writes, hosts: 1 } => {
                write!(f, "all {writes} writes were made under one host's lease")
            }
            Self::Entitled { writes, hosts } => {
                write!(
                    f,
                    "all {writes} writes of {hosts} hosts were made under their leases"
                )
            }
            Self::Trespassed {
                trespasses,
                host,
                request,
                why,
                ..
            } => {
                write!(f, "`{host}` wrote ({request}) ")?;
                match why {
                    Trespass::NoLease => f.write_str("without the lease")?,
                    Trespass::Superseded { by } => {
                        write!(f, "after `{by}` had taken the lease")?;
                    }
                    Trespass::RanOut { for_ms } => {
                        write!(f, "when its lease was over for {}", show_ms(*for_ms))?;
                    }
                    Trespass::OtherToken { token, lease } => {
                        write!(f, "with token {token}, and its lease's is {lease}")?;
                    }
                    Trespass::Unfenced => f.write_str("while the exchange could write, too")?,
                }
                match trespasses - 1 {
                    0 => Ok(()),
                    more => write!(f, ", and {more} more"),
                }
            }
        }
    }
}
