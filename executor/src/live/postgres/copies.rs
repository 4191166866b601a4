//! Copies of the ledger: snapshots, and a copy put in the ledger's place.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::session::{Session, connect, failure, identifier, literal};
use super::{PostgresDatabase, fence, ledger};
use crate::ports::{DatabaseError, LedgerPosition, RestoreReport, Snapshot};

/// What a snapshot's comment says about it. A copy without it is not complete.
#[derive(Serialize, Deserialize)]
struct Facts {
    taken_at: Timestamp,
    position: LedgerPosition,
    schema_version: Option<String>,
}

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
        let exclusive = self.exclusive().await?;
        let session = self.open_exclusively(&exclusive).await?;
        if fence::read(&session).await?.is_some_and(|fence| fence.up) {
            return Err(DatabaseError::Precondition(
                "the fence is up: a rollback is under way, so this is no time for a snapshot"
                    .to_owned(),
            ));
        }
        drop(session);
        let partial = format!("{name}__partial");
        drop_database(&exclusive, &partial).await?;
        self.allow(&exclusive, &self.ledger, false).await?;
        let copied = copy(&exclusive, &self.ledger, &partial).await;
        self.allow(&exclusive, &self.ledger, true).await?;
        copied?;

        let inside = connect(&self.config, &partial).await?;
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
        let comment = serde_json::to_string(&facts)
            .map_err(|error| DatabaseError::Precondition(error.to_string()))?;
        self.allow(&exclusive, &partial, false).await?;
        let statement = format!(
            "COMMENT ON DATABASE {} IS {}",
            identifier(&partial),
            literal(&comment)
        );
        exclusive.batch_execute(&statement).await.map_err(failure)?;
        if exists(&exclusive, name).await? {
            let previous = format!("{name}__previous");
            drop_database(&exclusive, &previous).await?;
            rename(&exclusive, &[(name, &previous), (&partial, name)]).await?;
        } else {
            rename(&exclusive, &[(&partial, name)]).await?;
        }
        find(&exclusive, name).await?.ok_or_else(|| {
            DatabaseError::Precondition(format!("snapshot {name} vanished after it was taken"))
        })
    }

    /// Puts a copy of `snapshot` in the ledger's place.
    pub(super) async fn restore_from(
        &self,
        snapshot: &str,
        set_aside: &str,
        token: u64,
    ) -> Result<RestoreReport, DatabaseError> {
        let exclusive = self.exclusive().await?;
        let already_done = exists(&exclusive, set_aside).await?;
        if !already_done {
            self.swap(&exclusive, snapshot, set_aside, token).await?;
        }
        let mut session = self.open_exclusively(&exclusive).await?;
        // The same token or a higher one; the fence is up on the copy since before the swap.
        let transaction = session.transaction().await.map_err(failure)?;
        fence::hold(&transaction, token).await?;
        transaction.commit().await.map_err(failure)?;
        self.allow(&exclusive, set_aside, true).await?;
        let aside = connect(&self.config, set_aside).await?;
        Ok(RestoreReport {
            set_aside: set_aside.to_owned(),
            before: ledger::position(&aside, &self.layout).await?,
            after: ledger::position(&session, &self.layout).await?,
            already_done,
        })
    }

    async fn swap(
        &self,
        exclusive: &Session,
        snapshot: &str,
        set_aside: &str,
        token: u64,
    ) -> Result<(), DatabaseError> {
        if find(exclusive, snapshot).await?.is_none() {
            return Err(DatabaseError::Precondition(format!(
                "there is no complete snapshot `{snapshot}`"
            )));
        }
        let mut old = self.open_exclusively(exclusive).await?;
        let transaction = old.transaction().await.map_err(failure)?;
        fence::hold(&transaction, token).await?;
        transaction.commit().await.map_err(failure)?;

        let restoring = format!("{}__restoring", self.ledger);
        drop_database(exclusive, &restoring).await?;
        copy(exclusive, snapshot, &restoring).await?;
        let mut new = connect(&self.config, &restoring).await?;
        fence::raise(&mut new, &self.layout, token).await?;
        self.advance(&old, &new).await?;
        drop((old, new));
        self.allow(exclusive, &restoring, false).await?;
        self.allow(exclusive, &self.ledger, false).await?;
        let pairs = [
            (self.ledger.as_str(), set_aside),
            (restoring.as_str(), self.ledger.as_str()),
        ];
        let renamed = rename(exclusive, &pairs).await;
        self.allow(exclusive, &self.ledger, true).await?;
        renamed
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
        let leader = identifier(&self.layout.leader);
        let epoch: i64 = old
            .query_one(
                &format!("SELECT coalesce(max(epoch), 0) FROM {leader}"),
                &[],
            )
            .await
            .map_err(failure)?
            .get(0);
        let statement = format!("UPDATE {leader} SET epoch = $1 WHERE epoch < $1");
        new.execute(&statement, &[&epoch]).await.map_err(failure)?;
        Ok(())
    }
}
