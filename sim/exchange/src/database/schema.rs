//! Migrations and their undoing: which scripts the server understands, and what they do to a ledger.
//!
//! The scripts are those of the exchange's releases. The server recognises them by their text; any
//! other text is a syntax error to it.

use dex::migrations::{Effect, Kind, Migration, ScriptName, Set, checksum};
use dex::release::{Build, SchemaVersion, Service};
use dex::rows;

use super::ledger::LedgerTables;
use contract::ledger::{DatabaseError, HistoryRow};

/// The history of a ledger that was created by the base schema.
pub(super) fn base_history() -> Vec<HistoryRow> {
    Set::Base
        .files()
        .iter()
        .enumerate()
        .map(|(n, file)| row(n as i32 + 1, file.name, &file.script(), file.sql))
        .collect()
}

fn row(installed_rank: i32, name: &str, script: &ScriptName, sql: &str) -> HistoryRow {
    HistoryRow {
        installed_rank,
        version: (script.kind != Kind::Repeatable).then(|| script.version.clone()),
        description: script.description.clone(),
        kind: "SQL".to_owned(),
        script: name.to_owned(),
        checksum: Some(checksum(sql)),
        success: true,
    }
}

/// The row of the history that says that `version` is applied.
fn applied<'a>(ledger: &'a LedgerTables, version: &str) -> Option<&'a HistoryRow> {
    ledger
        .history
        .iter()
        .find(|r| r.success && r.version.as_deref() == Some(version))
}

/// Whether the history says that `version` is applied.
pub(super) fn is_applied(ledger: &LedgerTables, version: &str) -> bool {
    applied(ledger, version).is_some()
}

/// What the releases' file with this text does.
fn known(sql: &str, kind: Kind) -> Option<Effect> {
    Set::ALL
        .into_iter()
        .flat_map(Set::files)
        .find(|file| file.sql == sql && file.script().kind == kind)
        .map(|file| Migration::effect(&file))
}

fn syntax_error() -> DatabaseError {
    DatabaseError::refused("42601", "syntax error in the script")
}

fn parse(name: &str, kind: Kind) -> Result<ScriptName, DatabaseError> {
    let script = ScriptName::parse(name)
        .map_err(|error| DatabaseError::Precondition(format!("{name}: {error}")))?;
    if script.kind == kind {
        Ok(script)
    } else {
        Err(DatabaseError::Precondition(format!(
            "{name} is not a script of the right kind"
        )))
    }
}

/// The version that a migration file applies.
pub(super) fn version_of(name: &str) -> Option<String> {
    ScriptName::parse(name).ok().map(|script| script.version)
}

/// Whether a migration can run: a known script, newer than what is applied, or the very one that is.
pub(super) fn check_migrate(
    ledger: &LedgerTables,
    name: &str,
    sql: &str,
) -> Result<(), DatabaseError> {
    let script = parse(name, Kind::Versioned)?;
    if let Some(row) = applied(ledger, &script.version) {
        return if row.checksum == Some(checksum(sql)) {
            Ok(())
        } else {
            Err(DatabaseError::Precondition(format!(
                "migration checksum mismatch for version {}",
                script.version
            )))
        };
    }
    known(sql, Kind::Versioned)
        .map(|_| ())
        .ok_or_else(syntax_error)
}

/// Runs a migration. `false`: it was applied already.
pub(super) fn migrate(
    ledger: &mut LedgerTables,
    name: &str,
    sql: &str,
) -> Result<bool, DatabaseError> {
    let script = parse(name, Kind::Versioned)?;
    if is_applied(ledger, &script.version) {
        return Ok(false);
    }
    match known(sql, Kind::Versioned).ok_or_else(syntax_error)? {
        Effect::Index => {}
        Effect::Layout(to) => rewrite(ledger, to)?,
        Effect::LayoutAndClientRef(to) => {
            rewrite(ledger, to)?;
            ledger.client_refs_since = Some(ledger.log.last_seq().0);
        }
    }
    let rank = ledger.history.last().map_or(1, |r| r.installed_rank + 1);
    ledger.history.push(row(rank, name, &script, sql));
    Ok(true)
}

/// Runs the versioned ones among `files`, those that are applied already left out.
pub(super) fn set_up(ledger: &mut LedgerTables, files: &[Migration]) -> Result<(), DatabaseError> {
    let versioned = files
        .iter()
        .filter(|it| it.script().kind == Kind::Versioned);
    for file in versioned {
        check_migrate(ledger, file.name, file.sql)?;
        migrate(ledger, file.name, file.sql)?;
    }
    Ok(())
}

/// Whether an undo script can run: it belongs to the newest applied version. A version that is not
/// applied needs no undoing.
pub(super) fn check_undo(
    ledger: &LedgerTables,
    version: &str,
    name: &str,
    sql: &str,
) -> Result<(), DatabaseError> {
    let script = parse(name, Kind::Undo)?;
    if script.version != version {
        return Err(DatabaseError::Precondition(format!(
            "{name} does not undo version {version}"
        )));
    }
    if !is_applied(ledger, version) {
        return Ok(());
    }
    if ledger.version() != Some(version) {
        return Err(DatabaseError::Precondition(format!(
            "version {version} is not the newest: {} is",
            ledger.version().unwrap_or("none")
        )));
    }
    match known(sql, Kind::Undo) {
        None => Err(syntax_error()),
        Some(Effect::LayoutAndClientRef(_)) if ledger.client_refs_since.is_none() => {
            Err(DatabaseError::refused(
                "42703",
                "column \"client_ref\" of relation \"orders\" does not exist",
            ))
        }
        Some(_) => Ok(()),
    }
}

/// Runs an undo script that [`check_undo`] has let pass, and removes the history row.
pub(super) fn undo(
    ledger: &mut LedgerTables,
    version: &str,
    sql: &str,
) -> Result<(), DatabaseError> {
    match known(sql, Kind::Undo).ok_or_else(syntax_error)? {
        Effect::Index => {}
        Effect::Layout(_) => rewrite(ledger, SchemaVersion::V1)?,
        Effect::LayoutAndClientRef(_) => {
            rewrite(ledger, SchemaVersion::V1)?;
            ledger.client_refs_lost += ledger.client_refs();
            ledger.client_refs_since = None;
        }
    }
    ledger
        .history
        .retain(|r| r.version.as_deref() != Some(version));
    Ok(())
}

/// `ALTER TABLE … TYPE … USING …`: every amount is written in the other layout. What the rewritten
/// rows say is what a build for that layout reads from them.
fn rewrite(ledger: &mut LedgerTables, to: SchemaVersion) -> Result<(), DatabaseError> {
    let reader = Build {
        schema: to,
        ..Build::stable(Service::Matching)
    };
    ledger.state = rows::decode(&reader, &rows::encode(to, &ledger.state))
        .map_err(|error| DatabaseError::refused("22P02", error.to_string()))?;
    ledger.schema = to;
    Ok(())
}
