//! The executor's database port onto the simulated ledger.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use executor::ports::{
    Database, DatabaseError, FenceReport, HistoryRow, LedgerPosition, ReplayReport, RestoreReport,
    Snapshot, UndoScript,
};
use sim::time::Micros;
use sim_exchange::World;
use sim_exchange::database::{DbOp, DbReply};

/// The ledger database of a simulated world, as an executor on host `origin` reaches it.
#[must_use]
pub fn database(world: &World, origin: &str) -> Arc<dyn Database> {
    Arc::new(SimDatabase(world.clone(), origin.into()))
}

struct SimDatabase(World, Arc<str>);

impl SimDatabase {
    async fn ask(&self, op: DbOp) -> Result<DbReply, DatabaseError> {
        match self.0.db(&self.1, op).await {
            Err(cut) => Err(DatabaseError::Connection(cut.to_string())),
            Ok(answer) => answer,
        }
    }
}

/// The reply's own kind, or an error: a server that answers something else has broken the protocol.
macro_rules! expect {
    ($reply:expr, $pattern:pat => $value:expr) => {
        match $reply? {
            $pattern => Ok($value),
            other => Err(DatabaseError::Connection(format!(
                "unexpected answer: {other:?}"
            ))),
        }
    };
}

#[async_trait]
impl Database for SimDatabase {
    async fn history(&self) -> Result<Vec<HistoryRow>, DatabaseError> {
        expect!(self.ask(DbOp::History).await, DbReply::History(rows) => rows)
    }

    async fn position(&self) -> Result<LedgerPosition, DatabaseError> {
        expect!(self.ask(DbOp::Position).await, DbReply::Position(position) => position)
    }

    async fn snapshot(&self, name: &str) -> Result<Snapshot, DatabaseError> {
        let op = DbOp::Snapshot {
            name: name.to_owned(),
        };
        expect!(self.ask(op).await, DbReply::Snapshot(snapshot) => snapshot)
    }

    async fn find_snapshot(&self, name: &str) -> Result<Option<Snapshot>, DatabaseError> {
        let op = DbOp::FindSnapshot {
            name: name.to_owned(),
        };
        expect!(self.ask(op).await, DbReply::Found(found) => found)
    }

    async fn fence(&self, token: u64) -> Result<FenceReport, DatabaseError> {
        expect!(self.ask(DbOp::Fence { token }).await, DbReply::Fenced(report) => report)
    }

    async fn fence_token(&self) -> Result<Option<u64>, DatabaseError> {
        expect!(self.ask(DbOp::FenceToken).await, DbReply::FenceToken(token) => token)
    }

    async fn token_max(&self) -> Result<u64, DatabaseError> {
        expect!(self.ask(DbOp::TokenMax).await, DbReply::TokenMax(token) => token)
    }

    async fn unfence(&self, token: u64) -> Result<(), DatabaseError> {
        expect!(self.ask(DbOp::Unfence { token }).await, DbReply::Done => ())
    }

    async fn undo(
        &self,
        script: &UndoScript,
        lock_timeout: Duration,
        token: u64,
    ) -> Result<(), DatabaseError> {
        let op = DbOp::Undo {
            version: script.version.clone(),
            name: script.name.clone(),
            sql: script.sql.clone(),
            lock_timeout: Micros::from(lock_timeout),
            token,
        };
        expect!(self.ask(op).await, DbReply::Done => ())
    }

    async fn restore(
        &self,
        snapshot: &str,
        set_aside: &str,
        token: u64,
    ) -> Result<RestoreReport, DatabaseError> {
        let op = DbOp::Restore {
            snapshot: snapshot.to_owned(),
            set_aside: set_aside.to_owned(),
            token,
        };
        expect!(self.ask(op).await, DbReply::Restored(report) => report)
    }

    async fn replay(&self, set_aside: &str, token: u64) -> Result<ReplayReport, DatabaseError> {
        let op = DbOp::Replay {
            set_aside: set_aside.to_owned(),
            token,
        };
        expect!(self.ask(op).await, DbReply::Replayed(report) => report)
    }
}
