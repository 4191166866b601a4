//! What can be asked of the database server, and what it answers.
//!
//! The operations are those of the rollback procedure, plus [`DbOp::Migrate`] for the deployment of
//! a release. An operation takes time: its effects happen, atomically, when it finishes.

use jiff::Timestamp;

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
    type Error = DbError;

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

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    /// The server refused; SQLSTATE as in PostgreSQL's appendix A.
    #[error("database refused ({sqlstate}): {message}")]
    Refused {
        /// Five characters.
        sqlstate: &'static str,
        /// The server's message.
        message: String,
    },
    /// The connection failed.
    #[error("database connection lost: {0}")]
    Connection(String),
    /// The operation's precondition does not hold; nothing was changed.
    #[error("{0}")]
    Precondition(String),
    /// A higher token has been seen: another executor acts.
    #[error("fenced off by executor token {0}")]
    StaleToken(u64),
}

impl DbError {
    pub(crate) fn refused(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self::Refused {
            sqlstate,
            message: message.into(),
        }
    }

    /// The SQLSTATE, if the server gave one.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&'static str> {
        match self {
            Self::Refused { sqlstate, .. } => Some(sqlstate),
            _ => None,
        }
    }
}

/// One row of Flyway's schema history table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRow {
    /// Order of application.
    pub installed_rank: i32,
    /// Version, or `None` for a repeatable migration.
    pub version: Option<String>,
    /// Description from the file's name.
    pub description: String,
    /// Flyway's type, for instance `SQL`.
    pub kind: String,
    /// File name.
    pub script: String,
    /// CRC32 over the lines, as Flyway computes it.
    pub checksum: Option<i32>,
    /// Whether the migration succeeded.
    pub success: bool,
}

/// A complete copy of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Name of the copy.
    pub name: String,
    /// When it was complete.
    pub taken_at: Timestamp,
    /// Size in bytes.
    pub size_bytes: u64,
    /// What it holds.
    pub position: LedgerPosition,
    /// Highest successfully applied schema version in it.
    pub schema_version: Option<String>,
}

/// How far a ledger has come, as its tables say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerPosition {
    /// Sequence number of the last entry in the order log.
    pub log_seq: u64,
    /// Highest order id in the table of orders.
    pub order_id_max: u64,
    /// Highest trade id in the table of trades or in the ledger's own row.
    pub trade_id_max: u64,
    /// Number of trades.
    pub trades: u64,
}

/// What raising the fence did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FenceReport {
    /// Sessions of the exchange that were terminated.
    pub sessions_terminated: u32,
    /// Whether the fence was already up with this token.
    pub already_up: bool,
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreReport {
    /// New name of the database that was in use before.
    pub set_aside: String,
    /// Its position.
    pub before: LedgerPosition,
    /// Position of the restored database.
    pub after: LedgerPosition,
    /// Whether an earlier attempt had already restored it.
    pub already_done: bool,
}

/// What copying the order log's tail did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// Entries copied.
    pub entries: u64,
    /// Position of the log afterwards.
    pub position: LedgerPosition,
}
