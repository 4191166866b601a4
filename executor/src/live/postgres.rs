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

mod attributes;
mod copies;
mod fence;
mod guardian;
mod ledger;
mod session;
mod sessions;
mod url;

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tokio_postgres_rustls::MakeRustlsConnect;

use self::session::{GivenUp, Session, connect, failure, identifier, is_refusal, reworded};
use crate::live::SystemClock;
use crate::ports::{
    Database, DatabaseError, FenceReport, HistoryRow, LedgerPosition, ReplayReport, RestoreReport,
    Snapshot, UndoScript,
};

/// How long to wait for another executor's operation.
const LOCK_WAIT: &str = "10s";

/// How long to wait for a lock that somebody else has in the ledger, before whoever is there is ended.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is added to the ledger's name for the copy that is to take its place.
const RESTORING: &str = "__restoring";

/// What the ledger's tables and roles are called; by default as the exchange calls them.
/// A table may be named with its schema.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Layout {
    /// The database to connect to for operations on whole databases.
    pub maintenance: String,
    /// The application's role.
    pub role: String,
    /// The append-only log, with a column `seq`.
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
/// with its tables and have `CREATEDB` and `pg_signal_backend`.
#[derive(Clone)]
pub struct PostgresDatabase {
    config: tokio_postgres::Config,
    tls: Option<MakeRustlsConnect>,
    ledger: String,
    layout: Layout,
}

impl PostgresDatabase {
    /// The database `ledger` on the server of `config`, in the clear: for a socket or a tunnel.
    #[must_use]
    pub fn new(config: tokio_postgres::Config, ledger: impl Into<String>, layout: Layout) -> Self {
        Self {
            config,
            tls: None,
            ledger: ledger.into(),
            layout,
        }
    }

    /// The ledger that a URL such as `postgresql://user@host:5432/ledger?sslmode=verify-full&sslrootcert=ca.pem` names.
    /// `sslmode` is honoured as by libpq: without it, the connection is encrypted if the server can.
    ///
    /// # Errors
    /// It isn't a PostgreSQL URL, or names no database, or its settings of TLS contradict each other or can't be had.
    pub fn from_url(url: &str, layout: Layout) -> Result<Self, DatabaseError> {
        let (config, tls) = url::parse(url)?;
        let ledger = config
            .get_dbname()
            .ok_or_else(|| DatabaseError::Precondition("the URL names no database".to_owned()))?
            .to_owned();
        fits("the ledger", &ledger, RESTORING)?;
        Ok(Self {
            tls: Some(tls),
            ..Self::new(config, ledger, layout)
        })
    }

    /// A session in `database`.
    async fn connect(&self, database: &str) -> Result<Session, DatabaseError> {
        connect(&self.config, self.tls.as_ref(), database).await
    }

    /// A session in the maintenance database that holds the executors' lock.
    async fn exclusive(&self) -> Result<Session, DatabaseError> {
        fits("the ledger", &self.ledger, RESTORING)?;
        let session = self.connect(&self.layout.maintenance).await?;
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
        match self.connect(&self.ledger).await {
            // "database is not currently accepting connections"
            Err(error) if is_refusal(&error, "55000") => {
                let exclusive = self.exclusive().await?;
                self.allow(&exclusive, &self.ledger, true).await?;
                self.connect(&self.ledger).await
            }
            // A restore renames in one transaction, so that the ledger is never missing for a moment.
            Err(error) if is_refusal(&error, "3D000") => Err(DatabaseError::Precondition(format!(
                "{error}: the database URL names a ledger that this server does not have"
            ))),
            outcome => outcome,
        }
    }

    /// [`Self::open`] for an operation that holds the lock.
    async fn open_exclusively(&self, exclusive: &Session) -> Result<Session, DatabaseError> {
        self.allow(exclusive, &self.ledger, true).await?;
        self.connect(&self.ledger).await
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
        let Err(refused) = sessions::end(exclusive, database, None).await else {
            return Ok(());
        };
        // A ledger that is closed for nothing is an outage.
        match set_open(exclusive, database, true).await {
            Ok(()) => Err(refused),
            // Of the same kind: a session that was lost may be had again.
            Err(left) => Err(reworded(refused, |text| {
                format!("{text}; and {database} was not opened again by that session: {left}")
            })),
        }
    }

    /// What an operation on the ledger came to. If somebody held a lock that it needs, whoever is there is ended:
    /// they have no business in a ledger that is fenced, and the next attempt gets through.
    async fn or_end_sessions<T>(
        &self,
        exclusive: &Session,
        outcome: Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        match outcome {
            Err(refused) if is_refusal(&refused, "55P03") => {
                let ended = match sessions::end(exclusive, &self.ledger, None).await {
                    Ok(_) => "the sessions that held the locks were ended".to_owned(),
                    Err(error) => format!("the sessions that hold the locks stay: {error}"),
                };
                Err(reworded(refused, |text| format!("{text}; {ended}")))
            }
            outcome => outcome,
        }
    }
}

/// Refuses a name to which `suffix` can't be added: PostgreSQL cuts names off after 63 bytes, and what is left may be
/// another database's name, even the ledger's.
fn fits(what: &str, name: &str, suffix: &str) -> Result<(), DatabaseError> {
    let most = 63 - suffix.len();
    if name.len() <= most {
        return Ok(());
    }
    Err(DatabaseError::Precondition(format!(
        "the name of {what} may have {most} bytes at most, since PostgreSQL cuts names off after 63 and `{suffix}` may be \
         added to it; this one has {}: {name}",
        name.len()
    )))
}

async fn set_open(exclusive: &Session, database: &str, open: bool) -> Result<(), DatabaseError> {
    let statement = format!(
        "ALTER DATABASE {} WITH ALLOW_CONNECTIONS {open}",
        identifier(database)
    );
    exclusive.batch_execute(&statement).await.map_err(failure)
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
        let session = self.connect(&self.layout.maintenance).await?;
        copies::find(&session, name).await
    }

    async fn fence(&self, token: u64) -> Result<FenceReport, DatabaseError> {
        let exclusive = self.exclusive().await?;
        let mut session = self.open_exclusively(&exclusive).await?;
        let given_up = session.cancel_when_given_up();
        let raised = fence::raise(&mut session, &self.layout, token).await;
        given_up.in_time();
        let already_up = self.or_end_sessions(&exclusive, raised).await?;
        // What they had begun must not be committed behind the fence.
        let mut roles = fence::fenced_off(&session).await?;
        drop(session);
        roles.push(self.layout.role.clone());
        let ended = sessions::end(&exclusive, &self.ledger, Some(&roles)).await;
        let sessions_terminated = ended.map_err(|error| {
            reworded(error, |text| {
                format!("the rights are taken, and the fence is not up yet: {text}")
            })
        })?;
        Ok(FenceReport {
            sessions_terminated,
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

    async fn token_max(&self) -> Result<u64, DatabaseError> {
        let session = self.open().await?;
        Ok(fence::read(&session).await?.map_or(0, |fence| fence.token))
    }

    async fn unfence(&self, token: u64) -> Result<(), DatabaseError> {
        let exclusive = self.exclusive().await?;
        let mut session = self.open_exclusively(&exclusive).await?;
        fence::lower(&mut session, token).await?;
        // The incident is over: the next one's restore is not this one's.
        copies::forget_restore(&exclusive, &self.ledger).await
    }

    async fn undo(
        &self,
        script: &UndoScript,
        lock_timeout: Duration,
        token: u64,
    ) -> Result<(), DatabaseError> {
        let exclusive = self.exclusive().await?;
        let mut session = self.open_exclusively(&exclusive).await?;
        let given_up = session.cancel_when_given_up();
        let undone = ledger::undo(&mut session, &self.layout, script, lock_timeout, token).await;
        given_up.in_time();
        drop(session);
        self.or_end_sessions(&exclusive, undone).await
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
        copies::is_of_this_incident(&exclusive, &self.ledger, set_aside).await?;
        let mut session = self.open_exclusively(&exclusive).await?;
        let source = self.connect(set_aside).await?;
        let given_up = [
            session.cancel_when_given_up(),
            source.cancel_when_given_up(),
        ];
        let replayed = ledger::replay(&mut session, &source, &self.layout, token).await;
        given_up.into_iter().for_each(GivenUp::in_time);
        drop(session);
        self.or_end_sessions(&exclusive, replayed).await
    }
}
