//! What the executor reaches the world through. Each port has a real implementation (feature
//! `live`) and one of the simulated world (in the harness); nothing else in this crate does I/O.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tower::util::BoxCloneSyncService;

use crate::clock::Clock;

/// Plain HTTP, for Prometheus and Loki: a tower service over whole bodies.
pub type HttpClient = BoxCloneSyncService<http::Request<Bytes>, http::Response<Bytes>, HttpError>;

/// A request that got no HTTP answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer from {host}: {reason}")]
pub struct HttpError {
    /// Host that was asked.
    pub host: String,
    /// Why there was no answer.
    pub reason: String,
}

/// Everything that the executor acts through.
#[derive(Clone)]
pub struct Ports {
    /// The cluster.
    pub kube: kube::Client,
    /// Prometheus and Loki.
    pub http: HttpClient,
    /// The ledger database.
    pub database: Arc<dyn Database>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where log dumps, the post-mortem and the reproducing scenario are kept.
    pub evidence: Arc<dyn EvidenceStore>,
}

/// A place for files that must outlive the incident.
#[async_trait]
pub trait EvidenceStore: Send + Sync {
    /// Stores `content` under `name` (a relative path with `/`), replacing what was there.
    ///
    /// # Errors
    /// What kept it from being stored.
    async fn put(&self, name: &str, content: Bytes) -> Result<(), String>;
}

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
    /// Whether the same operation may succeed if it is repeated: lock not available (55P03), object in use (55006), a database that is
    /// closed for a copy (55000), serialization failure, deadlock, resources that are used up for now (class 53), a server that shuts down,
    /// starts, or is not the primary yet (25006), connection failures. A database that does not exist (3D000) will not exist later.
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

/// The ledger database, as the rollback procedure needs it. Every operation is idempotent: repeated
/// after a crash or a lost answer, it finds its work done and says so.
#[async_trait]
pub trait Database: Send + Sync {
    /// Flyway's history, oldest first.
    async fn history(&self) -> Result<Vec<HistoryRow>, DatabaseError>;
    /// How far the ledger in use has come.
    async fn position(&self) -> Result<LedgerPosition, DatabaseError>;
    /// Copies the ledger in use to a database called `name`. Sessions of the exchange are cut and come back.
    async fn snapshot(&self, name: &str) -> Result<Snapshot, DatabaseError>;
    /// The snapshot called `name`, if it is there and complete.
    async fn find_snapshot(&self, name: &str) -> Result<Option<Snapshot>, DatabaseError>;
    /// Raises the fence: the exchange's role can write nothing, its sessions are terminated.
    /// The fence carries the executor's fencing token; one with a lower token is refused.
    async fn fence(&self, token: u64) -> Result<FenceReport, DatabaseError>;
    /// The token of the fence, if it is up.
    async fn fence_token(&self) -> Result<Option<u64>, DatabaseError>;
    /// The highest token that the fence has ever carried, whether it is up or not; 0 if there never was a fence.
    /// A lower one is refused for good.
    async fn token_max(&self) -> Result<u64, DatabaseError>;
    /// Lowers the fence.
    async fn unfence(&self, token: u64) -> Result<(), DatabaseError>;
    /// Runs one undo script and removes its migration's history row, in one transaction with
    /// `lock_timeout`. If a lock is not to be had in that time, the ledger's sessions are ended and it fails (55P03): the next
    /// attempt gets through. Does nothing if the history shows the version as not applied.
    async fn undo(
        &self,
        script: &UndoScript,
        lock_timeout: Duration,
        token: u64,
    ) -> Result<(), DatabaseError>;
    /// Puts a copy of the snapshot in place of the ledger in use, which is set aside under
    /// `set_aside`. Sequences are moved past every id issued. The fence is up on the restored ledger too.
    async fn restore(
        &self,
        snapshot: &str,
        set_aside: &str,
        token: u64,
    ) -> Result<RestoreReport, DatabaseError>;
    /// Appends the order log's entries that `set_aside` has and the ledger in use lacks.
    async fn replay(&self, set_aside: &str, token: u64) -> Result<ReplayReport, DatabaseError>;
}

#[cfg(test)]
mod tests {
    use super::DatabaseError;

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
