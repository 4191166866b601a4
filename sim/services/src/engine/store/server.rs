//! The server: which operations may begin, how long they take, and what they do. Each is idempotent.

use std::collections::BTreeMap;

use contract::ledger::{DatabaseError, FenceReport, ReplayReport, RestoreReport};
use sim::rng::Rng;
use sim::time::Micros;

use super::ops::{StoreChange, StoreReply, StoreSeen};
use super::tables::{Reads, Restored, Stored, Tables};
use crate::describe::{Mismatch, Spread, Store};

/// Rows of the log that a replay writes in a second, and what it takes beside that.
const REPLAY_PER_S: u64 = 15_000;
const REPLAY_BESIDE: Micros = Micros::from_millis(500);
/// How long it takes to raise or lower the fence: the median, and the 99th percentile.
const FENCE: (Micros, Micros) = (Micros::from_millis(50), Micros::from_millis(200));

/// The server of a store.
#[derive(Clone, Debug)]
pub(in super::super) struct Server {
    pub(super) store: Store,
    in_use: Tables,
    /// Snapshots, and what was set aside.
    copies: BTreeMap<String, Tables>,
    /// Every row that was ever written, in that order, where the store has such a log.
    log: Vec<Stored>,
    pub(in super::super) fence: Option<u64>,
    token_max: u64,
    /// What has the store to itself.
    running: Option<StoreChange>,
    /// Until when requests wait for the tables.
    pub(super) locked_until: Micros,
    /// Until when no request is served.
    pub(super) closed_until: Micros,
    seed: u64,
    rng: Rng,
    /// The fingerprint of everything that happened to it.
    pub(in super::super) happened: u64,
}

impl Server {
    pub(in super::super) fn new(store: &Store, seed: u64) -> Self {
        Self {
            in_use: Tables::new(store),
            store: store.clone(),
            copies: BTreeMap::new(),
            log: Vec::new(),
            fence: None,
            token_max: 0,
            running: None,
            locked_until: Micros::ZERO,
            closed_until: Micros::ZERO,
            seed,
            rng: Rng::derive(seed, "store"),
            happened: 0,
        }
    }

    /// The schema version of the store in use.
    pub(super) fn version(&self) -> u32 {
        self.in_use.version(self.store.schema)
    }

    /// The rows of the store in use, by their keys.
    pub(in super::super) fn rows(&self) -> impl Iterator<Item = Stored> + '_ {
        self.in_use.rows()
    }

    /// What a write with that key says.
    pub(in super::super) fn content(&self, id: u64) -> Stored {
        let content = Rng::derive(self.seed ^ id, "content of a write").next_u64();
        Stored { id, content }
    }

    /// Whether a build works on the present schema.
    pub(in super::super) fn fits(&self, reads: Reads) -> bool {
        self.in_use.fits(reads, self.store.schema)
    }

    /// The line that a process writes before it exits, if it can't work on the schema that it finds.
    pub(in super::super) fn keeps_out(&self, reads: Reads) -> Option<String> {
        let exits = reads.need.otherwise == Mismatch::Exits && !self.fits(reads);
        exits.then(|| format!("cannot start: {}", self.misfit(reads)))
    }

    pub(super) fn misfit(&self, reads: Reads) -> String {
        let (at, range) = (self.version(), reads.need.range);
        if reads.need.range.covers(at) {
            return format!("the schema is at version {at}, which this build can't read");
        }
        format!("the schema is at version {at}, and this build works on {range}")
    }

    /// Writes what the write with that key says.
    pub(super) fn commit(&mut self, id: u64) {
        let row = self.content(id);
        let schema = self.version();
        if self.in_use.write(row, schema) {
            self.note(row.content);
            if self.store.has_log {
                self.log.push(row);
            }
        }
    }

    fn note(&mut self, what: u64) {
        self.happened = self.happened.rotate_left(7).wrapping_mul(0x0100_0000_01b3) ^ what;
    }

    pub(in super::super) fn seen(&self) -> StoreSeen {
        let before = self.store.schema;
        let copies = self.copies.iter();
        StoreSeen {
            history: self.in_use.history(&self.store),
            position: self.in_use.position(),
            fence: self.fence,
            token_max: self.token_max,
            snapshots: copies
                .filter_map(|(name, it)| it.describe(name, before))
                .collect(),
        }
    }

    /// Begins a change: checks what it takes, and says how long it takes. [`Self::finish`] follows after that time.
    pub(in super::super) fn begin(
        &mut self,
        now: Micros,
        change: &StoreChange,
    ) -> Result<Micros, DatabaseError> {
        self.check(change)?;
        if self.is_done(change) {
            return Ok(Micros::ZERO);
        }
        let takes = match change {
            StoreChange::Fence(_) | StoreChange::Unfence(_) => {
                return Ok(self.draw(Spread::of(FENCE.0, FENCE.1)));
            }
            StoreChange::Migrate(version) => {
                let migration = self.store.migrations.get(version);
                let (takes, online) = migration
                    .map(|it| (it.takes, it.online))
                    .ok_or_else(syntax_error)?;
                let takes = self.draw(takes);
                if !online {
                    self.locked_until = now + takes;
                }
                takes
            }
            StoreChange::Undo(name, sql, _) => {
                let undo = self.undone_by(name, sql)?.1.takes;
                let takes = self.draw(undo);
                self.locked_until = now + takes;
                takes
            }
            StoreChange::Snapshot(_) => self.draw(self.store.snapshot),
            StoreChange::Restore { .. } => {
                let takes = self.draw(self.store.restore);
                self.closed_until = now + takes;
                takes
            }
            StoreChange::Replay(..) => {
                let rows = self.missing().count() as u64;
                REPLAY_BESIDE + Micros::from_millis(rows * 1_000 / REPLAY_PER_S)
            }
        };
        self.running = Some(change.clone());
        Ok(takes)
    }

    fn draw(&mut self, spread: Spread) -> Micros {
        spread.0.draw(&mut self.rng)
    }

    /// Rows of the log that the store in use lacks.
    pub(in super::super) fn missing(&self) -> impl Iterator<Item = Stored> + '_ {
        let there: std::collections::BTreeSet<u64> = self.in_use.rows().map(|it| it.id).collect();
        let log = self.log.iter().copied();
        log.filter(move |row| !there.contains(&row.id))
    }

    /// Whether its work is done already.
    fn is_done(&self, change: &StoreChange) -> bool {
        match change {
            StoreChange::Migrate(version) => self.in_use.is_applied(*version),
            StoreChange::Undo(name, sql, _) => self
                .undone_by(name, sql)
                .is_ok_and(|(version, _)| !self.in_use.is_applied(version)),
            StoreChange::Fence(token) => self.fence == Some(*token),
            StoreChange::Unfence(_) => self.fence.is_none(),
            StoreChange::Restore {
                snapshot,
                set_aside,
                ..
            } => self.has_restored(snapshot, set_aside),
            StoreChange::Snapshot(_) | StoreChange::Replay(..) => false,
        }
    }

    fn has_restored(&self, snapshot: &str, set_aside: &str) -> bool {
        let restored = self.in_use.restored.as_ref();
        restored.is_some_and(|it| it.snapshot == snapshot && it.set_aside == set_aside)
    }

    /// The version that the script undoes, and how.
    fn undone_by(
        &self,
        name: &str,
        sql: &str,
    ) -> Result<(u32, &crate::describe::Undo), DatabaseError> {
        let scripts = self.store.migrations.iter();
        let mut undos = scripts.filter_map(|(version, it)| Some((*version, it.undo.as_ref()?)));
        undos
            .find(|(_, undo)| undo.script.name == name && undo.script.sql == sql)
            .ok_or_else(syntax_error)
    }

    /// What must hold when a change begins and when it finishes.
    fn check(&self, change: &StoreChange) -> Result<(), DatabaseError> {
        let refused =
            |sqlstate: &str, message: &str| Err(DatabaseError::refused(sqlstate, message));
        let not = |message: &str| Err(DatabaseError::Precondition(message.to_owned()));
        if change.token().is_some_and(|token| token < self.token_max) {
            return Err(DatabaseError::StaleToken(self.token_max));
        }
        if change.rewrites() && self.fence.is_none() {
            return not("the fence is not up");
        }
        let exclusive = !matches!(change, StoreChange::Fence(_) | StoreChange::Unfence(_));
        if exclusive && self.running.as_ref().is_some_and(|it| it != change) {
            return refused("55P03", "canceling statement due to lock timeout");
        }
        match change {
            StoreChange::Snapshot(_) if self.fence.is_some() => {
                not("the fence is up: a rollback is under way, so this is no time for a snapshot")
            }
            StoreChange::Migrate(_) if self.fence.is_some() => {
                refused("42501", "permission denied for schema public")
            }
            // Flyway's `migrate` validates first, and takes nothing out of order unless it is told so.
            StoreChange::Migrate(version)
                if *version < self.version() && !self.in_use.is_applied(*version) =>
            {
                not(&format!(
                    "Validate failed: Detected resolved migration not applied to database: {version}. The schema is \
                     at version {}, and Flyway applies nothing below it unless outOfOrder is set",
                    self.version()
                ))
            }
            StoreChange::Undo(name, sql, _) => {
                let (version, _) = self.undone_by(name, sql)?;
                let newest = self.version();
                if self.in_use.is_applied(version) && version != newest {
                    return not(&format!("version {version} is not the newest: {newest} is"));
                }
                Ok(())
            }
            StoreChange::Restore {
                snapshot,
                set_aside,
                ..
            } if !self.has_restored(snapshot, set_aside) => {
                if self.copies.contains_key(set_aside) {
                    return refused("42P04", &format!("database \"{set_aside}\" already exists"));
                }
                match self.copies.get(snapshot) {
                    Some(copy) if copy.copied_at.is_some() => Ok(()),
                    _ => not(&format!("there is no complete snapshot \"{snapshot}\"")),
                }
            }
            StoreChange::Replay(set_aside, _) if !self.copies.contains_key(set_aside) => {
                refused("3D000", &format!("database \"{set_aside}\" does not exist"))
            }
            _ => Ok(()),
        }
    }

    /// Finishes a change: its effects happen now.
    pub(in super::super) fn finish(
        &mut self,
        now: Micros,
        change: &StoreChange,
        sessions: u32,
    ) -> Result<StoreReply, DatabaseError> {
        if self.running.as_ref() == Some(change) {
            self.running = None;
        }
        self.check(change)?;
        self.note(now.0);
        match change {
            StoreChange::Migrate(version) => self.in_use.apply(*version),
            StoreChange::Undo(name, sql, _) => {
                let (version, undo) = self.undone_by(name, sql)?;
                let loses = undo.loses;
                if self.in_use.is_applied(version) {
                    self.in_use.undo(version, loses);
                }
            }
            StoreChange::Unfence(token) => {
                self.fence = None;
                self.token_max = self.token_max.max(*token);
            }
            StoreChange::Fence(token) => {
                let already_up = self.fence == Some(*token);
                self.fence = Some(*token);
                self.token_max = *token;
                return Ok(StoreReply::Fenced(FenceReport {
                    sessions_terminated: if already_up { 0 } else { sessions },
                    already_up,
                }));
            }
            StoreChange::Snapshot(name) => {
                let mut copy = self.in_use.clone();
                copy.copied_at = Some(now);
                copy.restored = None;
                let told = copy.describe(name, self.store.schema);
                // The one before it stays until the next, so that there is always a complete one.
                if let Some(previous) = self.copies.insert(name.clone(), copy) {
                    self.copies.insert(format!("{name}__previous"), previous);
                }
                return told.map(StoreReply::Snapshot).ok_or_else(syntax_error);
            }
            StoreChange::Restore {
                snapshot,
                set_aside,
                ..
            } => return self.restore(snapshot, set_aside),
            StoreChange::Replay(..) => {
                let missing: Vec<Stored> = self.missing().collect();
                let schema = self.version();
                for row in &missing {
                    self.in_use.write(*row, schema);
                }
                return Ok(StoreReply::Replayed(ReplayReport {
                    entries: missing.len() as u64,
                    position: self.in_use.position(),
                }));
            }
        }
        Ok(StoreReply::Done)
    }

    fn restore(&mut self, snapshot: &str, set_aside: &str) -> Result<StoreReply, DatabaseError> {
        let already_done = self.has_restored(snapshot, set_aside);
        if !already_done {
            let copy = self.copies.get(snapshot).cloned();
            let mut restored = copy.ok_or_else(syntax_error)?;
            restored.copied_at = None;
            restored.restored = Some(Restored {
                snapshot: snapshot.to_owned(),
                set_aside: set_aside.to_owned(),
            });
            let old = std::mem::replace(&mut self.in_use, restored);
            self.copies.insert(set_aside.to_owned(), old);
        }
        let before = self.copies.get(set_aside).map(Tables::position);
        Ok(StoreReply::Restored(RestoreReport {
            set_aside: set_aside.to_owned(),
            before: before.unwrap_or_default(),
            after: self.in_use.position(),
            already_done,
        }))
    }
}

fn syntax_error() -> DatabaseError {
    DatabaseError::refused("42601", "syntax error in the script")
}
