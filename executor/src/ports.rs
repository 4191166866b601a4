//! What the executor reaches the world through. Each port has a real implementation (feature
//! `live`) and one of the simulated world (in the harness); nothing else in this crate does I/O.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
pub use contract::ledger::{
    DatabaseError, FenceReport, HistoryRow, LedgerPosition, ReplayReport, RestoreReport, Snapshot,
    UndoScript,
};
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

/// The ledger database, as the rollback procedure needs it. Every operation is idempotent: repeated
/// after a crash or a lost answer, it finds its work done and says so.
#[async_trait]
pub trait Database: Send + Sync {
    /// Flyway's history, oldest first.
    async fn history(&self) -> Result<Vec<HistoryRow>, DatabaseError>;
    /// How far the ledger in use has come.
    async fn position(&self) -> Result<LedgerPosition, DatabaseError>;
    /// Copies the ledger in use to a database called `name`. Sessions of the application are cut and come back.
    async fn snapshot(&self, name: &str) -> Result<Snapshot, DatabaseError>;
    /// The snapshot called `name`, if it is there and complete.
    async fn find_snapshot(&self, name: &str) -> Result<Option<Snapshot>, DatabaseError>;
    /// Raises the fence: the application's role can write nothing, its sessions are terminated.
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
    /// `lock_timeout`. If a lock is not to be had in that time, the ledger's sessions are ended and it fails (55P03):
    /// the next attempt gets through. Does nothing if the history shows the version as not applied.
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
    /// Appends the log's entries that `set_aside` has and the ledger in use lacks.
    async fn replay(&self, set_aside: &str, token: u64) -> Result<ReplayReport, DatabaseError>;
}
