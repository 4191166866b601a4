//! What is read of the world at the end, each by a request of the harness that may fail.

/// One of the things that are read at the end. Where that failed, the oracles that rest on it have no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reading {
    /// The orders and trades that are there.
    Books,
    /// The ledger beside what the prior release's engine makes of the order log.
    Reckoning,
    /// The live pods, and what they run.
    Pods,
    /// The halt flag and the fence.
    Maintenance,
    /// The lasting state.
    State,
}

impl Reading {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Books,
        Self::Reckoning,
        Self::Pods,
        Self::Maintenance,
        Self::State,
    ];

    /// The words in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Books => "the orders and trades",
            Self::Reckoning => "the ledger",
            Self::Pods => "the pods",
            Self::Maintenance => "the halt flag and the fence",
            Self::State => "the lasting state",
        }
    }
}
