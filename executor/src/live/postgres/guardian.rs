//! Who opens the ledger again if nobody is left to do it.
//!
//! While a copy is made the ledger takes no connections, and that outlasts the session that closed it. So before it
//! is closed, a second session asks the server, in one statement, to wait for the executors' lock and then to open
//! the ledger. The server carries the statement out to its end whether or not anybody is left to hear of it:
//!
//! ```text
//! copying   lock ── close ── copy ── open ── (guardian is sent away) ── release
//! guardian     └─ waits for the lock ─────────────┐
//!              the copying session ends: killed, lost, silent ──▶ has the lock ── opens the ledger
//! ```
//!
//! Only a server that goes down itself leaves the ledger closed; whatever operation comes next opens it then.

use std::time::Duration;

use super::session::{Session, failure, identifier, literal};
use super::{PostgresDatabase, SystemClock};
use crate::clock::Clock as _;
use crate::ports::DatabaseError;

/// What makes the server end the copying session, and with it its lock, once its executor is gone: in the middle of a
/// statement (where the platform can tell), between two of them, and where the host vanished without a word.
const NOTICE_THE_END: [&str; 5] = [
    "SET client_connection_check_interval = '1s'",
    "SET idle_session_timeout = '30s'",
    "SET tcp_keepalives_idle = 5",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
];

/// Between two looks at whether the guardian waits.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS: u32 = 250;

/// A session that waits to open the ledger.
pub(super) struct Guardian {
    pid: i32,
}

impl Guardian {
    /// Sends one to wait behind `exclusive`, which holds the executors' lock.
    pub(super) async fn wait_behind(
        port: &PostgresDatabase,
        exclusive: &Session,
    ) -> Result<Self, DatabaseError> {
        for setting in NOTICE_THE_END {
            // Not every platform has each.
            if let Err(error) = exclusive.batch_execute(setting).await
                && error.is_closed()
            {
                return Err(failure(error));
            }
        }
        let session = port.connect(&port.layout.maintenance).await?;
        session
            .batch_execute(
                "SET lock_timeout = 0; SET statement_timeout = 0; SET client_connection_check_interval = 0",
            )
            .await
            .map_err(failure)?;
        let row = session.query_one("SELECT pg_backend_pid()", &[]).await;
        let pid: i32 = row.map_err(failure)?.get(0);
        // Without parameters, as the body of a DO takes none. Nothing is sent to the client before its end.
        let body = format!(
            "BEGIN PERFORM pg_advisory_lock(hashtextextended({}, 0)); EXECUTE {}; END",
            literal(&format!("rollback:{}", port.ledger)),
            literal(&format!(
                "ALTER DATABASE {} WITH ALLOW_CONNECTIONS true",
                identifier(&port.ledger)
            ))
        );
        let statement = format!("DO {}", literal(&body));
        // It is sent away by `exclusive`, so its answer is of no interest.
        drop(tokio::spawn(async move {
            let _ = session.batch_execute(&statement).await;
        }));
        let guardian = Self { pid };
        for _ in 0..LOOKS {
            if guardian.waits(exclusive).await? {
                return Ok(guardian);
            }
            SystemClock.sleep(LOOK).await;
        }
        guardian.send_away(exclusive).await?;
        Err(DatabaseError::Connection(
            "the session that is to open the ledger again did not get there".to_owned(),
        ))
    }

    async fn waits(&self, exclusive: &Session) -> Result<bool, DatabaseError> {
        let row = exclusive
            .query_one(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND locktype = 'advisory' AND NOT granted)",
                &[&self.pid],
            )
            .await;
        Ok(row.map_err(failure)?.get(0))
    }

    /// It is needed no more: the ledger is open.
    pub(super) async fn send_away(self, exclusive: &Session) -> Result<(), DatabaseError> {
        let statement = "SELECT pg_terminate_backend($1)";
        let ended = exclusive.query_one(statement, &[&self.pid]).await;
        ended.map_err(failure)?;
        exclusive
            .batch_execute("RESET client_connection_check_interval; RESET idle_session_timeout")
            .await
            .map_err(failure)
    }
}
