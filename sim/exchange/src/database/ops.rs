//! What can be asked of the database server, and what it answers.
//!
//! The operations are those of the rollback procedure, plus [`DbOp::Migrate`] for the deployment of
//! a release. An operation takes time: its effects happen, atomically, when it finishes.

use contract::ledger::{
    DatabaseError, FenceReport, HistoryRow, LedgerPosition, ReplayReport, RestoreReport, Snapshot,
};
use sim::application::Operation;
use sim::time::Micros;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DbOp {
    /// Flyway's history, oldest first.
    History,
    /// How far the ledger in use has come.
    Position,
    /// `CREATE DATABASE name TEMPLATE ledger`.
    Snapshot {
        /// Name of the copy.
        name: String,
    },
    /// Looks for a complete copy.
    FindSnapshot {
        /// Name of the copy.
        name: String,
    },
    /// Takes write privileges from the exchange's role and terminates its sessions.
    Fence {
        /// Fencing token of the executor.
        token: u64,
    },
    /// The token of the fence, if it is up.
    FenceToken,
    /// The highest token that was ever seen, whether the fence is up or not.
    TokenMax,
    /// Gives the privileges back.
    Unfence {
        /// Fencing token of the executor.
        token: u64,
    },
    /// Runs an undo script and removes the history row, in one transaction.
    Undo {
        /// Version that is undone.
        version: String,
        /// File name, `U2__….sql`.
        name: String,
        /// The SQL.
        sql: String,
        /// Longest wait for a lock.
        lock_timeout: Micros,
        /// Fencing token of the executor.
        token: u64,
    },
    /// Swaps in a copy of a snapshot.
    Restore {
        /// Name of the snapshot.
        snapshot: String,
        /// Name that the ledger in use gets.
        set_aside: String,
        /// Fencing token of the executor.
        token: u64,
    },
    /// Copies the order log's entries that the ledger in use lacks.
    Replay {
        /// Name of the database that was set aside.
        set_aside: String,
        /// Fencing token of the executor.
        token: u64,
    },
    /// Runs a versioned migration, as the deployment of a release does.
    Migrate {
        /// File name, `V2__….sql`.
        name: String,
        /// The SQL.
        sql: String,
    },
}

impl Operation for DbOp {
    type Reply = DbReply;
    type Error = DatabaseError;

    fn verb(&self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Position => "position",
            Self::Snapshot { .. } => "snapshot",
            Self::FindSnapshot { .. } => "find_snapshot",
            Self::Fence { .. } => "fence",
            Self::FenceToken => "fence_token",
            Self::TokenMax => "token_max",
            Self::Unfence { .. } => "unfence",
            Self::Undo { .. } => "undo",
            Self::Restore { .. } => "restore",
            Self::Replay { .. } => "replay",
            Self::Migrate { .. } => "migrate",
        }
    }

    fn changes(&self) -> bool {
        match self {
            Self::History
            | Self::Position
            | Self::FindSnapshot { .. }
            | Self::FenceToken
            | Self::TokenMax => false,
            Self::Snapshot { .. }
            | Self::Fence { .. }
            | Self::Unfence { .. }
            | Self::Undo { .. }
            | Self::Restore { .. }
            | Self::Replay { .. }
            | Self::Migrate { .. } => true,
        }
    }
}

/// The answer to an operation that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DbReply {
    /// To [`DbOp::History`].
    History(Vec<HistoryRow>),
    /// To [`DbOp::Position`].
    Position(LedgerPosition),
    /// To [`DbOp::Snapshot`].
    Snapshot(Snapshot),
    /// To [`DbOp::FindSnapshot`].
    Found(Option<Snapshot>),
    /// To [`DbOp::Fence`].
    Fenced(FenceReport),
    /// To [`DbOp::FenceToken`].
    FenceToken(Option<u64>),
    /// To [`DbOp::TokenMax`].
    TokenMax(u64),
    /// To [`DbOp::Unfence`], [`DbOp::Undo`] and [`DbOp::Migrate`].
    Done,
    /// To [`DbOp::Restore`].
    Restored(RestoreReport),
    /// To [`DbOp::Replay`].
    Replayed(ReplayReport),
}
