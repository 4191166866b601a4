//! How the ledger is dealt with: not at all, by undo scripts, or from the snapshot.

use std::collections::{BTreeMap, BTreeSet};

pub use contract::rollback::LedgerPath;
use serde::{Deserialize, Serialize};

use super::observed::Observed;
use super::reason::LedgerReason;
use crate::ports::{HistoryRow, UndoScript};
use crate::runbook::TriggerClass;

/// The decision about the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerDecision {
    /// What happens to it.
    pub path: LedgerPath,
    /// Why, by name; `None`: the plan was journaled by a build that gave no names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<LedgerReason>,
    /// Why, in words.
    pub why: String,
    /// Scripts to run, newest version first; empty unless the path is [`LedgerPath::Undo`].
    pub undo: Vec<UndoScript>,
}

/// The value of `-- rollback: VALUE` in the comments at the top of a migration file.
#[must_use]
pub fn header(sql: &str) -> Option<&str> {
    sql.trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim)
        .take_while(|line| line.is_empty() || line.starts_with("--"))
        .find_map(|line| {
            line.trim_start_matches('-')
                .trim()
                .strip_prefix("rollback:")
                .map(str::trim)
        })
}

/// Decides from the history against the baseline's, the files' headers and the trigger's class.
#[must_use]
pub fn decide(observed: &Observed) -> LedgerDecision {
    let newer = newer_rows(&observed.baseline.history, &observed.history);
    if observed
        .trigger
        .as_ref()
        .is_some_and(|trigger| trigger.class == TriggerClass::DataIntegrity)
    {
        return restore(
            LedgerReason::DataWrong,
            "the data are wrong, whatever the schema: the ledger must be corrected".to_owned(),
        );
    }
    if newer.is_empty() {
        return LedgerDecision {
            path: LedgerPath::Application,
            because: Some(LedgerReason::NoMigration),
            why: "no migration since the baseline".to_owned(),
            undo: Vec::new(),
        };
    }
    let breaking: Vec<&str> = newer
        .iter()
        .filter(|row| !row.success || !is_compatible(row, &observed.scripts))
        .map(|row| row.script.as_str())
        .collect();
    if breaking.is_empty() {
        return LedgerDecision {
            path: LedgerPath::Application,
            because: Some(LedgerReason::Compatible),
            why: format!("marked compatible: {}", names(&newer)),
            undo: Vec::new(),
        };
    }
    let breaking = breaking.join(", ");
    match undo_scripts(&newer, &observed.scripts) {
        Ok(undo) => LedgerDecision {
            path: LedgerPath::Undo,
            because: Some(LedgerReason::LosslessUndo),
            why: format!("breaking: {breaking}; every newer version has a lossless undo script"),
            undo,
        },
        Err((because, words)) => restore(
            because,
            format!("breaking: {breaking}; no safe undo: {words}"),
        ),
    }
}

fn restore(because: LedgerReason, why: String) -> LedgerDecision {
    LedgerDecision {
        path: LedgerPath::Restore,
        because: Some(because),
        why,
        undo: Vec::new(),
    }
}

fn names(rows: &[&HistoryRow]) -> String {
    rows.iter()
        .map(|row| row.script.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Rows that the baseline's history has not. A rank alone would not do: undo frees it for reuse.
fn newer_rows<'a>(before: &[HistoryRow], now: &'a [HistoryRow]) -> Vec<&'a HistoryRow> {
    let known: BTreeSet<(Option<&str>, &str, Option<i32>, bool)> = before
        .iter()
        .map(|row| {
            (
                row.version.as_deref(),
                row.script.as_str(),
                row.checksum,
                row.success,
            )
        })
        .collect();
    now.iter()
        .filter(|row| {
            !known.contains(&(
                row.version.as_deref(),
                row.script.as_str(),
                row.checksum,
                row.success,
            ))
        })
        .collect()
}

fn is_compatible(row: &HistoryRow, scripts: &BTreeMap<String, String>) -> bool {
    file(&row.script, scripts).and_then(|sql| header(sql)) == Some("compatible")
}

/// History keeps the script's path below the location, the ConfigMap only its file name.
fn file<'a>(script: &str, scripts: &'a BTreeMap<String, String>) -> Option<&'a String> {
    scripts
        .get(script)
        .or_else(|| scripts.get(script.rsplit('/').next().unwrap_or(script)))
}

/// Undo scripts for all of `newer`, newest first, or why there are none that are safe.
fn undo_scripts(
    newer: &[&HistoryRow],
    scripts: &BTreeMap<String, String>,
) -> Result<Vec<UndoScript>, (LedgerReason, String)> {
    let mut rows = newer.to_vec();
    rows.sort_by_key(|row| std::cmp::Reverse(row.installed_rank));
    let mut undo = Vec::new();
    for row in rows {
        if !row.success {
            let script = &row.script;
            return Err((
                LedgerReason::MigrationFailed,
                format!("{script} did not succeed, and undo presumes that it did"),
            ));
        }
        let Some(version) = &row.version else {
            return Err((
                LedgerReason::RepeatableMigration,
                format!("{} is a repeatable migration", row.script),
            ));
        };
        let Some((name, sql)) = scripts.iter().find(|(name, _)| undoes(name, version)) else {
            return Err((
                LedgerReason::NoUndoScript,
                format!("{} has no undo script", row.script),
            ));
        };
        match header(sql) {
            Some("lossless") => {}
            Some(other) => {
                return Err((
                    LedgerReason::UndoNotLossless,
                    format!("{name} is marked {other}"),
                ));
            }
            None => {
                return Err((
                    LedgerReason::UndoUnmarked,
                    format!("{name} does not say whether it is lossless"),
                ));
            }
        }
        undo.push(UndoScript {
            version: version.clone(),
            name: name.clone(),
            sql: sql.clone(),
        });
    }
    Ok(undo)
}

/// Whether `name` is `U<version>__….sql`; Flyway reads `_` in a version as a dot.
fn undoes(name: &str, version: &str) -> bool {
    name.strip_prefix('U')
        .and_then(|rest| rest.split_once("__"))
        .is_some_and(|(found, _)| found.replace('_', ".") == version.replace('_', "."))
}
