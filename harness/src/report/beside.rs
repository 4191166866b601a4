//! What a page shows that its own journal does not hold.

use super::against::Changes;
use super::trend::Trend;

/// What a page shows beside its journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// What changed since another run.
    pub changes: Option<Changes>,
    /// How it went over time.
    pub trend: Option<Trend>,
}
