//! Copies of the ledger: snapshots, and a copy put in the ledger's place.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::guardian::Guardian;
use super::session::{Session, failure, identifier, limit_waits, literal, qualified};
use super::{PATIENCE, PostgresDatabase, RESTORING, attributes, fence, fits, ledger, set_open};
use crate::clock::Clock as _;
use crate::live::SystemClock;
use crate::ports::{DatabaseError, LedgerPosition, RestoreReport, Snapshot};

/// What a snapshot's comment says about it. A copy without it is not complete.
#[derive(Serialize, Deserialize)]
struct Facts {
    taken_at: Timestamp,
    position: LedgerPosition,
    schema_version: Option<String>,
}

/// How often opening the ledger is tried again, and after which pause: a server that restarts is back by then.
const REOPENS: u32 = 120;
const REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// What is added to a snapshot's name for one that is being made, and for the one before it.
const PARTIAL: &str = "__partial";
const PREVIOUS: &str = "__previous";

/// The snapshot `name`, if it is there and complete.
pub(super) async fn find(
    maintenance: &Session,
    name: &str,
) -> Result<Option<Snapshot>, DatabaseError> {
    let row = maintenance
        .query_opt(
            "SELECT shobj_description(oid, 'pg_database'), pg_database_size(oid)
             FROM pg_database WHERE datname = $1",
            &[&name],
        )
        .await
        .map_err(failure)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let facts = row
        .get::<_, Option<String>>(0)
        .and_then(|comment| serde_json::from_str::<Facts>(&comment).ok());
    Ok(facts.map(|facts| Snapshot {
        name: name.to_owned(),
        taken_at: facts.taken_at,
        size_bytes: u64::try_from(row.get::<_, i64>(1)).unwrap_or(0),
        position: facts.position,
        schema_version: facts.schema_version,
    }))
}

async fn exists(maintenance: &Session, database: &str) -> Result<bool, DatabaseError> {
    let found = maintenance
        .query_opt("SELECT FROM pg_database WHERE datname = $1", &[&database])
        .await;
    Ok(found.map_err(failure)?.is_some())
}

async fn drop_database(maintenance: &Session, database: &str) -> Result<(), DatabaseError> {
    let statement = format!(
        "DROP DATABASE IF EXISTS {} WITH (FORCE)",
        identifier(database)
    );
    maintenance.batch_execute(&statement).await.map_err(failure)
}

/// What the comment of a ledger says that a copy has taken the place of,
/// so that a repeated restore is told from a name that is taken.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Restored {
    from: String,
    set_aside: String,
    /// When the snapshot was taken: a later one of the same name is another one.
    taken_at: Timestamp,
}

/// What the ledger in use is a copy of, unless the incident that needed it is over.
async fn restored(maintenance: &Session, ledger: &str) -> Result<Option<Restored>, DatabaseError> {
    let query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1";
    let row = maintenance.query_opt(query, &[&ledger]).await;
    let comment = row.map_err(failure)?;
    let comment = comment.and_then(|row| row.get::<_, Option<String>>(0));
    Ok(comment.and_then(|text| serde_json::from_str(&text).ok()))
}

/// The ledger in use counts as restored no more: the next incident's restore is not this one's.
pub(super) async fn forget_restore(
    maintenance: &Session,
    ledger: &str,
) -> Result<(), DatabaseError> {
    if restored(maintenance, ledger).await?.is_none() {
        return Ok(());
    }
    let statement = format!("COMMENT ON DATABASE {} IS NULL", identifier(ledger));
    maintenance.batch_execute(&statement).await.map_err(failure)
}

/// Refuses a ledger that was set aside in an earlier incident.
pub(super) async fn is_of_this_incident(
    maintenance: &Session,
    ledger: &str,
    set_aside: &str,
) -> Result<(), DatabaseError> {
    if !exists(maintenance, set_aside).await? {
        return Err(DatabaseError::Refused {
            sqlstate: "3D000".to_owned(),
            message: format!("database \"{set_aside}\" does not exist"),
        });
    }
    let restored = restored(maintenance, ledger).await?;
    if restored.is_some_and(|it| it.set_aside == set_aside) {
        return Ok(());
    }
    Err(DatabaseError::Precondition(format!(
        "{set_aside} is not what was set aside for the ledger in use: restore first, or name the right one"
    )))
}

/// A position for a reader.
fn told(position: &LedgerPosition) -> String {
    let LedgerPosition {
        log_seq,
        order_id_max,
        trade_id_max,
        trades,
    } = position;
    format!(
        "log up to {log_seq}, order_id up to {order_id_max}, {trades} rows with trade_id up to {trade_id_max}"
    )
}

fn already_exists(database: &str) -> DatabaseError {
    DatabaseError::Refused {
        sqlstate: "42P04".to_owned(),
        message: format!("database \"{database}\" already exists"),
    }
}

async fn comment(
    maintenance: &Session,
    database: &str,
    facts: &impl Serialize,
) -> Result<(), DatabaseError> {
    let text = serde_json::to_string(facts)
        .map_err(|error| DatabaseError::Precondition(error.to_string()))?;
    let statement = format!(
        "COMMENT ON DATABASE {} IS {}",
        identifier(database),
        literal(&text)
    );
    maintenance.batch_execute(&statement).await.map_err(failure)
}

async fn rename(maintenance: &Session, pairs: &[(&str, &str)]) -> Result<(), DatabaseError> {
    let mut statements = "BEGIN;".to_owned();
    for (from, to) in pairs {
        statements.push_str(&format!(
            "ALTER DATABASE {} RENAME TO {};",
            identifier(from),
            identifier(to)
        ));
    }
    statements.push_str("COMMIT");
    let outcome = maintenance
        .batch_execute(&statements)
        .await
        .map_err(failure);
    if outcome.is_err() {
        maintenance
            .batch_execute("ROLLBACK")
            .await
            .map_err(failure)?;
    }
    outcome
}

/// Copies a database that nobody is connected to; the copy has the same owner.
async fn copy(maintenance: &Session, from: &str, to: &str) -> Result<(), DatabaseError> {
    let row = maintenance
        .query_one(
            "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = $1",
            &[&from],
        )
        .await
        .map_err(failure)?;
    let statement = format!(
        "CREATE DATABASE {} WITH TEMPLATE {} OWNER {}",
        identifier(to),
        identifier(from),
        identifier(row.get(0))
    );
    maintenance.batch_execute(&statement).await.map_err(failure)
}

impl PostgresDatabase {
    /// Takes a snapshot. One of the same name stays as `NAME__previous` until the next, so that there is always
    /// a complete one.
    pub(super) async fn take_snapshot(&self, name: &str) -> Result<Snapshot, DatabaseError> {
        fits("the snapshot", name, PREVIOUS)?;
        let exclusive = self.exclusive().await?;
        let session = self.open_exclusively(&exclusive).await?;
        if fence::read(&session).await?.is_some_and(|fence| fence.up) {
            return Err(DatabaseError::Precondition(
                "the fence is up: a rollback is under way, so this is no time for a snapshot"
                    .to_owned(),
            ));
        }
        drop(session);
        // Only a snapshot gives way to another: not the ledger in use, nor one that was set aside.
        if exists(&exclusive, name).await? && find(&exclusive, name).await?.is_none() {
            return Err(already_exists(name));
        }
        let partial = format!("{name}{PARTIAL}");
        drop_database(&exclusive, &partial).await?;
        let exclusive = self.copy_closed(exclusive, &partial).await?;
        // What can't be carried over is found out before the deployment, not in the incident.
        attributes::carry_over(&exclusive, &self.ledger, &partial).await?;

        let inside = self.connect(&partial).await?;
        let position = ledger::position(&inside, &self.layout).await?;
        let history = ledger::history(&inside, &self.layout).await?;
        let row = inside
            .query_one(
                "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
                &[],
            )
            .await
            .map_err(failure)?;
        let facts = Facts {
            taken_at: Timestamp::from_millisecond(row.get(0)).unwrap_or_default(),
            position,
            schema_version: ledger::schema_version(&history),
        };
        drop(inside);
        self.allow(&exclusive, &partial, false).await?;
        comment(&exclusive, &partial, &facts).await?;
        if exists(&exclusive, name).await? {
            let previous = format!("{name}{PREVIOUS}");
            drop_database(&exclusive, &previous).await?;
            rename(&exclusive, &[(name, &previous), (&partial, name)]).await?;
        } else {
            rename(&exclusive, &[(&partial, name)]).await?;
        }
        find(&exclusive, name).await?.ok_or_else(|| {
            DatabaseError::Precondition(format!("snapshot {name} vanished after it was taken"))
        })
    }

    /// Copies the ledger while it is closed to sessions, and opens it again whatever happens. That is a task of its
    /// own: whoever gives up waiting ends the copy and not what follows it. Should the session be lost, another one
    /// opens the ledger; should this process be killed, the server does ([`Guardian`]).
    async fn copy_closed(&self, exclusive: Session, to: &str) -> Result<Session, DatabaseError> {
        let given_up = exclusive.cancel_when_given_up();
        let (port, to) = (self.clone(), to.to_owned());
        let work = tokio::spawn(async move {
            let guardian = Guardian::wait_behind(&port, &exclusive).await?;
            let closed = port.allow(&exclusive, &port.ledger, false).await;
            let copied = match closed {
                Ok(()) => copy(&exclusive, &port.ledger, &to).await,
                Err(error) => Err(error),
            };
            port.reopen(&exclusive).await?;
            let sent_away = guardian.send_away(&exclusive).await;
            // Where the session was lost, the guardian has opened the ledger and is gone.
            copied.and(sent_away).map(|()| exclusive)
        });
        let ended = work.await;
        given_up.in_time();
        ended.unwrap_or_else(|error| Err(DatabaseError::Connection(error.to_string())))
    }

    /// Opens the ledger to sessions, by another session where that one is lost.
    async fn reopen(&self, exclusive: &Session) -> Result<(), DatabaseError> {
        let mut opened = set_open(exclusive, &self.ledger, true).await;
        for _ in 0..REOPENS {
            if opened.is_ok() {
                break;
            }
            SystemClock.sleep(REOPEN_PAUSE).await;
            opened = match self.connect(&self.layout.maintenance).await {
                Ok(session) => set_open(&session, &self.ledger, true).await,
                Err(error) => Err(error),
            };
        }
        opened.map_err(|error| {
            DatabaseError::Precondition(format!(
                "{} stays closed to sessions ({error}). Open it at once: ALTER DATABASE {} WITH ALLOW_CONNECTIONS true",
                self.ledger,
                identifier(&self.ledger)
            ))
        })
    }

    /// Puts a copy of `snapshot` in the ledger's place, unless that was done.
    pub(super) async fn restore_from(
        &self,
        snapshot: &str,
        set_aside: &str,
        token: u64,
    ) -> Result<RestoreReport, DatabaseError> {
        fits("the ledger that is set aside", set_aside, "")?;
        let mut exclusive = self.exclusive().await?;
        let facts = find(&exclusive, snapshot).await?;
        let taken = exists(&exclusive, set_aside).await?;
        let said = restored(&exclusive, &self.ledger).await?;
        let already_done = taken
            && said.as_ref().is_some_and(|said| {
                said.from == snapshot
                    && said.set_aside == set_aside
                    && facts.as_ref().is_none_or(|it| it.taken_at == said.taken_at)
            });
        if !already_done {
            if taken {
                return Err(already_exists(set_aside));
            }
            if let Some(said) = &said {
                self.check_replayed(&exclusive, said).await?;
            }
            let facts = facts.ok_or_else(|| {
                DatabaseError::Precondition(format!("there is no complete snapshot `{snapshot}`"))
            })?;
            exclusive = self.swap(exclusive, &facts, set_aside, token).await?;
        }
        // The same token or a higher one; the fence is up on the copy since before the swap.
        let session = self.open_fenced(&exclusive, token).await?;
        self.allow(&exclusive, set_aside, true).await?;
        let aside = self.connect(set_aside).await?;
        Ok(RestoreReport {
            set_aside: set_aside.to_owned(),
            before: ledger::position(&aside, &self.layout).await?,
            after: ledger::position(&session, &self.layout).await?,
            already_done,
        })
    }

    /// A restored copy that lacks the log's tail is not set aside itself: a replay from it would bring back
    /// nothing.
    async fn check_replayed(
        &self,
        exclusive: &Session,
        said: &Restored,
    ) -> Result<(), DatabaseError> {
        let aside = &said.set_aside;
        if !exists(exclusive, aside).await? {
            return Ok(());
        }
        self.allow(exclusive, aside, true).await?;
        let before = self.connect(aside).await?;
        let now = self.open_exclusively(exclusive).await?;
        let before = ledger::position(&before, &self.layout).await?;
        let now = ledger::position(&now, &self.layout).await?;
        if before.log_seq <= now.log_seq {
            return Ok(());
        }
        Err(DatabaseError::Precondition(format!(
            "the ledger in use is a restored copy whose log ends at {}: its tail up to {} is in {aside}, \
             replay it first",
            now.log_seq, before.log_seq
        )))
    }

    /// A session in the ledger, whose fence is held. Whoever keeps the fence's row locked is ended:
    /// the next attempt gets through.
    async fn open_fenced(&self, exclusive: &Session, token: u64) -> Result<Session, DatabaseError> {
        let mut session = self.open_exclusively(exclusive).await?;
        let held = async {
            let transaction = session.transaction().await.map_err(failure)?;
            limit_waits(&transaction, PATIENCE).await?;
            fence::hold(&transaction, token).await?;
            transaction.commit().await.map_err(failure)
        };
        let held = held.await;
        self.or_end_sessions(exclusive, held).await?;
        Ok(session)
    }

    /// Puts a copy of `snapshot` in the ledger's place. Whoever gives up waiting ends the copying. Once the ledger is
    /// closed to sessions, a task of its own sees it through, so that it is opened again; should this process be
    /// killed, the server opens it ([`Guardian`]).
    async fn swap(
        &self,
        exclusive: Session,
        snapshot: &Snapshot,
        set_aside: &str,
        token: u64,
    ) -> Result<Session, DatabaseError> {
        let restoring = format!("{}{RESTORING}", self.ledger);
        let given_up = exclusive.cancel_when_given_up();
        let copied = self.copy_back(&exclusive, snapshot, set_aside, &restoring, token);
        let copied = copied.await;
        given_up.in_time();
        copied?;
        let (port, set_aside) = (self.clone(), set_aside.to_owned());
        let work = tokio::spawn(async move {
            let guardian = Guardian::wait_behind(&port, &exclusive).await?;
            let closed = port.allow(&exclusive, &port.ledger, false).await;
            let swapped = match closed {
                Ok(()) => {
                    let pairs = [
                        (port.ledger.as_str(), set_aside.as_str()),
                        (restoring.as_str(), port.ledger.as_str()),
                    ];
                    rename(&exclusive, &pairs).await
                }
                Err(error) => Err(error),
            };
            port.reopen(&exclusive).await?;
            let sent_away = guardian.send_away(&exclusive).await;
            swapped.and(sent_away).map(|()| exclusive)
        });
        let ended = work.await;
        ended.unwrap_or_else(|error| Err(DatabaseError::Connection(error.to_string())))
    }

    /// Makes `restoring`, which is the snapshot with the rights, the fence and the numbers of the ledger in use.
    async fn copy_back(
        &self,
        exclusive: &Session,
        snapshot: &Snapshot,
        set_aside: &str,
        restoring: &str,
        token: u64,
    ) -> Result<(), DatabaseError> {
        let old = self.open_fenced(exclusive, token).await?;
        drop_database(exclusive, restoring).await?;
        copy(exclusive, &snapshot.name, restoring).await?;
        // Of the ledger in use: rights may have been taken since the snapshot.
        attributes::carry_over(exclusive, &self.ledger, restoring).await?;
        let restored = Restored {
            from: snapshot.name.clone(),
            set_aside: set_aside.to_owned(),
            taken_at: snapshot.taken_at,
        };
        comment(exclusive, restoring, &restored).await?;
        let mut new = self.connect(restoring).await?;
        let found = ledger::position(&new, &self.layout).await?;
        if found != snapshot.position {
            return Err(DatabaseError::Precondition(format!(
                "snapshot `{}` is not what it says: it says {}, and holds {}",
                snapshot.name,
                told(&snapshot.position),
                told(&found)
            )));
        }
        fence::raise(&mut new, &self.layout, token).await?;
        self.advance(&old, &new).await?;
        drop((old, new));
        self.allow(exclusive, restoring, false).await
    }

    /// Nothing that was handed out is handed out again: sequences and the leader's epoch go on from where the old
    /// ledger was.
    async fn advance(&self, old: &Session, new: &Session) -> Result<(), DatabaseError> {
        let sequences = "SELECT format('%I.%I', schemaname, sequencename), last_value
                         FROM pg_sequences WHERE last_value IS NOT NULL";
        for row in old.query(sequences, &[]).await.map_err(failure)? {
            let (name, last): (String, i64) = (row.get(0), row.get(1));
            new.execute(
                "SELECT setval(to_regclass($1), greatest($2, coalesce(pg_sequence_last_value(to_regclass($1)), $2)))
                 WHERE to_regclass($1) IS NOT NULL",
                &[&name, &last],
            )
            .await
            .map_err(failure)?;
        }
        let leader = qualified(&self.layout.leader);
        let epoch: i64 = old
            .query_one(
                &format!("SELECT coalesce(max(epoch), 0)::bigint FROM {leader}"),
                &[],
            )
            .await
            .map_err(failure)?
            .get(0);
        let statement = format!("UPDATE {leader} SET epoch = $1::bigint WHERE epoch < $1::bigint");
        new.execute(&statement, &[&epoch]).await.map_err(failure)?;
        Ok(())
    }
}
