//! What an application calls what it does and what it keeps, in words for people.

use serde::{Deserialize, Serialize};

/// Words of an application, as its runbook's front matter says them. The default fits any application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Naming {
    /// What nobody can do while writes are fenced off, such as `booking`; `writing` by default.
    pub halts: String,
    /// What the RPO counts, in the plural, such as `bookings`; `records` by default.
    pub records: String,
    /// Where what was acknowledged stands besides the ledger, such as `event log`; `log` by default.
    pub log: String,
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            halts: "writing".to_owned(),
            records: "records".to_owned(),
            log: "log".to_owned(),
        }
    }
}

impl Naming {
    /// Whether the words are the default ones, so that nothing needs to be written down of them.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
