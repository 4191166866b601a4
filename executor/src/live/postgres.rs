//! The ledger database on a real PostgreSQL (14 or newer).
//!
//! Operations on whole databases go through a maintenance database, since copying and renaming need the
//! ledger free of sessions (PostgreSQL, "CREATE DATABASE", "ALTER DATABASE"). One advisory lock there
//! serialises executors: a token that was found good stays good for the operation.
//!
//! ```text
//! snapshot   ledger ── CREATE DATABASE … TEMPLATE ──▶ NAME (closed to sessions; facts in its comment)
//! restore    NAME ── TEMPLATE ──▶ ledger__restoring ── RENAME ──▶ ledger      ledger ── RENAME ──▶ SET_ASIDE
//! replay     SET_ASIDE.order_log beyond the ledger's ── COPY ──▶ ledger.order_log
//! ```

mod copies;
mod fence;
mod ledger;
mod session;

use std::time::Duration;

use async_trait::async_trait;

use self::session::{Session, connect, failure, identifier, is_refusal};
use crate::ports::{
    Database, DatabaseError, FenceReport, HistoryRow, LedgerPosition, ReplayReport, RestoreReport,
    Snapshot, UndoScript,
};

/// How long to wait for another executor's operation.
const LOCK_WAIT: &str = "10s";

/// What the ledger's tables and roles are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The database to connect to for operations on whole databases.
    pub maintenance: String,
    /// The exchange's role.
    pub role: String,
    /// The append-only log of orders, with a column `seq`.
    pub order_log: String,
    /// Table with a column `order_id`.
    pub orders: String,
    /// Table with a column `trade_id`.
    pub trades: String,
    /// The row that says how far the tables have come, with a column `trade_id`.
    pub meta: String,
    /// The leader's row, with a column `epoch`: the one table that stays writable under the fence.
    pub leader: String,
    /// Flyway's history table.
    pub history: String,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            maintenance: "postgres".to_owned(),
            role: "dex_app".to_owned(),
            order_log: "order_log".to_owned(),
            orders: "orders".to_owned(),
            trades: "trades".to_owned(),
            meta: "ledger_meta".to_owned(),
            leader: "leader".to_owned(),
            history: "flyway_schema_history".to_owned(),
        }
    }
}

/// The ledger database on a PostgreSQL server. The role that connects must be a superuser, or own the ledger
/// with its tables and have `CREATEDB` and `pg_signal_backend`. Connections aren't encrypted: reach the server through a
/// private network, a tunnel or a socket.
#[derive(Clone, Debug)]
pub struct PostgresDatabase {
    config: tokio_postgres::Config,
    ledger: String,
    layout: Layout,
}

impl PostgresDatabase {
    /// The database `ledger` on the server of `config`.
    #[must_use]
    pub fn new(config: tokio_postgres::Config, ledger: impl Into<String>, layout: Layout) -> Self {
        Self {
            config,
            ledger: ledger.into(),
            layout,
        }
    }

    /// The ledger that a URL such as `postgresql://user@host:5432/ledger` names.
    ///
    /// # Errors
    /// It isn't a PostgreSQL URL, or names no database.
    pub fn from_url(url: &str, layout: Layout) -> Result<Self, DatabaseError> {
        let config: tokio_postgres::Config = url.parse().map_err(|_| {
            DatabaseError::Precondition("the database's URL is malformed".to_owned())
        })?;
        let ledger = config
            .get_dbname()
            .ok_or_else(|| DatabaseError::Precondition("the URL names no database".to_owned()))?
            .to_owned();
        Ok(Self::new(config, ledger, layout))
    }

    /// A session in the maintenance database that holds the executors' lock.
    async fn exclusive(&self) -> Result<Session, DatabaseError> {
        let session = connect(&self.config, &self.layout.maintenance).await?;
        let statement = format!("SET lock_timeout = '{LOCK_WAIT}'");
        session.batch_execute(&statement).await.map_err(failure)?;
        session
            .query_one(
                "SELECT pg_advisory_lock(hashtextextended('rollback:' || $1, 0))",
                &[&self.ledger],
            )
            .await
            .map_err(failure)?;
        session
            .batch_execute("SET lock_timeout = 0")
            .await
            .map_err(failure)?;
        Ok(session)
    }

    /// A session in the ledger. If an operation died while the ledger was closed to sessions, it is opened again.
    async fn open(&self) -> Result<Session, DatabaseError> {
        match connect(&self.config, &self.ledger).await {
            // "database is not currently accepting connections"
            Err(error) if is_refusal(&error, "55000") => {
                let exclusive = self.exclusive().await?;
                self.allow(&exclusive, &self.ledger, true).await?;
                connect(&self.config, &self.ledger).await
            }
            outcome => outcome,
        }
    }

    /// [`Self::open`] for an operation that holds the lock.
    async fn open_exclusively(&self, exclusive: &Session) -> Result<Session, DatabaseError> {
        self.allow(exclusive, &self.ledger, true).await?;
        connect(&self.config, &self.ledger).await
    }

    /// Opens a database to sessions, or closes it and ends those that are there. If they can't be ended, it is
    /// opened again.
    async fn allow(
        &self,
        exclusive: &Session,
        database: &str,
        open: bool,
    ) -> Result<(), DatabaseError> {
        set_open(exclusive, database, open).await?;
        if open {
            return Ok(());
        }
        let Err(refused) = end_sessions(exclusive, database).await else {
            return Ok(());
        };
        // A ledger that is closed for nothing is an outage.
        match set_open(exclusive, database, true).await {
            Ok(()) => Err(refused),
            Err(left) => Err(DatabaseError::Precondition(format!(
                "{refused}; and {database} stays closed: {left}"
            ))),
        }
    }
}

async fn set_open(exclusive: &Session, database: &str, open: bool) -> Result<(), DatabaseError> {
    let statement = format!(
        "ALTER DATABASE {} WITH ALLOW_CONNECTIONS {open}",
        identifier(database)
    );
    exclusive.batch_execute(&statement).await.map_err(failure)
}

/// Ends the sessions of `database`. Only those of clients: the server's own workers leave by themselves, and
/// signalling them takes more rights (PostgreSQL, "Server Signaling Functions").
async fn end_sessions(exclusive: &Session, database: &str) -> Result<(), DatabaseError> {
    exclusive
        .execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
             WHERE datname = $1 AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
            &[&database],
        )
        .await
        .map_err(failure)?;
    Ok(())
}

#[async_trait]
impl Database for PostgresDatabase {
    async fn history(&self) -> Result<Vec<HistoryRow>, DatabaseError> {
        let session = self.open().await?;
        ledger::history(&session, &self.layout).await
    }

    async fn position(&self) -> Result<LedgerPosition, DatabaseError> {
        let session = self.open().await?;
        ledger::position(&session, &self.layout).await
    }

    async fn snapshot(&self, name: &str) -> Result<Snapshot, DatabaseError> {
        self.take_snapshot(name).await
    }

    async fn find_snapshot(&self, name: &str) -> Result<Option<Snapshot>, DatabaseError> {
        let session = connect(&self.config, &self.layout.maintenance).await?;
        copies::find(&session, name).await
    }

    async fn fence(&self, token: u64) -> Result<FenceReport, DatabaseError> {
        let exclusive = self.exclusive().await?;
        let mut session = self.open_exclusively(&exclusive).await?;
        let already_up = fence::raise(&mut session, &self.layout, token).await?;
        let sessions_terminated = exclusive
            .query(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                 WHERE datname = $1 AND usename = $2",
                &[&self.ledger, &self.layout.role],
            )
            .await
            .map_err(failure)?;
        Ok(FenceReport {
            sessions_terminated: u32::try_from(sessions_terminated.len()).unwrap_or(u32::MAX),
            already_up,
        })
    }

    async fn fence_token(&self) -> Result<Option<u64>, DatabaseError> {
        let session = self.open().await?;
        Ok(fence::read(&session)
            .await?
            .filter(|fence| fence.up)
            .map(|fence| fence.token))
    }

    async fn unfence(&self, token: u64) -> Result<(), DatabaseError> {
        let exclusive = self.exclusive().await?;
        let mut session = self.open_exclusively(&exclusive).await?;
        fence::lower(&mut session, &self.layout, token).await
    }

    async fn undo(
        &self,
        script: &UndoScript,
        lock_timeout: Duration,
        token: u64,
    ) -> Result<(), DatabaseError> {
        let exclusive = self.exclusive().await?;
        let mut session = self.open_exclusively(&exclusive).await?;
        let undone = ledger::undo(&mut session, &self.layout, script, lock_timeout, token).await;
        drop(session);
        match undone {
            Err(DatabaseError::Refused { sqlstate, message }) if sqlstate == "55P03" => {
                // Whoever holds the locks has no business in a ledger that is fenced. The next attempt gets through.
                let ended = match end_sessions(&exclusive, &self.ledger).await {
                    Ok(()) => "the sessions that held the locks were ended".to_owned(),
                    Err(error) => format!("the sessions that hold the locks stay: {error}"),
                };
                let message = format!("{message}; {ended}");
                Err(DatabaseError::Refused { sqlstate, message })
            }
            undone => undone,
        }
    }

    async fn restore(
        &self,
        snapshot: &str,
        set_aside: &str,
        token: u64,
    ) -> Result<RestoreReport, DatabaseError> {
        self.restore_from(snapshot, set_aside, token).await
    }

    async fn replay(&self, set_aside: &str, token: u64) -> Result<ReplayReport, DatabaseError> {
        let exclusive = self.exclusive().await?;
        let mut session = self.open_exclusively(&exclusive).await?;
        let source = connect(&self.config, set_aside).await?;
        ledger::replay(&mut session, &source, &self.layout, token).await
    }
}
