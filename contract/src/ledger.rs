//! What is asked of a ledger's database, and what it answers.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A database operation that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// The server refused; `sqlstate` as in PostgreSQL's appendix A.
    #[error("database refused ({sqlstate}): {message}")]
    Refused {
        /// Five-character SQLSTATE.
        sqlstate: String,
        /// The server's message.
        message: String,
    },
    /// The connection failed: whether the operation took effect is unknown.
    #[error("database connection lost: {0}")]
    Connection(String),
    /// The operation's precondition does not hold; nothing was changed.
    #[error("{0}")]
    Precondition(String),
    /// A fence with a higher token is in place: another executor acts.
    #[error("fenced off by executor token {0}")]
    StaleToken(u64),
}

impl DatabaseError {
    /// The server refused with this SQLSTATE and this message.
    pub fn refused(sqlstate: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Refused {
            sqlstate: sqlstate.into(),
            message: message.into(),
        }
    }

    /// The SQLSTATE, if the server gave one.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Refused { sqlstate, .. } => Some(sqlstate),
            Self::Connection(_) | Self::Precondition(_) | Self::StaleToken(_) => None,
        }
    }

    /// Whether the same operation may succeed if it is repeated: lock not available (55P03), object in use (55006), a
    /// database that is closed for a copy (55000), serialization failure, deadlock, resources that are used up for now
    /// (class 53), a server that shuts down, starts, or is not the primary yet (25006), connection failures.
    /// A database that does not exist (3D000) will not exist later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connection(_) => true,
            Self::Refused { sqlstate, message } => match sqlstate.as_str() {
                "55P03" | "55006" | "40001" | "40P01" | "57P01" | "57P02" | "57P03" | "25006" => {
                    true
                }
                // Object not in prerequisite state: of many kinds, of which one passes.
                "55000" => message.contains("not currently accepting connections"),
                other => other.starts_with("53") || other.starts_with("08"),
            },
            Self::Precondition(_) | Self::StaleToken(_) => false,
        }
    }
}

/// One row of Flyway's schema history table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// The script that undoes one versioned migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoScript {
    /// Version that it undoes.
    pub version: String,
    /// File name, `U2__….sql`.
    pub name: String,
    /// The SQL.
    pub sql: String,
}

/// A copy of the ledger database, made by `CREATE DATABASE … TEMPLATE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

impl Snapshot {
    /// Why it is not the one that was `recorded` before the deployment, if so: by its name, when it was taken, what
    /// it holds and at which schema. A later one may hold what the bad release wrote; an earlier or an empty one
    /// lacks what was acknowledged.
    #[must_use]
    pub fn differs_from(&self, recorded: &Self) -> Option<String> {
        let is = |it: &Self| {
            format!(
                "`{}`, taken at {}, schema {}, order log up to {}, {} trades",
                it.name,
                it.taken_at,
                it.schema_version.as_deref().unwrap_or("none"),
                it.position.log_seq,
                it.position.trades
            )
        };
        let same = self.name == recorded.name
            && self.taken_at == recorded.taken_at
            && self.position == recorded.position
            && self.schema_version == recorded.schema_version;
        (!same).then(|| format!("found is {}; recorded was {}", is(self), is(recorded)))
    }
}

/// How far a ledger has come, as its tables say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceReport {
    /// Sessions of the exchange that were terminated.
    pub sessions_terminated: u32,
    /// Whether the fence was already up (with this token).
    pub already_up: bool,
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreReport {
    /// The database that was in use before, under its new name.
    pub set_aside: String,
    /// Position of the database that was set aside.
    pub before: LedgerPosition,
    /// Position of the restored database.
    pub after: LedgerPosition,
    /// Whether an earlier attempt had already restored it.
    pub already_done: bool,
}

/// What copying the order log's tail did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayReport {
    /// Entries of the order log copied; the matching engine replays them when it starts.
    pub entries: u64,
    /// Position of the log afterwards.
    pub position: LedgerPosition,
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bytes, seq) = (&self.name, self.size_bytes, self.position.log_seq);
        write!(f, "{name}: {bytes} bytes, order log up to {seq}")
    }
}

impl fmt::Display for FenceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let already = if self.already_up { " already" } else { "" };
        let ended = self.sessions_terminated;
        write!(f, "fence up{already}, {ended} sessions ended")
    }
}

impl fmt::Display for RestoreReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (self.before.log_seq, self.after.log_seq);
        let already = if self.already_done { "already " } else { "" };
        let set_aside = &self.set_aside;
        write!(
            f,
            "order log {already}back from {before} to {after}; what was in use is {set_aside}"
        )
    }
}

impl fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} entries, up to {}",
            self.entries, self.position.log_seq
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{DatabaseError, FenceReport, LedgerPosition, ReplayReport, RestoreReport};

    #[test]
    fn what_was_done_is_told_in_a_line() {
        let at = |log_seq| LedgerPosition {
            log_seq,
            ..LedgerPosition::default()
        };
        let mut fence = FenceReport::default();
        assert_eq!(fence.to_string(), "fence up, 0 sessions ended");
        fence.already_up = true;
        assert_eq!(fence.to_string(), "fence up already, 0 sessions ended");
        let mut restore = RestoreReport {
            set_aside: "old".to_owned(),
            before: at(9),
            after: at(7),
            already_done: false,
        };
        let said = "order log back from 9 to 7; what was in use is old";
        assert_eq!(restore.to_string(), said);
        restore.already_done = true;
        let said = "order log already back from 9 to 7; what was in use is old";
        assert_eq!(restore.to_string(), said);
        let replay = ReplayReport {
            entries: 2,
            position: at(9),
        };
        assert_eq!(replay.to_string(), "2 entries, up to 9");
    }

    #[test]
    fn what_passes_is_tried_again_and_what_does_not_is_not() {
        let refused = |sqlstate: &str, message: &str| DatabaseError::Refused {
            sqlstate: sqlstate.to_owned(),
            message: message.to_owned(),
        };
        for sqlstate in ["55P03", "57P03", "53300", "53100", "08006", "25006"] {
            assert!(refused(sqlstate, "").is_transient(), "{sqlstate}");
        }
        let closed = "database \"ledger\" is not currently accepting connections";
        assert!(refused("55000", closed).is_transient());
        let final_ones = [
            refused(
                "55000",
                "currval of sequence is not yet defined in this session",
            ),
            refused("3D000", "database \"legder\" does not exist"),
            refused("42501", "permission denied"),
            DatabaseError::StaleToken(3),
        ];
        for error in final_ones {
            assert!(!error.is_transient(), "{error}");
        }
    }
}
