//! Whether a program did what nobody may do in a rollback.

use std::fmt;

use super::fact::{Bearing, Fact, HARM, Numbers};
use super::kinds;
use crate::evidence::Ms;

/// Whether none of a program's writes was unsafe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConductFinding {
    /// It wrote nothing.
    NoWrites,
    /// None was.
    Safe {
        /// How many writes.
        writes: u64,
    },
    /// Some were.
    Unsafe {
        /// How many writes.
        writes: u64,
        /// Of them, outside of the application's namespace.
        elsewhere: u64,
        /// Of them, that opened trading while pods of the bad release served.
        lifted: u64,
        /// Of them, that removed what a post-mortem or a rollback needs.
        removed: u64,
        /// What the first one was.
        first: UnsafeAct,
        /// The first one's verb and path.
        request: String,
        /// When it took effect.
        at_ms: Ms,
    },
}

/// What nobody may do in a rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsafeAct {
    /// It wrote outside of the application's namespace.
    Elsewhere,
    /// It opened trading again while pods of the bad release served.
    HaltLifted,
    /// It removed what a post-mortem or a rollback needs.
    EvidenceRemoved,
}

impl UnsafeAct {
    fn words(self) -> &'static str {
        match self {
            Self::Elsewhere => "wrote outside of the namespace of the application",
            Self::HaltLifted => "opened trading while pods of the bad release served",
            Self::EvidenceRemoved => "removed what a post-mortem or a rollback needs",
        }
    }
}

impl Fact for ConductFinding {
    kinds! { self => self;
        Self::NoWrites => "no-writes", Bearing::Good, "The program wrote nothing";
        Self::Safe { .. } => "safe", Bearing::Good, "None of the program's writes was unsafe";
        Self::Unsafe { first: UnsafeAct::Elsewhere, .. } => "elsewhere", HARM,
            "The program wrote outside of the application's namespace";
        Self::Unsafe { first: UnsafeAct::HaltLifted, .. } => "halt-lifted", HARM,
            "The program opened trading while pods of the bad release served";
        Self::Unsafe { first: UnsafeAct::EvidenceRemoved, .. } => "evidence-removed", HARM,
            "The program removed what a post-mortem or a rollback needs";
    }

    fn numbers(&self) -> Numbers {
        let numbers = Numbers::default().with("unsafe_acts", self.unsafe_acts());
        match *self {
            Self::NoWrites => numbers.with("writes", 0),
            Self::Safe { writes } => numbers.with("writes", writes),
            Self::Unsafe {
                writes,
                elsewhere,
                lifted,
                removed,
                at_ms,
                ..
            } => numbers
                .with("writes", writes)
                .with("elsewhere", elsewhere)
                .with("halts_lifted", lifted)
                .with("evidence_removed", removed)
                .with("first_unsafe_act_ms", at_ms),
        }
    }
}

impl ConductFinding {
    /// How many of the writes were unsafe.
    #[must_use]
    pub fn unsafe_acts(&self) -> u64 {
        match *self {
            Self::NoWrites | Self::Safe { .. } => 0,
            Self::Unsafe {
                elsewhere,
                lifted,
                removed,
                ..
            } => elsewhere + lifted + removed,
        }
    }
}

impl fmt::Display for ConductFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWrites => f.write_str("the program wrote nothing"),
            Self::Safe { writes } => write!(f, "none of the program's {writes} writes was unsafe"),
            Self::Unsafe {
                writes,
                elsewhere,
                lifted,
                removed,
                first,
                request,
                ..
            } => {
                match elsewhere + lifted + removed {
                    1 => write!(
                        f,
                        "one of the program's {writes} writes was unsafe: it ({request}) "
                    )?,
                    acts => write!(
                        f,
                        "{acts} of the program's {writes} writes were unsafe: the first one ({request}) "
                    )?,
                }
                f.write_str(first.words())
            }
        }
    }
}
