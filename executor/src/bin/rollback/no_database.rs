//! The database port where no database was named, and the runbook has steps that ask for one.

use executor::ports::{
    Database, DatabaseError, FenceReport, HistoryRow, LedgerPosition, ReplayReport, RestoreReport,
    Snapshot, UndoScript,
};

/// Stands in where no database was named: whatever needs one says so.
pub(crate) struct NoDatabase;

fn no_database<T>() -> Result<T, DatabaseError> {
    Err(DatabaseError::Precondition(
        "no database was named: set ROLLBACK_DATABASE_URL".to_owned(),
    ))
}

#[async_trait::async_trait]
impl Database for NoDatabase {
    async fn history(&self) -> Result<Vec<HistoryRow>, DatabaseError> {
        no_database()
    }
    async fn position(&self) -> Result<LedgerPosition, DatabaseError> {
        no_database()
    }
    async fn snapshot(&self, _: &str) -> Result<Snapshot, DatabaseError> {
        no_database()
    }
    async fn find_snapshot(&self, _: &str) -> Result<Option<Snapshot>, DatabaseError> {
        no_database()
    }
    async fn fence(&self, _: u64) -> Result<FenceReport, DatabaseError> {
        no_database()
    }
    async fn fence_token(&self) -> Result<Option<u64>, DatabaseError> {
        no_database()
    }
    async fn token_max(&self) -> Result<u64, DatabaseError> {
        no_database()
    }
    async fn unfence(&self, _: u64) -> Result<(), DatabaseError> {
        no_database()
    }
    async fn undo(
        &self,
        _: &UndoScript,
        _: std::time::Duration,
        _: u64,
    ) -> Result<(), DatabaseError> {
        no_database()
    }
    async fn restore(&self, _: &str, _: &str, _: u64) -> Result<RestoreReport, DatabaseError> {
        no_database()
    }
    async fn replay(&self, _: &str, _: u64) -> Result<ReplayReport, DatabaseError> {
        no_database()
    }
}
