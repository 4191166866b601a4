//! What can be asked of the store's server, and what it answers.

use contract::ledger::{
    DatabaseError, FenceReport, HistoryRow, LedgerPosition, ReplayReport, RestoreReport, Snapshot,
};
use sim::application::Operation;

/// One operation. Its effect comes, as a whole, when it finishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreOp {
    /// Reads what is not a row.
    Look,
    /// Changes something.
    Change(StoreChange),
}

/// What changes the store. A token is the fencing token of an executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreChange {
    /// Runs the migration to a version, as the deployment of a release does.
    Migrate(u32),
    /// Takes a snapshot of that name.
    Snapshot(String),
    /// Takes the right to write from the services.
    Fence(u64),
    /// Gives it back.
    Unfence(u64),
    /// Runs the undo script of that name and text.
    Undo(String, String, u64),
    /// Puts the snapshot of that name in the store's place, which is set aside under another one.
    Restore {
        /// Name of the snapshot.
        snapshot: String,
        /// Name that the store gets that was in use.
        set_aside: String,
        /// The token.
        token: u64,
    },
    /// Writes again what the log has and the store in use lacks.
    Replay(String, u64),
}

impl StoreChange {
    /// The fencing token that it carries.
    pub(super) fn token(&self) -> Option<u64> {
        match self {
            Self::Migrate(_) | Self::Snapshot(_) => None,
            Self::Fence(token)
            | Self::Unfence(token)
            | Self::Undo(_, _, token)
            | Self::Restore { token, .. }
            | Self::Replay(_, token) => Some(*token),
        }
    }

    /// Whether it rewrites the store, so that nobody may write to it meanwhile.
    pub(super) fn rewrites(&self) -> bool {
        matches!(
            self,
            Self::Undo(..) | Self::Restore { .. } | Self::Replay(..)
        )
    }
}

impl Operation for StoreOp {
    type Reply = StoreReply;
    type Error = DatabaseError;

    fn verb(&self) -> &'static str {
        let Self::Change(change) = self else {
            return "look";
        };
        match change {
            StoreChange::Migrate(_) => "migrate",
            StoreChange::Snapshot(_) => "snapshot",
            StoreChange::Fence(_) => "fence",
            StoreChange::Unfence(_) => "unfence",
            StoreChange::Undo(..) => "undo",
            StoreChange::Restore { .. } => "restore",
            StoreChange::Replay(..) => "replay",
        }
    }

    fn changes(&self) -> bool {
        matches!(self, Self::Change(_))
    }
}

/// What is there besides rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreSeen {
    /// The migrations that are applied, oldest first.
    pub history: Vec<HistoryRow>,
    /// How far the store in use has come: its rows count as entries of a log.
    pub position: LedgerPosition,
    /// The token of the fence, if it is up.
    pub fence: Option<u64>,
    /// The highest token that the fence has ever carried.
    pub token_max: u64,
    /// The snapshots that are complete.
    pub snapshots: Vec<Snapshot>,
}

/// The answer to an operation that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreReply {
    /// To a look.
    Seen(StoreSeen),
    /// To a migration, an undo, and to the fence lowered.
    Done,
    /// To a snapshot.
    Snapshot(Snapshot),
    /// To the fence raised.
    Fenced(FenceReport),
    /// To a restore.
    Restored(RestoreReport),
    /// To a replay.
    Replayed(ReplayReport),
}
