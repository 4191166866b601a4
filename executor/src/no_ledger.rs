//! The database port of an application that has none.

use std::sync::Arc;
use std::time::Duration;

use crate::ports::{
    Database, DatabaseError, FenceReport, HistoryRow, LedgerPosition, ReplayReport, RestoreReport,
    Snapshot, UndoScript,
};
use async_trait::async_trait;

/// The database of an application that has no ledger: it is empty, and nothing can be done to it.
#[must_use]
pub fn no_ledger() -> Arc<dyn Database> {
    Arc::new(NoLedger)
}

struct NoLedger;

fn none<T>() -> Result<T, DatabaseError> {
    Err(DatabaseError::Precondition(
        "the application has no ledger".to_owned(),
    ))
}

#[async_trait]
impl Database for NoLedger {
    async fn history(&self) -> Result<Vec<HistoryRow>, DatabaseError> {
        Ok(Vec::new())
    }
    async fn position(&self) -> Result<LedgerPosition, DatabaseError> {
        Ok(LedgerPosition::default())
    }
    async fn snapshot(&self, _: &str) -> Result<Snapshot, DatabaseError> {
        none()
    }
    async fn find_snapshot(&self, _: &str) -> Result<Option<Snapshot>, DatabaseError> {
        Ok(None)
    }
    async fn fence(&self, _: u64) -> Result<FenceReport, DatabaseError> {
        none()
    }
    async fn fence_token(&self) -> Result<Option<u64>, DatabaseError> {
        Ok(None)
    }
    async fn token_max(&self) -> Result<u64, DatabaseError> {
        Ok(0)
    }
    async fn unfence(&self, _: u64) -> Result<(), DatabaseError> {
        none()
    }
    async fn undo(&self, _: &UndoScript, _: Duration, _: u64) -> Result<(), DatabaseError> {
        none()
    }
    async fn restore(&self, _: &str, _: &str, _: u64) -> Result<RestoreReport, DatabaseError> {
        none()
    }
    async fn replay(&self, _: &str, _: u64) -> Result<ReplayReport, DatabaseError> {
        none()
    }
}
