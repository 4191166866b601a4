//! The database port of the executor onto the store of an application that a file describes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use executor::ports::{
    Database, DatabaseError, FenceReport, HistoryRow, LedgerPosition, ReplayReport, RestoreReport,
    Snapshot, UndoScript,
};
use sim::World;
use sim_services::engine::{Services, StoreChange, StoreOp, StoreReply, StoreSeen};

/// The store of the world's application, as an executor on host `origin` reaches it.
pub(super) fn database(world: &World<Services>, origin: &str) -> Arc<dyn Database> {
    Arc::new(StoreDatabase(world.clone(), origin.into()))
}

struct StoreDatabase(World<Services>, Arc<str>);

impl StoreDatabase {
    async fn ask(&self, op: StoreOp) -> Result<StoreReply, DatabaseError> {
        match self.0.db(&self.1, op).await {
            Err(cut) => Err(DatabaseError::Connection(cut.to_string())),
            Ok(answer) => answer,
        }
    }

    async fn look(&self) -> Result<StoreSeen, DatabaseError> {
        match self.ask(StoreOp::Look).await? {
            StoreReply::Seen(seen) => Ok(seen),
            other => Err(unexpected(&other)),
        }
    }

    async fn change(&self, change: StoreChange) -> Result<StoreReply, DatabaseError> {
        self.ask(StoreOp::Change(change)).await
    }
}

/// A server that answers something else has broken the protocol.
fn unexpected(reply: &StoreReply) -> DatabaseError {
    DatabaseError::Connection(format!("unexpected answer: {reply:?}"))
}

#[async_trait]
impl Database for StoreDatabase {
    async fn history(&self) -> Result<Vec<HistoryRow>, DatabaseError> {
        Ok(self.look().await?.history)
    }

    async fn position(&self) -> Result<LedgerPosition, DatabaseError> {
        Ok(self.look().await?.position)
    }

    async fn snapshot(&self, name: &str) -> Result<Snapshot, DatabaseError> {
        match self.change(StoreChange::Snapshot(name.to_owned())).await? {
            StoreReply::Snapshot(snapshot) => Ok(snapshot),
            other => Err(unexpected(&other)),
        }
    }

    async fn find_snapshot(&self, name: &str) -> Result<Option<Snapshot>, DatabaseError> {
        let seen = self.look().await?.snapshots;
        Ok(seen.into_iter().find(|it| it.name == name))
    }

    async fn fence(&self, token: u64) -> Result<FenceReport, DatabaseError> {
        match self.change(StoreChange::Fence(token)).await? {
            StoreReply::Fenced(report) => Ok(report),
            other => Err(unexpected(&other)),
        }
    }

    async fn fence_token(&self) -> Result<Option<u64>, DatabaseError> {
        Ok(self.look().await?.fence)
    }

    async fn token_max(&self) -> Result<u64, DatabaseError> {
        Ok(self.look().await?.token_max)
    }

    async fn unfence(&self, token: u64) -> Result<(), DatabaseError> {
        self.change(StoreChange::Unfence(token)).await.map(|_| ())
    }

    /// Locks of others are not simulated: only another change of the store is in its way, and it is told so at once.
    async fn undo(
        &self,
        script: &UndoScript,
        _: Duration,
        token: u64,
    ) -> Result<(), DatabaseError> {
        let undo = StoreChange::Undo(script.name.clone(), script.sql.clone(), token);
        self.change(undo).await.map(|_| ())
    }

    async fn restore(
        &self,
        snapshot: &str,
        set_aside: &str,
        token: u64,
    ) -> Result<RestoreReport, DatabaseError> {
        let restore = StoreChange::Restore {
            snapshot: snapshot.to_owned(),
            set_aside: set_aside.to_owned(),
            token,
        };
        match self.change(restore).await? {
            StoreReply::Restored(report) => Ok(report),
            other => Err(unexpected(&other)),
        }
    }

    async fn replay(&self, set_aside: &str, token: u64) -> Result<ReplayReport, DatabaseError> {
        let replay = StoreChange::Replay(set_aside.to_owned(), token);
        match self.change(replay).await? {
            StoreReply::Replayed(report) => Ok(report),
            other => Err(unexpected(&other)),
        }
    }
}
