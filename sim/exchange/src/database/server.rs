//! The database server: which databases exist, what runs, and how operations begin and finish.

mod effects;

use std::collections::BTreeMap;

use dex::command::{Command, Outcome};
use dex::migrations::Migration;

use self::effects::describe;
use super::faults::{DbFault, Faults};
use super::ledger::LedgerTables;
use super::ops::{DbOp, DbReply};
use super::schema;
use super::sessions::Clients;
use super::timings::DatabaseTimings;
use contract::ledger::DatabaseError;
use sim::rng::Rng;
use sim::time::Micros;

/// Name of the database in use.
pub const IN_USE: &str = "ledger";

/// The PostgreSQL server with the ledger and its copies.
#[derive(Clone, Debug)]
pub struct LedgerDb {
    /// The ledger in use.
    in_use: LedgerTables,
    /// Snapshots and ledgers that were set aside.
    copies: BTreeMap<String, LedgerTables>,
    /// Whoever is connected to the ledger in use.
    clients: Clients,
    /// The operation that has the ledger to itself.
    exclusive: Option<DbOp>,
    /// Whether the ledger takes no connections because of a copy: that outlasts the operation if nobody undoes it.
    barred: bool,
    /// The operation that waits in vain for the ledger to itself.
    kept_out: Option<DbOp>,
    faults: Faults,
    /// Changes whenever somebody other than the leader has changed what the leader knows.
    generation: u64,
    timings: DatabaseTimings,
    rng: Rng,
}

impl LedgerDb {
    pub(crate) fn new(ledger: LedgerTables, timings: DatabaseTimings, seed: u64) -> Self {
        Self {
            in_use: ledger,
            copies: BTreeMap::new(),
            clients: Clients::default(),
            exclusive: None,
            barred: false,
            kept_out: None,
            faults: Faults::default(),
            generation: 0,
            timings,
            rng: Rng::derive(seed, "database"),
        }
    }

    pub(crate) fn set_up_schema(&mut self, files: &[Migration]) -> Result<(), DatabaseError> {
        schema::set_up(&mut self.in_use, files)
    }

    /// The ledger in use.
    #[must_use]
    pub fn ledger(&self) -> &LedgerTables {
        &self.in_use
    }

    #[inline]
    pub(crate) fn ledger_mut(&mut self) -> &mut LedgerTables {
        &mut self.in_use
    }

    /// A database by name.
    #[must_use]
    pub fn database(&self, name: &str) -> Option<&LedgerTables> {
        if name == IN_USE {
            Some(&self.in_use)
        } else {
            self.copies.get(name)
        }
    }

    /// Names of all databases, the one in use first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(IN_USE).chain(self.copies.keys().map(String::as_str))
    }

    /// Whether the fence keeps the exchange's role from writing.
    #[must_use]
    pub fn fenced(&self) -> bool {
        self.ledger().fence.is_some()
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the ledger takes connections: not while it is copied, nor while the server starts.
    #[must_use]
    pub fn accepts_connections(&self) -> bool {
        !self.is_down() && !self.barred
    }

    /// Whoever carries out an operation on the ledger opens it first, if one that failed has left it closed.
    fn open_for(&mut self, op: &DbOp) {
        let copying = matches!(self.exclusive, Some(DbOp::Snapshot { .. }));
        let looks_in = !matches!(
            op,
            DbOp::FindSnapshot { .. } | DbOp::Migrate { .. } | DbOp::Snapshot { .. }
        );
        if looks_in && !copying {
            self.barred = false;
        }
    }

    /// Whether the server is down.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.faults.in_force(DbFault::Down)
    }

    /// Fault: sessions on the ledger that are ended are there again at once, until `until`.
    pub fn keep_sessions(&mut self, until: Micros) {
        self.faults.sessions_until = until;
    }

    /// How often an operation that needs the ledger to itself has met such a session.
    #[must_use]
    pub fn session_waits(&self) -> u64 {
        self.faults.session_waits
    }

    /// How often a rewrite has waited for somebody else's locks.
    #[must_use]
    pub fn lock_waits(&self) -> u64 {
        self.faults.lock_waits
    }

    /// Whether the pods' connections to the server break.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.faults.in_force(DbFault::CutOff)
    }

    /// Fault: begins or ends. Says how often it has hit since it began.
    pub(crate) fn set_fault(&mut self, fault: DbFault, on: bool) -> u64 {
        if on && fault == DbFault::Down {
            // Whatever ran is rolled back, whoever was connected is cut.
            self.exclusive = None;
            self.clients.end_all();
        }
        if on && fault == DbFault::CutOff {
            self.clients.end_sessions();
        }
        self.faults.set(fault, on)
    }

    /// Whether a migration or an undo script holds the tables' locks.
    #[must_use]
    pub fn tables_locked(&self) -> bool {
        matches!(
            self.exclusive,
            Some(DbOp::Migrate { .. } | DbOp::Undo { .. })
        )
    }

    /// Sessions of the exchange.
    #[must_use]
    pub fn sessions(&self) -> u32 {
        self.clients.sessions()
    }

    /// Somebody's long transaction takes locks on the ledger's tables until `until`.
    pub fn hold_locks(&mut self, until: Micros) {
        self.clients.hold_locks(until);
    }

    /// Opens `count` sessions for a pod.
    ///
    /// # Errors
    /// 57P03 while the server starts, 55000 while the ledger is copied, no connection where the pods are cut off.
    pub fn connect(&mut self, uid: &str, count: u32) -> Result<(), DatabaseError> {
        if self.faults.hits(DbFault::Down) {
            return Err(starting_up());
        }
        if self.faults.hits(DbFault::CutOff) {
            return Err(DatabaseError::Connection("connection refused".to_owned()));
        }
        if !self.accepts_connections() {
            return Err(closed());
        }
        self.clients.connect(uid, count);
        Ok(())
    }

    /// One transaction of a session of the exchange's role, as the matching engine makes it: log entry, trades and
    /// state tables. Entries of the log that the tables lack are applied first.
    ///
    /// # Errors
    /// 42501 under the fence, 55000 while the ledger is copied, 57P03 while the server starts.
    pub fn write(&mut self, command: &Command) -> Result<Outcome, DatabaseError> {
        if self.is_down() {
            return Err(starting_up());
        }
        if !self.accepts_connections() {
            return Err(closed());
        }
        if self.fenced() {
            return Err(DatabaseError::refused(
                "42501",
                "permission denied for table order_log",
            ));
        }
        Ok(self.in_use.transact_after_replay(command))
    }

    pub(crate) fn disconnect(&mut self, uid: &str) {
        self.clients.disconnect(uid);
    }

    /// Whether a pod has sessions.
    #[must_use]
    pub fn connected(&self, uid: &str) -> bool {
        self.clients.connected(uid)
    }

    pub(crate) fn reconnect_delay(&mut self) -> Micros {
        self.timings.reconnect.draw(&mut self.rng)
    }

    /// Begins an operation: checks its precondition and says how long it takes.
    /// The caller must call [`Self::finish`] after that time, whatever else happens.
    ///
    /// # Errors
    /// What keeps it from beginning; nothing is changed then.
    pub(crate) fn begin(&mut self, now: Micros, op: &DbOp) -> Result<Micros, DatabaseError> {
        if self.faults.hits(DbFault::Down) {
            return Err(starting_up());
        }
        self.open_for(op);
        self.check(op)?;
        match op {
            DbOp::History
            | DbOp::Position
            | DbOp::FindSnapshot { .. }
            | DbOp::FenceToken
            | DbOp::TokenMax => Ok(Micros::ZERO),
            DbOp::Unfence { .. } => Ok(self.timings.unfence.draw(&mut self.rng)),
            DbOp::Fence { token } => {
                let again = self.ledger().fence == Some(*token);
                Ok(if again {
                    Micros::ZERO
                } else {
                    self.timings.fence.draw(&mut self.rng)
                })
            }
            DbOp::Snapshot { .. } => {
                let bytes = self.ledger().size_bytes();
                let copy = self.timings.snapshot.draw(bytes, &mut self.rng);
                self.clients.end_all();
                let Some(wait) = self.alone_after(now) else {
                    return Ok(self.keep_out(op));
                };
                self.exclusive = Some(op.clone());
                self.barred = true;
                Ok(wait + copy)
            }
            DbOp::Undo {
                version,
                lock_timeout,
                ..
            } => {
                if !schema::is_applied(self.ledger(), version) {
                    return Ok(Micros::ZERO);
                }
                Ok(self.begin_rewrite(now, op, *lock_timeout))
            }
            // Flyway sets no lock timeout by itself; the migrations of a release begin with one of 10 s.
            DbOp::Migrate { name, .. } => {
                if self.has_migrated(name) {
                    return Ok(Micros::ZERO);
                }
                Ok(self.begin_rewrite(now, op, Micros::from_secs(10)))
            }
            DbOp::Restore {
                snapshot,
                set_aside,
                ..
            } => {
                if self.already_restored(snapshot, set_aside) {
                    return Ok(Micros::ZERO);
                }
                let bytes = self.copies[snapshot].size_bytes();
                let copy = self.timings.restore.draw(bytes, &mut self.rng);
                let Some(wait) = self.alone_after(now) else {
                    return Ok(self.keep_out(op));
                };
                self.exclusive = Some(op.clone());
                Ok(wait + copy)
            }
            DbOp::Replay { set_aside, .. } => {
                let theirs = self.copies[set_aside].log.last_seq().0;
                let rows = theirs.saturating_sub(self.ledger().log.last_seq().0);
                self.exclusive = Some(op.clone());
                Ok(self.timings.replay.draw(rows, &mut self.rng))
            }
        }
    }

    /// CREATE DATABASE and RENAME wait up to 5 s for sessions to end. How long it is until none is there;
    /// `None`: longer, so that `finish` reports 55006 after those 5 s.
    fn alone_after(&mut self, now: Micros) -> Option<Micros> {
        let wait = self.faults.sessions_until.saturating_sub(now);
        self.faults.session_waits += u64::from(wait > Micros::ZERO);
        (wait <= Micros::from_millis(self.timings.other_sessions_wait_ms)).then_some(wait)
    }

    /// The operation will find that it can't have the ledger to itself.
    fn keep_out(&mut self, op: &DbOp) -> Micros {
        self.kept_out = Some(op.clone());
        Micros::from_millis(self.timings.other_sessions_wait_ms)
    }

    /// ALTER TABLE waits for locks, at most `lock_timeout`, then rewrites every row.
    fn begin_rewrite(&mut self, now: Micros, op: &DbOp, lock_timeout: Micros) -> Micros {
        let wait = self.clients.locks_free_at(now).saturating_sub(now);
        self.faults.lock_waits += u64::from(wait > Micros::ZERO);
        if wait > lock_timeout {
            return lock_timeout; // finish reports 55P03
        }
        self.exclusive = Some(op.clone());
        let rows = self.ledger().rewritten_rows();
        let timings = match op {
            DbOp::Undo { .. } => &self.timings.undo,
            _ => &self.timings.migrate,
        };
        wait + timings.draw(rows, &mut self.rng)
    }

    /// What must hold when an operation begins and when it finishes.
    fn check(&self, op: &DbOp) -> Result<(), DatabaseError> {
        if let DbOp::Fence { token }
        | DbOp::Unfence { token }
        | DbOp::Undo { token, .. }
        | DbOp::Restore { token, .. }
        | DbOp::Replay { token, .. } = op
        {
            let seen = self.ledger().token_max;
            if *token < seen {
                return Err(DatabaseError::StaleToken(seen));
            }
        }
        self.check_fence(op)?;
        if self.exclusive.as_ref().is_some_and(|running| running != op) {
            match op {
                DbOp::Snapshot { .. } | DbOp::Restore { .. } => return Err(in_use()),
                DbOp::Undo { .. } | DbOp::Migrate { .. } | DbOp::Replay { .. } => {
                    return Err(DatabaseError::refused(
                        "55P03",
                        "canceling statement due to lock timeout",
                    ));
                }
                _ if !self.accepts_connections() => {
                    return Err(closed());
                }
                _ => {}
            }
        }
        match op {
            DbOp::Snapshot { name } => match self.database(name) {
                Some(existing) if existing.copied_at.is_none() => Err(already_exists(name)),
                _ => Ok(()),
            },
            DbOp::Restore {
                snapshot,
                set_aside,
                ..
            } => {
                if self.already_restored(snapshot, set_aside) {
                    return Ok(());
                }
                if self.database(set_aside).is_some() {
                    return Err(already_exists(set_aside));
                }
                self.check_replayed()?;
                match self.copies.get(snapshot) {
                    Some(copy) if copy.copied_at.is_some() => Ok(()),
                    _ => Err(DatabaseError::Precondition(format!(
                        "there is no complete snapshot \"{snapshot}\""
                    ))),
                }
            }
            DbOp::Replay { set_aside, .. } => {
                if set_aside == IN_USE {
                    return Err(DatabaseError::Precondition(
                        "a ledger is not replayed on itself".to_owned(),
                    ));
                }
                self.copies.get(set_aside).map(|_| ()).ok_or_else(|| {
                    DatabaseError::refused(
                        "3D000",
                        format!("database \"{set_aside}\" does not exist"),
                    )
                })
            }
            DbOp::Undo {
                version, name, sql, ..
            } => schema::check_undo(self.ledger(), version, name, sql),
            DbOp::Migrate { name, sql } => schema::check_migrate(self.ledger(), name, sql),
            _ => Ok(()),
        }
    }

    /// What rewrites the ledger needs the fence, and a snapshot must not be taken behind it: a rollback is under way.
    fn check_fence(&self, op: &DbOp) -> Result<(), DatabaseError> {
        match (op, self.fenced()) {
            (DbOp::Undo { .. } | DbOp::Restore { .. } | DbOp::Replay { .. }, false) => Err(
                DatabaseError::Precondition("the fence is not up".to_owned()),
            ),
            (DbOp::Snapshot { .. }, true) => Err(DatabaseError::Precondition(
                "the fence is up: a rollback is under way, so this is no time for a snapshot"
                    .to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// A restored copy that lacks the order log's tail is not set aside itself: a replay from it would bring back
    /// nothing.
    fn check_replayed(&self) -> Result<(), DatabaseError> {
        let Some(restored) = &self.ledger().restored else {
            return Ok(());
        };
        let aside = &restored.set_aside;
        let theirs = self.copies.get(aside).map(|copy| copy.log.last_seq());
        if theirs.is_none_or(|theirs| theirs <= self.ledger().log.last_seq()) {
            return Ok(());
        }
        Err(DatabaseError::Precondition(format!(
            "the ledger in use is a restored copy that lacks the order log's tail: it is in {aside}, replay it first"
        )))
    }

    /// Whoever passed [`Self::check_fence`] with a higher token has taken the fence over.
    fn hold_fence(&mut self, token: u64) {
        let ledger = self.ledger_mut();
        ledger.fence = Some(token);
        ledger.token_max = token;
    }

    fn has_migrated(&self, name: &str) -> bool {
        schema::version_of(name).is_some_and(|version| schema::is_applied(self.ledger(), &version))
    }

    fn already_restored(&self, snapshot: &str, set_aside: &str) -> bool {
        let restored = self.ledger().restored.as_ref();
        restored.is_some_and(|it| it.from == snapshot && it.set_aside == set_aside)
            && self.copies.contains_key(set_aside)
    }

    /// Finishes an operation: its effects happen now, all or none.
    ///
    /// # Errors
    /// Why it failed; nothing is changed then.
    pub(crate) fn finish(&mut self, now: Micros, op: &DbOp) -> Result<DbReply, DatabaseError> {
        let ran = self.exclusive.as_ref() == Some(op);
        let checked = self.check(op);
        if ran {
            self.exclusive = None;
        }
        if self.kept_out.as_ref() == Some(op) {
            self.kept_out = None;
            return Err(in_use());
        }
        if self.is_down() || !(ran || self.needs_nothing(op)) {
            return Err(DatabaseError::Connection(
                "server closed the connection unexpectedly".to_owned(),
            ));
        }
        checked?;
        match op {
            DbOp::History => Ok(DbReply::History(self.ledger().history.clone())),
            DbOp::Position => Ok(DbReply::Position(self.ledger().position())),
            DbOp::FindSnapshot { name } => Ok(DbReply::Found(
                self.copies.get(name).and_then(|copy| describe(name, copy)),
            )),
            DbOp::FenceToken => Ok(DbReply::FenceToken(self.ledger().fence)),
            DbOp::TokenMax => Ok(DbReply::TokenMax(self.ledger().token_max)),
            DbOp::Fence { token } => Ok(DbReply::Fenced(self.fence(*token))),
            DbOp::Unfence { token } => {
                let ledger = self.ledger_mut();
                // A fence that is down has nothing to remember of whoever lowers it again.
                if ledger.fence.take().is_some() {
                    ledger.token_max = *token;
                }
                // The incident is over: the next one's restore is not this one's.
                ledger.restored = None;
                Ok(DbReply::Done)
            }
            DbOp::Snapshot { name } => {
                self.barred = false;
                Ok(DbReply::Snapshot(self.snapshot(now, name)))
            }
            DbOp::Undo {
                version,
                sql,
                token,
                ..
            } => {
                if schema::is_applied(self.ledger(), version) {
                    if !ran {
                        // Whoever held the locks is in the way of a ledger that is fenced, and is ended.
                        self.clients.end_all();
                        return Err(DatabaseError::refused(
                            "55P03",
                            "canceling statement due to lock timeout; the sessions that held the locks were ended",
                        ));
                    }
                    if self.faults.hits(DbFault::ScriptsFail) {
                        return Err(DatabaseError::refused(
                            "22P02",
                            "invalid input syntax for type bigint: \"0.00000001\"",
                        ));
                    }
                    schema::undo(self.ledger_mut(), version, sql)?;
                    self.generation += 1;
                }
                self.hold_fence(*token);
                Ok(DbReply::Done)
            }
            DbOp::Migrate { name, sql } => {
                if !ran && !self.has_migrated(name) {
                    return Err(DatabaseError::refused(
                        "55P03",
                        "canceling statement due to lock timeout",
                    ));
                }
                if schema::migrate(self.ledger_mut(), name, sql)? {
                    self.generation += 1;
                }
                Ok(DbReply::Done)
            }
            DbOp::Restore {
                snapshot,
                set_aside,
                token,
            } => {
                let report = self.restore(snapshot, set_aside)?;
                self.hold_fence(*token);
                Ok(DbReply::Restored(report))
            }
            DbOp::Replay { set_aside, token } => {
                let report = self.replay(set_aside)?;
                self.hold_fence(*token);
                Ok(DbReply::Replayed(report))
            }
        }
    }

    /// Whether an operation can finish without having had the ledger to itself: it is of the kind,
    /// or finds its work done.
    fn needs_nothing(&self, op: &DbOp) -> bool {
        match op {
            DbOp::Restore {
                snapshot,
                set_aside,
                ..
            } => self.already_restored(snapshot, set_aside),
            DbOp::Snapshot { .. } | DbOp::Replay { .. } => false,
            // A rewrite that waited for a lock in vain says so itself.
            _ => true,
        }
    }
}

fn closed() -> DatabaseError {
    DatabaseError::refused(
        "55000",
        "database \"ledger\" is not currently accepting connections",
    )
}

fn already_exists(database: &str) -> DatabaseError {
    DatabaseError::refused("42P04", format!("database \"{database}\" already exists"))
}

fn starting_up() -> DatabaseError {
    DatabaseError::refused("57P03", "the database system is starting up")
}

fn in_use() -> DatabaseError {
    DatabaseError::refused(
        "55006",
        "source database \"ledger\" is being accessed by other users",
    )
}
