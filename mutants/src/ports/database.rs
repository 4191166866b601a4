//! The ledger's database as an executor sees it whose port does something else than it says.

use std::time::Duration;

use async_trait::async_trait;
use executor::ports::{
    Database, DatabaseError, FenceReport, HistoryRow, LedgerPosition, ReplayReport, RestoreReport,
    Snapshot, UndoScript,
};

/// The operations of a ledger's port of which some are changed; what an implementation leaves out, the decorated port
/// does. Each is described at [`Database`].
#[async_trait]
#[expect(missing_docs, reason = "each is described at `Database`")]
pub trait Decorator: Send + Sync {
    /// The port that is decorated.
    fn inner(&self) -> &dyn Database;
    async fn history(&self) -> Result<Vec<HistoryRow>, DatabaseError> {
        self.inner().history().await
    }
    async fn position(&self) -> Result<LedgerPosition, DatabaseError> {
        self.inner().position().await
    }
    async fn snapshot(&self, name: &str) -> Result<Snapshot, DatabaseError> {
        self.inner().snapshot(name).await
    }
    async fn find_snapshot(&self, name: &str) -> Result<Option<Snapshot>, DatabaseError> {
        self.inner().find_snapshot(name).await
    }
    async fn fence(&self, token: u64) -> Result<FenceReport, DatabaseError> {
        self.inner().fence(token).await
    }
    async fn fence_token(&self) -> Result<Option<u64>, DatabaseError> {
        self.inner().fence_token().await
    }
    async fn token_max(&self) -> Result<u64, DatabaseError> {
        self.inner().token_max().await
    }
    async fn unfence(&self, token: u64) -> Result<(), DatabaseError> {
        self.inner().unfence(token).await
    }
    async fn undo(
        &self,
        script: &UndoScript,
        lock_timeout: Duration,
        token: u64,
    ) -> Result<(), DatabaseError> {
        self.inner().undo(script, lock_timeout, token).await
    }
    async fn restore(
        &self,
        snapshot: &str,
        set_aside: &str,
        token: u64,
    ) -> Result<RestoreReport, DatabaseError> {
        self.inner().restore(snapshot, set_aside, token).await
    }
    async fn replay(&self, set_aside: &str, token: u64) -> Result<ReplayReport, DatabaseError> {
        self.inner().replay(set_aside, token).await
    }
}

/// The port that a [`Decorator`] makes.
pub struct Decorated<T>(pub T);

#[async_trait]
impl<T: Decorator> Database for Decorated<T> {
    async fn history(&self) -> Result<Vec<HistoryRow>, DatabaseError> {
        self.0.history().await
    }
    async fn position(&self) -> Result<LedgerPosition, DatabaseError> {
        self.0.position().await
    }
    async fn snapshot(&self, name: &str) -> Result<Snapshot, DatabaseError> {
        self.0.snapshot(name).await
    }
    async fn find_snapshot(&self, name: &str) -> Result<Option<Snapshot>, DatabaseError> {
        self.0.find_snapshot(name).await
    }
    async fn fence(&self, token: u64) -> Result<FenceReport, DatabaseError> {
        self.0.fence(token).await
    }
    async fn fence_token(&self) -> Result<Option<u64>, DatabaseError> {
        self.0.fence_token().await
    }
    async fn token_max(&self) -> Result<u64, DatabaseError> {
        self.0.token_max().await
    }
    async fn unfence(&self, token: u64) -> Result<(), DatabaseError> {
        self.0.unfence(token).await
    }
    async fn undo(
        &self,
        script: &UndoScript,
        lock_timeout: Duration,
        token: u64,
    ) -> Result<(), DatabaseError> {
        self.0.undo(script, lock_timeout, token).await
    }
    async fn restore(
        &self,
        snapshot: &str,
        set_aside: &str,
        token: u64,
    ) -> Result<RestoreReport, DatabaseError> {
        self.0.restore(snapshot, set_aside, token).await
    }
    async fn replay(&self, set_aside: &str, token: u64) -> Result<ReplayReport, DatabaseError> {
        self.0.replay(set_aside, token).await
    }
}
