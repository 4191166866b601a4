//! What the executor acts through in the world of the shop.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use executor::ports::{
    Database, DatabaseError, EvidenceStore, FenceReport, HistoryRow, LedgerPosition, Ports,
    ReplayReport, RestoreReport, Snapshot, UndoScript,
};
use firedrill::worlds::sim::{clock, http};
use sim::World;

use crate::app::{NAMESPACE, Shop};

/// The names of the files that the executor stored.
pub(crate) type Stored = Arc<Mutex<Vec<String>>>;

pub(crate) fn of(world: &World<Shop>, stored: &Stored) -> Ports {
    Ports {
        kube: kube::Client::new(world.kube("executor"), NAMESPACE),
        http: http(world, "executor"),
        database: Arc::new(NoLedger),
        clock: clock(world),
        evidence: Arc::new(Store(stored.clone())),
    }
}

struct Store(Stored);

#[async_trait]
impl EvidenceStore for Store {
    async fn put(&self, name: &str, _: Bytes) -> Result<(), String> {
        let mut stored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stored.push(name.to_owned());
        Ok(())
    }
}

/// The ledger of an application that has none: it is empty, and nothing can be done to it.
struct NoLedger;

fn none<T>() -> Result<T, DatabaseError> {
    Err(DatabaseError::Precondition(
        "the shop has no ledger".to_owned(),
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
