//! The exchange's services.

/// One of the exchange's services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// The matching engine and its ledger.
    Matching,
    /// Reconciliation.
    Risk,
    /// The front door.
    Gateway,
}

impl Service {
    /// All services, in the order in which they roll back: what others depend on goes first.
    pub const ALL: [Self; 3] = [Self::Matching, Self::Risk, Self::Gateway];

    /// Name of the Deployment, the container and the image.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Matching => "matching",
            Self::Risk => "risk",
            Self::Gateway => "gateway",
        }
    }

    /// The service called `name`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}
