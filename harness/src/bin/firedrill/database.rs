//! `flyway` and `rollback db` on the `PATH` of a drill: they talk to the served world, and say what they do much as the
//! real programs do. What the simulation does not have is refused by name.

use std::ffi::OsString;

use clap::{Parser, Subcommand};
use contract::ledger::{FenceReport, HistoryRow, ReplayReport, RestoreReport, Snapshot};
use dex::migrations::{Kind, ScriptName};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::outside::{variable, wrong};
use crate::served::Served;
use crate::terminal;

#[path = "../../../../executor/src/bin/rollback/db_command.rs"]
mod db_command;

use db_command::{Db, DbCommand};

/// The ConfigMap that holds the release's migrations.
const MIGRATIONS: &str = "dex-migrations";
/// What Flyway ends with if it fails.
const FAILED: u8 = 1;

/// The served world, with the namespace of what is drilled.
struct World {
    served: Served,
    namespace: String,
}

impl World {
    fn new() -> Result<Self, Failure> {
        Ok(Self {
            served: Served::new()?,
            namespace: variable("FIREDRILL_NAMESPACE")?,
        })
    }

    /// An operation of the database: its answer, or why it failed.
    fn ask<T: DeserializeOwned>(&self, operation: &str, arguments: &Value) -> Result<T, String> {
        let path = format!("store/{operation}");
        read(&self.served.post(&path, Some(arguments))?)
    }

    /// The scripts of the release that was deployed last, by file name.
    fn scripts(&self) -> Result<Vec<Script>, String> {
        let namespace = &self.namespace;
        let path = format!("/api/v1/namespaces/{namespace}/configmaps/{MIGRATIONS}");
        let map: Value = read(&self.served.get(&path)?)?;
        let data = map["data"].as_object().into_iter().flatten();
        let scripts = data.filter_map(|(file, sql)| {
            Some(Script {
                name: ScriptName::parse(file).ok()?,
                file: file.clone(),
                sql: sql.as_str()?.to_owned(),
            })
        });
        Ok(scripts.collect())
    }
}

/// The JSON of an answer.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("{text}: {error}"))
}

/// A script of Flyway.
struct Script {
    name: ScriptName,
    file: String,
    sql: String,
}

/// What stands before every message of Flyway about an error.
fn flyway_failed(why: &str) -> u8 {
    terminal::complain(&format!("ERROR: {why}"));
    FAILED
}

/// `flyway info`, `undo`, `validate` and `migrate`; the exit code.
pub(crate) fn flyway(words: &[OsString]) -> Result<u8, Failure> {
    let words: Vec<String> = words
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    // Options of the connection say what the environment of a drill says.
    let (options, commands): (Vec<_>, Vec<_>) =
        words.into_iter().partition(|word| word.starts_with('-'));
    let target = options
        .iter()
        .find_map(|option| option.strip_prefix("-target="));
    let world = World::new()?;
    let done = match commands.as_slice() {
        [command] => match command.as_str() {
            "info" => info(&world),
            "validate" => validate(&world),
            "undo" => undo(&world, target),
            "migrate" => migrate(&world, target),
            other => Err(format!(
                "the simulation has no `flyway {other}`: it has info, validate, undo and migrate"
            )),
        },
        _ => Err("say one command: info, validate, undo or migrate".to_owned()),
    };
    Ok(done.map_or_else(|why| flyway_failed(&why), |()| 0))
}

/// Versions in their order, as numbers joined by dots.
fn order(version: &str) -> Vec<u64> {
    let parts = version.split('.');
    parts.map(|part| part.parse().unwrap_or(u64::MAX)).collect()
}

fn history(world: &World) -> Result<Vec<HistoryRow>, String> {
    world.ask("history", &json!({}))
}

/// The rows whose migration is applied, by version, the newest last.
fn applied(history: &[HistoryRow]) -> Vec<&HistoryRow> {
    let mut rows: Vec<&HistoryRow> = history
        .iter()
        .filter(|row| row.success && row.version.is_some())
        .collect();
    rows.sort_by_key(|row| order(row.version.as_deref().unwrap_or_default()));
    rows
}

fn schema_version(history: &[HistoryRow]) -> String {
    let last = applied(history).last().and_then(|row| row.version.clone());
    last.unwrap_or_else(|| "<< Empty Schema >>".to_owned())
}

fn info(world: &World) -> Result<(), String> {
    let history = history(world)?;
    let scripts = world.scripts()?;
    terminal::say(&format!("Schema version: {}\n", schema_version(&history)));
    terminal::say(&table(&history, &scripts));
    Ok(())
}

/// Flyway's table of `info`.
fn table(history: &[HistoryRow], scripts: &[Script]) -> String {
    let head = [
        "Category",
        "Version",
        "Description",
        "Type",
        "State",
        "Undoable",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    let can_be_undone = |version: &str| {
        let mut all = scripts.iter();
        all.any(|it| it.name.kind == Kind::Undo && it.name.version == version)
    };
    for row in history {
        let version = row.version.clone().unwrap_or_default();
        let category = if version.is_empty() {
            "Repeatable"
        } else {
            "Versioned"
        };
        let state = if row.success { "Success" } else { "Failed" };
        let undoable = if can_be_undone(&version) { "Yes" } else { "No" };
        rows.push(
            [
                category,
                &version,
                &row.description,
                &row.kind,
                state,
                undoable,
            ]
            .map(str::to_owned),
        );
    }
    let is_known = |script: &Script| {
        let mut all = history.iter();
        all.any(|row| row.version.as_deref() == Some(script.name.version.as_str()))
    };
    let pending = scripts
        .iter()
        .filter(|it| it.name.kind == Kind::Versioned && !is_known(it));
    for script in pending {
        let ScriptName {
            version,
            description,
            ..
        } = &script.name;
        let undoable = if can_be_undone(version) { "Yes" } else { "No" };
        let row = [
            "Versioned",
            version,
            description,
            "SQL",
            "Pending",
            undoable,
        ];
        rows.push(row.map(str::to_owned));
    }
    drawn(&rows)
}

/// Rows between lines, as Flyway draws them.
fn drawn(rows: &[[String; 6]]) -> String {
    let mut widths = [0; 6];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line: String = widths
        .iter()
        .map(|width| format!("+{}", "-".repeat(width + 2)))
        .collect();
    let mut out = format!("{line}+\n");
    for (n, row) in rows.iter().enumerate() {
        for (width, cell) in widths.iter().zip(row) {
            out.push_str(&format!("| {cell:width$} "));
        }
        out.push_str("|\n");
        if n == 0 {
            out.push_str(&format!("{line}+\n"));
        }
    }
    out.push_str(&format!("{line}+"));
    out
}

fn validate(world: &World) -> Result<(), String> {
    let history = history(world)?;
    let scripts = world.scripts()?;
    let wrong = invalid(&history, &scripts);
    if let Some(first) = wrong.first() {
        return Err(format!(
            "Validate failed: Migrations have failed validation\n{first}"
        ));
    }
    let checked = applied(&history).len();
    terminal::say(&format!("Successfully validated {checked} migrations"));
    Ok(())
}

/// What of the history does not fit the scripts.
fn invalid(history: &[HistoryRow], scripts: &[Script]) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in history.iter().filter(|row| row.version.is_some()) {
        let version = row.version.as_deref().unwrap_or_default();
        if !row.success {
            wrong.push(format!(
                "Detected failed migration to version {version} ({})",
                row.description
            ));
            continue;
        }
        let mut all = scripts.iter();
        let script = all.find(|it| it.name.kind == Kind::Versioned && it.name.version == version);
        match (script, row.checksum) {
            (None, _) => wrong.push(format!(
                "Detected applied migration not resolved locally: {version}."
            )),
            (Some(script), Some(checksum)) => {
                let local = dex::migrations::checksum(&script.sql);
                if local != checksum {
                    wrong.push(format!(
                        "Migration checksum mismatch for migration version {version}\n\
                         -> Applied to database : {checksum}\n-> Resolved locally    : {local}"
                    ));
                }
            }
            (Some(_), None) => {}
        }
    }
    wrong
}

/// Undoes the newest migration, or all down to `target` and with it.
fn undo(world: &World, target: Option<&str>) -> Result<(), String> {
    let history = history(world)?;
    let scripts = world.scripts()?;
    let rows = applied(&history);
    let chosen: Vec<&HistoryRow> = match target {
        None => rows.last().copied().into_iter().collect(),
        Some(target) => {
            let at_least = |row: &&&HistoryRow| {
                order(row.version.as_deref().unwrap_or_default()) >= order(target)
            };
            rows.iter().rev().filter(at_least).copied().collect()
        }
    };
    let undone = fenced(world, |token| {
        for row in &chosen {
            undo_one(world, &scripts, row, token)?;
        }
        Ok(chosen.len())
    })?;
    let now = self::history(world)?;
    terminal::say(&format!(
        "Successfully undid {undone} migration{} to schema \"public\", now at version v{}",
        if undone == 1 { "" } else { "s" },
        schema_version(&now)
    ));
    Ok(())
}

/// Undoes the migration of one row.
fn undo_one(world: &World, scripts: &[Script], row: &HistoryRow, token: u64) -> Result<(), String> {
    let version = row.version.as_deref().unwrap_or_default();
    let mut all = scripts.iter();
    let script = all.find(|it| it.name.kind == Kind::Undo && it.name.version == version);
    let script = script.ok_or_else(|| {
        format!("Unable to undo migration to version {version} as no undo migration was found")
    })?;
    terminal::say(&format!(
        "Undoing migration of schema \"public\" to version {version} - {}",
        row.description
    ));
    let arguments = json!({
        "version": version, "name": script.file, "sql": script.sql, "token": token,
    });
    world.ask::<Value>("undo", &arguments)?;
    Ok(())
}

/// `work` with the fence up, as the simulated database wants it where a schema is undone: it stands for the locks that
/// Flyway's transaction takes. A fence that is up already stays up.
fn fenced<T>(world: &World, work: impl FnOnce(u64) -> Result<T, String>) -> Result<T, String> {
    let up: Option<u64> = world.ask("fence-token", &json!({}))?;
    if let Some(token) = up {
        return work(token);
    }
    let token: u64 = world.ask("token-max", &json!({}))?;
    world.ask::<FenceReport>("fence", &json!({ "token": token }))?;
    let done = work(token);
    world.ask::<Value>("unfence", &json!({ "token": token }))?;
    done
}

/// Applies the migrations that the history lacks, up to `target` and with it.
fn migrate(world: &World, target: Option<&str>) -> Result<(), String> {
    let history = history(world)?;
    let mut scripts = world.scripts()?;
    scripts.sort_by_key(|it| order(&it.name.version));
    let is_applied = |version: &str| {
        let mut all = history.iter();
        all.any(|row| row.success && row.version.as_deref() == Some(version))
    };
    let mut applied = 0;
    for script in scripts {
        let version = &script.name.version;
        let is_beyond = target.is_some_and(|target| order(version) > order(target));
        if script.name.kind != Kind::Versioned || is_applied(version) || is_beyond {
            continue;
        }
        terminal::say(&format!(
            "Migrating schema \"public\" to version \"{version} - {}\"",
            script.name.description
        ));
        let arguments = json!({"name": script.file, "sql": script.sql});
        world.ask::<Value>("migrate", &arguments)?;
        applied += 1;
    }
    terminal::say(&if applied == 0 {
        "Schema \"public\" is up to date. No migration necessary.".to_owned()
    } else {
        format!("Successfully applied {applied} migrations to schema \"public\"")
    });
    Ok(())
}

/// The executor's own program, as far as a drill has it.
#[derive(Debug, Parser)]
#[command(name = "rollback", about = "In a drill, `rollback` has only `db`")]
struct Rollback {
    #[command(subcommand)]
    command: RollbackCommand,
}

#[derive(Debug, Subcommand)]
enum RollbackCommand {
    /// Single steps on the ledger database, for a rollback by hand
    Db(Db),
}

/// `rollback db …`; the exit code.
pub(crate) fn rollback(words: &[OsString]) -> Result<u8, Failure> {
    let first = words.first().map(|word| word.to_string_lossy());
    if let Some(other) = first.filter(|word| word != "db" && !word.starts_with('-')) {
        return Err(wrong(format!(
            "the simulation has no `rollback {other}`: it has only `rollback db`"
        )));
    }
    let program = std::iter::once(OsString::from("rollback")).chain(words.iter().cloned());
    let parsed = match Rollback::try_parse_from(program) {
        Ok(parsed) => parsed,
        Err(error) => {
            let is_help = !error.use_stderr();
            if is_help {
                terminal::say(&error.render().to_string());
                return Ok(0);
            }
            return Err(wrong(error.render().to_string()));
        }
    };
    let RollbackCommand::Db(steps) = parsed.command;
    let world = World::new()?;
    match db(&world, steps) {
        Ok(said) => {
            terminal::say(&said);
            Ok(0)
        }
        Err(why) => {
            terminal::complain(&format!("error: {why}"));
            Ok(FAILED)
        }
    }
}

fn db(world: &World, Db { command, token }: Db) -> Result<String, String> {
    let token = match token {
        Some(token) => token,
        None => world.ask("token-max", &json!({}))?,
    };
    Ok(match command {
        DbCommand::Fence => {
            let report: FenceReport = world.ask("fence", &json!({ "token": token }))?;
            report.to_string()
        }
        DbCommand::Unfence => {
            world.ask::<Value>("unfence", &json!({ "token": token }))?;
            "fence down".to_owned()
        }
        DbCommand::Snapshot { name } => {
            let snapshot: Snapshot = world.ask("snapshot", &json!({ "name": name }))?;
            snapshot.to_string()
        }
        DbCommand::Restore {
            snapshot,
            set_aside,
        } => {
            let arguments = json!({"snapshot": snapshot, "set_aside": set_aside, "token": token});
            let report: RestoreReport = world.ask("restore", &arguments)?;
            report.to_string()
        }
        DbCommand::Replay { set_aside, .. } => {
            let arguments = json!({"set_aside": set_aside, "token": token});
            let report: ReplayReport = world.ask("replay", &arguments)?;
            report.to_string()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(file: &str, sql: &str) -> Script {
        Script {
            name: ScriptName::parse(file).expect("a name"),
            file: file.to_owned(),
            sql: sql.to_owned(),
        }
    }

    fn row(version: &str, sql: &str, success: bool) -> HistoryRow {
        HistoryRow {
            installed_rank: 1,
            version: Some(version.to_owned()),
            description: "base schema".to_owned(),
            kind: "SQL".to_owned(),
            script: format!("V{version}__base_schema.sql"),
            checksum: Some(dex::migrations::checksum(sql)),
            success,
        }
    }

    #[test]
    fn the_table_shows_what_is_applied_and_what_is_pending() {
        let scripts = [
            script("V1__base_schema.sql", "a"),
            script("V2__decimal_ledger.sql", "b"),
            script("U2__decimal_ledger.sql", "c"),
        ];
        let table = table(&[row("1", "a", true)], &scripts);
        let rows: Vec<&str> = table.lines().collect();
        assert_eq!(rows.len(), 6, "{table}");
        assert!(
            rows[3].contains("| Versioned | 1       | base schema"),
            "{table}"
        );
        assert!(rows[4].contains("| Pending | Yes"), "{table}");
    }

    #[test]
    fn a_history_that_does_not_fit_the_scripts_is_invalid() {
        let scripts = [script("V1__base_schema.sql", "a")];
        assert!(invalid(&[row("1", "a", true)], &scripts).is_empty());
        for (history, why) in [
            (row("1", "other", true), "checksum mismatch"),
            (row("1", "a", false), "failed migration"),
            (row("2", "a", true), "not resolved locally"),
        ] {
            let wrong = invalid(&[history], &scripts);
            assert!(wrong.len() == 1 && wrong[0].contains(why), "{wrong:?}");
        }
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        assert!(order("2") < order("2.1") && order("2.9") < order("2.10"));
    }
}
