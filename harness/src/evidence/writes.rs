//! Who wrote: every request of an executor's host that changed something, as the world itself recorded it.

use super::Ms;

/// A request of an executor's host that took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteSeen {
    /// The host, as the world knows the sender.
    pub host: String,
    /// Its number among the host's requests, from 1.
    pub number: u64,
    /// When the host sent it.
    pub sent_ms: Ms,
    /// When it took effect.
    pub at_ms: Ms,
    /// What it did.
    pub what: Wrote,
}

/// What a request changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// The executors' Lease.
    Lease {
        /// The fencing token that it carries since then.
        token: u64,
        /// For how long the host holds it from then on; 0: it was given up.
        lasts_ms: Ms,
    },
    /// Another object of the cluster.
    Object {
        /// Verb and path.
        request: String,
        /// What it sets the halt flag to, where it writes the flag in JSON or YAML.
        flag: Option<String>,
    },
    /// The ledger.
    Ledger {
        /// The operation.
        operation: LedgerWrite,
        /// The fencing token that it carried.
        token: u64,
        /// Token of the fence at that instant; `None`: it was down.
        fence: Option<u64>,
    },
}

/// What an executor does to the ledger under its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LedgerWrite {
    /// Raises the fence.
    Fence,
    /// Lowers it.
    Unfence,
    /// Runs an undo script.
    Undo,
    /// Puts a copy of the snapshot in the ledger's place.
    Restore,
    /// Copies the order log's tail.
    Replay,
}

impl LedgerWrite {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fence => "fence",
            Self::Unfence => "unfence",
            Self::Undo => "undo",
            Self::Restore => "restore",
            Self::Replay => "replay",
        }
    }

    /// Whether it rewrites the ledger, so that nobody may write to it meanwhile.
    #[must_use]
    pub fn needs_fence(self) -> bool {
        match self {
            Self::Fence | Self::Unfence => false,
            Self::Undo | Self::Restore | Self::Replay => true,
        }
    }
}
