//! What is left behind: what the oracles of the stage `clean-up` find.

use std::fmt;

use super::fact::{Bearing, Fact, MISSED, Numbers, Severity};
use super::kinds;

/// Whether nothing is left in maintenance, or trading is halted where it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MaintenanceFinding {
    /// Trading is open.
    Open,
    /// Trading is halted until a person decides, as it must be.
    HaltedAsNeeded,
    /// The store of an application that is not the exchange takes writes.
    Unfenced,
    /// That store is fenced until a person decides, as it may be.
    FencedAsNeeded,
    /// Trading is open over a ledger that nobody made right.
    OpenOverWrongLedger {
        /// What the halt flag says.
        flag: String,
    },
    /// The fence is still up.
    FenceUp {
        /// Its token.
        token: u64,
    },
    /// The halt flag is gone.
    FlagGone,
    /// The halt flag is not at `open`.
    LeftAt {
        /// What it says.
        flag: String,
    },
}

impl Fact for MaintenanceFinding {
    kinds! { self => self;
        Self::Open => "open", Bearing::Good, "Trading is open";
        Self::HaltedAsNeeded => "halted-as-needed", Bearing::Good,
            "Trading is halted, as it has to be";
        Self::Unfenced => "unfenced", Bearing::Good, "No fence is left in the database";
        Self::FencedAsNeeded => "fenced-as-needed", Bearing::Good,
            "The database is fenced, as it has to be";
        Self::OpenOverWrongLedger { .. } => "open-over-wrong-ledger", MISSED,
            "Trading is open over a ledger that nobody made right";
        Self::FenceUp { .. } => "fence-up", MISSED, "The fence in the database is still up";
        Self::FlagGone => "flag-gone", MISSED, "The flag that halts trading is gone";
        Self::LeftAt { .. } => "left-halted", MISSED, "Trading was left halted";
    }
}

impl fmt::Display for MaintenanceFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("trading is open"),
            Self::HaltedAsNeeded => f.write_str("trading is halted until a person decides"),
            Self::Unfenced => f.write_str("the store is not fenced"),
            Self::FencedAsNeeded => f.write_str("the store is fenced until a person decides"),
            Self::OpenOverWrongLedger { flag } => write!(
                f,
                "the halt flag is at `{flag}` over a ledger that nobody made right"
            ),
            Self::FenceUp { token } => write!(
                f,
                "the fence in the database is still up, with token {token}"
            ),
            Self::FlagGone => f.write_str("the halt flag is gone"),
            Self::LeftAt { flag } => write!(f, "the halt flag is left at `{flag}`"),
        }
    }
}

/// Whether the lasting state is as it was before the deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateFinding {
    /// Nothing was to be rolled back.
    NothingToCompare,
    /// The state before was not recorded.
    NotRecorded,
    /// It is.
    Same {
        /// How many values were compared.
        compared: u64,
    },
    /// It is not.
    Differs {
        /// The first difference.
        first: Difference,
        /// How many differences there are.
        differences: u64,
        /// How many values were compared.
        compared: u64,
    },
}

/// A value that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It is gone.
    Gone {
        /// Its path.
        path: String,
    },
    /// It is another.
    Changed {
        /// Its path.
        path: String,
        /// What it was.
        was: String,
        /// What it is.
        is: String,
    },
    /// It was not there.
    New {
        /// Its path.
        path: String,
    },
}

impl Difference {
    /// Its path.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Gone { path } | Self::Changed { path, .. } | Self::New { path } => path,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone { path } => write!(f, "{path} is gone"),
            Self::Changed { path, was, is } => {
                let (was, is) = apart(was, is);
                write!(f, "{path} was `{was}` and is `{is}`")
            }
            Self::New { path } => write!(f, "{path} is new"),
        }
    }
}

/// Two values as they are shown: of a long one the part in which it begins to differ from the other.
fn apart(was: &str, is: &str) -> (String, String) {
    const WHOLE: usize = 60;
    const BEFORE: usize = 20;
    let both = was.chars().zip(is.chars());
    let from = both.take_while(|(a, b)| a == b).count();
    let from = from.saturating_sub(BEFORE);
    let shown = |value: &str| {
        if value.chars().count() <= WHOLE {
            return value.to_owned();
        }
        let mut shown = if from > 0 { "..." } else { "" }.to_owned();
        shown.extend(value.chars().skip(from).take(WHOLE - 6));
        if value.chars().count() > from + WHOLE - 6 {
            shown.push_str("...");
        }
        shown
    };
    (shown(was), shown(is))
}

impl Fact for StateFinding {
    kinds! { self => self;
        Self::NothingToCompare => "nothing-to-compare", Bearing::Good,
            "There is no recorded state to compare with";
        Self::NotRecorded => "not-recorded", Bearing::Open,
            "The state before the release was not recorded";
        Self::Same { .. } => "same", Bearing::Good,
            "The cluster is configured as it was before the release";
        Self::Differs { .. } => "differs", Bearing::Bad(Severity::Hygiene),
            "The cluster is not configured as it was before the release";
    }

    fn subject(&self) -> Option<&str> {
        match self {
            // What comes after the object and the field may be a generated name.
            Self::Differs { first, .. } => first.path().split('/').nth(1),
            _ => None,
        }
    }

    fn numbers(&self) -> Numbers {
        let numbers = Numbers::default();
        match *self {
            Self::NothingToCompare | Self::NotRecorded => numbers,
            Self::Same { compared } => numbers.with("compared", compared).with("differences", 0),
            Self::Differs {
                differences,
                compared,
                ..
            } => numbers
                .with("compared", compared)
                .with("differences", differences),
        }
    }
}

impl fmt::Display for StateFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingToCompare => f.write_str("nothing was to be rolled back"),
            Self::NotRecorded => f.write_str("the state before the deployment was not recorded"),
            Self::Same { .. } => f.write_str("as before the deployment"),
            Self::Differs {
                first,
                differences: 1,
                ..
            } => first.fmt(f),
            Self::Differs {
                first, differences, ..
            } => write!(f, "{first}, and {} more", differences - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::apart;

    #[test]
    fn where_long_values_differ_is_shown() {
        let (was, is) = (
            format!("{}3{}", "a".repeat(80), "b".repeat(80)),
            format!("{}1", "a".repeat(80)),
        );
        let (was, is) = apart(&was, &is);
        assert_eq!(was, format!("...{}3{}...", "a".repeat(20), "b".repeat(33)));
        assert_eq!(is, format!("...{}1", "a".repeat(20)));
        assert_eq!(apart("3", "1"), ("3".to_owned(), "1".to_owned()));
        let long = "c".repeat(70);
        assert_eq!(
            apart(&long, ""),
            (format!("{}...", "c".repeat(54)), String::new())
        );
    }
}
