//! One database: its rows, and the migrations that are applied to it.

use std::collections::BTreeMap;

use contract::ledger::{HistoryRow, LedgerPosition, Snapshot};
use sim::time::Micros;

use crate::describe::{Loses, SchemaNeed, Store};

/// Bytes of a row with its index.
const ROW_BYTES: u64 = 1_000;
/// Bytes of a database without a row.
const EMPTY_BYTES: u64 = 8_000_000;
/// What a value becomes of which an undo script drops a part.
const DROPPED: u64 = 0x9e37_79b9_7f4a_7c15;

/// A write: its own key, which a retry has too, and a hash of what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stored {
    /// Its key.
    pub id: u64,
    /// A hash of its content.
    pub content: u64,
}

/// Which schema a build works on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Reads {
    /// What is described.
    pub(in super::super) need: SchemaNeed,
    /// The migration after which it works on none any more, whatever is described.
    pub(in super::super) broken_by: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    content: u64,
    /// The schema version under which it was written.
    schema: u32,
}

/// What a restored database came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Restored {
    pub(super) snapshot: String,
    pub(super) set_aside: String,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    rows: BTreeMap<u64, Row>,
    /// Versions that are applied, with their rank in the history.
    applied: BTreeMap<u32, i32>,
    /// When it was copied, if it is a snapshot.
    pub(super) copied_at: Option<Micros>,
    pub(super) restored: Option<Restored>,
}

impl Tables {
    /// Without a row, at the schema before the drill.
    pub(super) fn new(store: &Store) -> Self {
        let mut tables = Self::default();
        for version in store.migrations.keys().filter(|it| **it <= store.schema) {
            tables.apply(*version);
        }
        tables
    }

    pub(super) fn apply(&mut self, version: u32) {
        let rank = self.applied.values().max().map_or(1, |rank| rank + 1);
        self.applied.entry(version).or_insert(rank);
    }

    pub(super) fn is_applied(&self, version: u32) -> bool {
        self.applied.contains_key(&version)
    }

    /// The schema version; `before` where no migration file led to it.
    pub(super) fn version(&self, before: u32) -> u32 {
        self.applied.keys().next_back().copied().unwrap_or(before)
    }

    /// Whether a build works on it.
    pub(super) fn fits(&self, reads: Reads, before: u32) -> bool {
        let broken = reads
            .broken_by
            .is_some_and(|version| self.is_applied(version));
        !broken && reads.need.range.covers(self.version(before))
    }

    /// Writes a row. One with the same key is the same write, which came again.
    pub(super) fn write(&mut self, row: Stored, schema: u32) -> bool {
        let Stored { id, content } = row;
        let is_new = !self.rows.contains_key(&id);
        self.rows.entry(id).or_insert(Row { content, schema });
        is_new
    }

    /// Undoes a version, with what that loses.
    pub(super) fn undo(&mut self, version: u32, loses: Loses) {
        self.applied.remove(&version);
        match loses {
            Loses::Nothing => {}
            Loses::Rows => self.rows.retain(|_, row| row.schema < version),
            Loses::Values => {
                let since = self.rows.values_mut().filter(|row| row.schema >= version);
                since.for_each(|row| row.content ^= DROPPED);
            }
        }
        let below = version.saturating_sub(1);
        let rows = self.rows.values_mut();
        rows.for_each(|row| row.schema = row.schema.min(below));
    }

    /// Flyway's history of it, oldest first.
    pub(super) fn history(&self, store: &Store) -> Vec<HistoryRow> {
        let mut rows: Vec<HistoryRow> = self
            .applied
            .iter()
            .filter_map(|(version, rank)| {
                let script = &store.migrations.get(version)?.script.name;
                let (_, description) = script.split_once("__")?;
                Some(HistoryRow {
                    installed_rank: *rank,
                    version: Some(version.to_string()),
                    description: description.trim_end_matches(".sql").replace('_', " "),
                    kind: "SQL".to_owned(),
                    script: script.clone(),
                    checksum: None,
                    success: true,
                })
            })
            .collect();
        rows.sort_by_key(|row| row.installed_rank);
        rows
    }

    pub(super) fn position(&self) -> LedgerPosition {
        let last = self.rows.keys().next_back().copied().unwrap_or(0);
        let rows = self.rows.len() as u64;
        LedgerPosition {
            log_seq: rows,
            order_id_max: last,
            trade_id_max: last,
            trades: rows,
        }
    }

    /// What is told of it, if it is a complete copy.
    pub(super) fn describe(&self, name: &str, before: u32) -> Option<Snapshot> {
        Some(Snapshot {
            name: name.to_owned(),
            taken_at: self.copied_at?.to_timestamp(),
            size_bytes: EMPTY_BYTES + self.rows.len() as u64 * ROW_BYTES,
            position: self.position(),
            schema_version: Some(self.version(before).to_string()),
        })
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Stored> + '_ {
        let rows = self.rows.iter();
        rows.map(|(&id, row)| Stored {
            id,
            content: row.content,
        })
    }
}
