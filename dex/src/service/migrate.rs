//! Applies a release's migrations as the open-source Flyway 13 does, with a history that it accepts.
//!
//! The same advisory lock keeps the two apart. Each migration runs in a transaction of its own, together with its row
//! of the history: a migration that fails leaves nothing behind. Undo scripts are not run here;
//! open-source Flyway has no such thing.

use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls, Transaction};

use super::clock;
use super::seed::seed;
use crate::migrations::{APP_ROLE, HISTORY_TABLE, Kind, Migration, layout};
use crate::release::Release;

/// Flyway's base number plus Java's `hashCode` of `"public"."flyway_schema_history"`.
const LOCK: i64 = 77_433_833_903_597;
/// Attempts to get the lock, one a second.
const LOCK_ATTEMPTS: u32 = 50;

/// What keeps a database from being migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The server refused, or the session broke.
    #[error("{what}")]
    Database {
        /// What was being done.
        what: String,
        /// What came of it.
        #[source]
        source: tokio_postgres::Error,
    },
    /// Somebody else migrates.
    #[error("another migration holds the lock of {HISTORY_TABLE}")]
    Locked,
    /// A migration that was applied is not the one that the release ships.
    #[error("{script}: applied with checksum {applied}, the file has {file}")]
    Checksum {
        /// File name.
        script: String,
        /// In the history.
        applied: i32,
        /// Of the file.
        file: i32,
    },
    /// The history says that a migration failed.
    #[error("{0} has failed before; repair the history first")]
    FailedBefore(String),
    /// A migration was applied that the release does not know, older than the newest that it knows.
    #[error("version {0} was applied and is not among the release's migrations")]
    Missing(String),
    /// A migration of the release is older than one that was applied.
    #[error("{0} is older than what was applied already")]
    OutOfOrder(String),
}

fn at(what: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> MigrateError {
    let what = what.into();
    move |source| MigrateError::Database { what, source }
}

/// How many accounts and markets an empty ledger is opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// Accounts, at least 1.
    pub accounts: u32,
    /// Markets, at least 1.
    pub markets: u16,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrationReport {
    /// File names of what was applied now.
    pub applied: Vec<String>,
    /// Versions in the history that the release does not know yet.
    pub future: Vec<String>,
    /// Whether the ledger was opened now.
    pub opened: bool,
}

/// A migration and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfoRow {
    /// Version.
    pub version: String,
    /// Description.
    pub description: String,
    /// File name.
    pub script: String,
    /// Checksum in the history, or of the file.
    pub checksum: Option<i32>,
    /// `Success`, `Failed`, `Pending` or `Future`.
    pub state: &'static str,
}

/// A row of the history.
struct Applied {
    version: Option<String>,
    description: String,
    kind: String,
    script: String,
    checksum: Option<i32>,
    success: bool,
}

/// A version by its numbers.
fn number(version: &str) -> Vec<u64> {
    let mut parts: Vec<u64> = version
        .split('.')
        .map(|part| part.parse().unwrap_or(u64::MAX))
        .collect();
    while parts.last() == Some(&0) {
        parts.pop();
    }
    parts
}

async fn connect(config: &Config) -> Result<Client, MigrateError> {
    let mut config = config.clone();
    config.application_name("dex-migrate");
    let (client, connection) = config.connect(NoTls).await.map_err(at("connect"))?;
    // It ends with the client; whoever waits for an answer gets its error.
    drop(tokio::spawn(connection));
    Ok(client)
}

async fn history(client: &Client) -> Result<Vec<Applied>, MigrateError> {
    let there: bool = client
        .query_one(
            "SELECT to_regclass('public.' || $1) IS NOT NULL",
            &[&HISTORY_TABLE],
        )
        .await
        .map_err(at("look for the history"))?
        .get(0);
    if !there {
        return Ok(Vec::new());
    }
    let query = format!(
        "SELECT version, description, type, script, checksum, success
         FROM public.{HISTORY_TABLE} ORDER BY installed_rank"
    );
    let rows = client
        .query(&query, &[])
        .await
        .map_err(at("read the history"))?;
    Ok(rows
        .iter()
        .map(|row| Applied {
            version: row.get(0),
            description: row.get(1),
            kind: row.get(2),
            script: row.get(3),
            checksum: row.get(4),
            success: row.get(5),
        })
        .collect())
}

/// The release's versioned migrations that are to be applied, and versions of the future.
fn pending(
    files: &[Migration],
    history: &[Applied],
) -> Result<(Vec<Migration>, Vec<String>), MigrateError> {
    let known: Vec<(Vec<u64>, &Migration)> = files
        .iter()
        .filter(|file| file.script().kind == Kind::Versioned)
        .map(|file| (number(&file.script().version), file))
        .collect();
    let newest_known = known.iter().map(|(version, _)| version).max();
    let mut future = Vec::new();
    let mut applied = Vec::new();
    for row in history {
        let Some(text) = &row.version else { continue };
        if !row.success {
            return Err(MigrateError::FailedBefore(row.script.clone()));
        }
        let version = number(text);
        if row.kind != "SQL" {
            applied.push(version);
            continue;
        }
        match known.iter().find(|(v, _)| *v == version) {
            Some((_, file)) => {
                if let Some(checksum) = row.checksum
                    && checksum != file.checksum()
                {
                    return Err(MigrateError::Checksum {
                        script: row.script.clone(),
                        applied: checksum,
                        file: file.checksum(),
                    });
                }
            }
            None if Some(&version) > newest_known => future.push(text.clone()),
            None => return Err(MigrateError::Missing(text.clone())),
        }
        applied.push(version);
    }
    let newest_applied = applied.iter().max();
    let mut pending = Vec::new();
    for (version, file) in &known {
        if applied.contains(version) {
            continue;
        }
        if Some(version) < newest_applied {
            return Err(MigrateError::OutOfOrder(file.name.to_owned()));
        }
        pending.push((version.clone(), **file));
    }
    pending.sort_by(|a, b| a.0.cmp(&b.0));
    Ok((pending.into_iter().map(|(_, file)| file).collect(), future))
}

/// Holds Flyway's lock as long as the transaction lasts.
async fn lock(client: &mut Client) -> Result<Transaction<'_>, MigrateError> {
    let transaction = client.transaction().await.map_err(at("begin"))?;
    for attempt in 0..LOCK_ATTEMPTS {
        if attempt > 0 {
            clock::sleep(Duration::from_secs(1)).await;
        }
        let row = transaction
            .query_one("SELECT pg_try_advisory_xact_lock($1)", &[&LOCK])
            .await
            .map_err(at("lock the history"))?;
        if row.get(0) {
            return Ok(transaction);
        }
    }
    Err(MigrateError::Locked)
}

async fn create_history(client: &Client) -> Result<(), MigrateError> {
    let statements = format!(
        "CREATE TABLE IF NOT EXISTS public.{HISTORY_TABLE} (
            installed_rank  INTEGER NOT NULL CONSTRAINT {HISTORY_TABLE}_pk PRIMARY KEY,
            version         VARCHAR(50),
            description     VARCHAR(200) NOT NULL,
            type            VARCHAR(20) NOT NULL,
            script          VARCHAR(1000) NOT NULL,
            checksum        INTEGER,
            installed_by    VARCHAR(100) NOT NULL,
            installed_on    TIMESTAMP NOT NULL DEFAULT now(),
            execution_time  INTEGER NOT NULL,
            success         BOOLEAN NOT NULL
        );
        CREATE INDEX IF NOT EXISTS {HISTORY_TABLE}_s_idx ON public.{HISTORY_TABLE} (success)"
    );
    client
        .batch_execute(&statements)
        .await
        .map_err(at("create the history"))
}

async fn apply(client: &mut Client, file: &Migration) -> Result<(), MigrateError> {
    let script = file.script();
    let failed = || at(file.name);
    let transaction = client.transaction().await.map_err(failed())?;
    let begun = clock::now();
    transaction
        .batch_execute(file.sql)
        .await
        .map_err(failed())?;
    let took = i32::try_from((clock::now() - begun).as_millis()).unwrap_or(i32::MAX);
    let insert = format!(
        "INSERT INTO public.{HISTORY_TABLE}
            (installed_rank, version, description, type, script, checksum, installed_by, execution_time, success)
         SELECT coalesce(max(installed_rank), 0) + 1, $1::text, $2::text, 'SQL', $3::text, $4::integer, current_user,
            $5::integer, TRUE
         FROM public.{HISTORY_TABLE}"
    );
    transaction
        .execute(
            &insert,
            &[
                &script.version,
                &script.description,
                &file.name,
                &file.checksum(),
                &took,
            ],
        )
        .await
        .map_err(failed())?;
    transaction.commit().await.map_err(failed())
}

/// Migrates the database of `config` to `release`, and opens an empty ledger if `genesis` is given. The role that
/// connects owns the tables and may create roles. `app_password` becomes the exchange's role's, if given.
///
/// # Errors
/// What keeps the database from being migrated; migrations before it stay applied.
pub async fn migrate(
    config: &Config,
    release: &Release,
    genesis: Option<Genesis>,
    app_password: Option<&str>,
) -> Result<MigrationReport, MigrateError> {
    let mut guard = connect(config).await?;
    let guard = lock(&mut guard).await?;
    let mut client = connect(config).await?;
    create_history(&client).await?;
    let (pending, future) = pending(&release.migrations(), &history(&client).await?)?;
    let mut report = MigrationReport {
        future,
        ..MigrationReport::default()
    };
    for file in &pending {
        apply(&mut client, file).await?;
        report.applied.push(file.name.to_owned());
    }
    if let Some(password) = app_password {
        let statement = format!(
            "ALTER ROLE {APP_ROLE} PASSWORD '{}'",
            password.replace('\'', "''")
        );
        client
            .batch_execute(&statement)
            .await
            .map_err(at("set the role's password"))?;
    }
    if let Some(genesis) = genesis {
        let newest = history(&client).await?;
        let scripts = newest.iter().filter(|row| row.success);
        let schema = layout(scripts.map(|row| row.script.as_str()));
        report.opened = seed(&mut client, schema, genesis)
            .await
            .map_err(at("open the ledger"))?;
    }
    guard.commit().await.map_err(at("unlock the history"))?;
    Ok(report)
}

/// What became of the release's migrations, and others that were applied.
///
/// # Errors
/// The database cannot be read.
pub async fn info(config: &Config, release: &Release) -> Result<Vec<InfoRow>, MigrateError> {
    let client = connect(config).await?;
    let history = history(&client).await?;
    let files = release.migrations();
    let known = |version: &str| {
        files.iter().any(|file| {
            let script = file.script();
            script.kind == Kind::Versioned && number(&script.version) == number(version)
        })
    };
    let mut rows: Vec<InfoRow> = history
        .iter()
        .map(|row| {
            let version = row.version.clone().unwrap_or_default();
            InfoRow {
                state: match (row.success, known(&version)) {
                    (false, _) => "Failed",
                    (true, true) => "Success",
                    (true, false) => "Future",
                },
                version,
                description: row.description.clone(),
                script: row.script.clone(),
                checksum: row.checksum,
            }
        })
        .collect();
    for file in &files {
        let script = file.script();
        let applied = history.iter().any(|row| {
            row.version
                .as_deref()
                .is_some_and(|v| number(v) == number(&script.version))
        });
        if script.kind == Kind::Versioned && !applied {
            rows.push(InfoRow {
                version: script.version,
                description: script.description,
                script: file.name.to_owned(),
                checksum: Some(file.checksum()),
                state: "Pending",
            });
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::Set;

    fn row(version: &str, checksum: i32) -> Applied {
        Applied {
            version: Some(version.to_owned()),
            description: "x".to_owned(),
            kind: "SQL".to_owned(),
            script: format!("V{version}__x.sql"),
            checksum: Some(checksum),
            success: true,
        }
    }

    #[test]
    fn only_what_is_missing_is_applied_and_the_future_is_left_alone() {
        let files = Set::Decimal.files();
        let (base, decimal) = (files[0].checksum(), files[1].checksum());
        let names = |history: &[Applied], files: &[Migration]| {
            let (pending, future) = pending(files, history).unwrap();
            (pending.iter().map(|f| f.name).collect::<Vec<_>>(), future)
        };
        let (todo, future) = names(&[], &files);
        assert_eq!(todo, ["V1__base_schema.sql", "V2__decimal_ledger.sql"]);
        assert!(future.is_empty());
        let both = [row("1", base), row("2", decimal)];
        assert_eq!(names(&both, &files), (vec![], vec![]));
        let older = Set::Base.files();
        assert_eq!(names(&both, &older), (vec![], vec!["2".to_owned()]));
    }

    #[test]
    fn a_history_that_does_not_fit_is_refused() {
        let files = Set::Decimal.files();
        let (base, decimal) = (files[0].checksum(), files[1].checksum());
        let refused = |history: &[Applied]| pending(&files, history).unwrap_err().to_string();
        assert!(refused(&[row("1", base + 1)]).contains("checksum"));
        assert!(refused(&[row("1", base), row("1.5", 1)]).contains("version 1.5"));
        assert!(refused(&[row("2.0", decimal)]).contains("V1__base_schema.sql is older"));
        let mut failed = row("1", base);
        failed.success = false;
        assert!(refused(&[failed]).contains("failed before"));
    }
}
