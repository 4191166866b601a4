//! What an application calls what it does and what it keeps, in words for people.

use serde::{Deserialize, Serialize};

/// Words of an application. The default is what the exchange's are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Naming {
    /// What nobody can do while writes are fenced off, such as `trading`.
    pub halts: String,
    /// What the RPO counts, in the plural, such as `trades`.
    pub records: String,
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            halts: "trading".to_owned(),
            records: "trades".to_owned(),
        }
    }
}

impl Naming {
    /// Whether the words are the exchange's, so that nothing needs to be written down of them.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// One of two words: the exchange's, or that of an application of somebody's own.
    pub(crate) fn of<'a>(&self, exchange: &'a str, other: &'a str) -> &'a str {
        if self.is_default() { exchange } else { other }
    }

    /// What is acknowledged to clients: the exchange has orders and trades, any other application its records.
    pub(crate) fn acknowledged(&self) -> &str {
        self.of("orders and trades", &self.records)
    }

    /// Where what was acknowledged stands besides the ledger.
    pub(crate) fn log(&self) -> &str {
        self.of("order log", "log")
    }
}
