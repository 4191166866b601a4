//! Bugs of what is asked of the ledger's database: a port that does something else than it says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use executor::ports::{
    Database, DatabaseError, FenceReport, HistoryRow, LedgerPosition, Ports, ReplayReport,
    RestoreReport, Snapshot, UndoScript,
};
use sim_exchange::World;

use crate::bug::Row;
use crate::ports::{Decorated, Decorator};

/// The port of the database.
type Port = Arc<dyn Database>;
/// What an operation comes to.
type Done<T> = Result<T, DatabaseError>;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "replays-an-order-twice",
        what: "the newest order is replayed twice",
        stresses: &["path = \"restore\""],
        masked: None,
        bend: |host, ports| {
            let world = host.world.clone();
            bent(ports, |inner| ReplaysTwice { inner, world })
        },
    },
    Row {
        name: "versions-compared-as-text",
        what: "versions are compared as text, so that 1.10 is older than 1.9",
        stresses: &["nine-to-ten", "path = \"undo\""],
        masked: None,
        bend: |_, ports| bent(ports, VersionsAsText),
    },
    Row {
        name: "undoes-one-of-two-migrations",
        what: "of two migrations one is undone, and the other is said to be",
        stresses: &["two-migrations", "path = \"undo\""],
        masked: None,
        bend: |_, ports| bent(ports, UndoesOne::new),
    },
    Row {
        name: "newest-snapshot-restored",
        what: "the newest snapshot is restored, which was taken of the bad release's ledger",
        stresses: &["path = \"restore\""],
        masked: None,
        bend: |_, ports| bent(ports, NewestSnapshot),
    },
    Row {
        name: "tokens-of-its-own",
        what: "the database is given a token that is above all of the lease's",
        stresses: &["path = \"restore\"", "path = \"undo\""],
        masked: None,
        bend: |_, ports| bent(ports, OwnTokens),
    },
    Row {
        name: "fence-not-raised",
        what: "the fence is said to be up, and is not",
        stresses: &["path = \"restore\"", "path = \"undo\"", "flag-missed"],
        masked: None,
        bend: |_, ports| bent(ports, NoFence::new),
    },
    Row {
        name: "fence-not-lowered",
        what: "the fence is said to be down, and is not",
        stresses: &["path = \"restore\"", "path = \"undo\""],
        masked: None,
        bend: |_, ports| {
            bent(ports, |inner| StaysUp {
                inner,
                down: AtomicBool::new(false),
            })
        },
    },
    Row {
        name: "fence-dropped-after-the-restore",
        what: "the fence is lowered as soon as the snapshot is back",
        stresses: &["path = \"restore\"", "flag-missed"],
        masked: None,
        bend: |_, ports| bent(ports, DropsFence),
    },
    Row {
        name: "stale-token-tried-again",
        what: "an operation that is refused for its stale token is tried again with a higher one",
        stresses: &["executor-paused", "restore"],
        masked: Some(
            "a host whose lease has run out stops by its own clock before it asks the database",
        ),
        bend: |_, ports| bent(ports, Insists),
    },
    Row {
        name: "replay-not-done",
        what: "the orders since the snapshot are said to be replayed, and are not",
        stresses: &["path = \"restore\""],
        masked: None,
        bend: |_, ports| bent(ports, NoReplay),
    },
    Row {
        name: "set-aside-anew-by-each-host",
        what: "each host sets the ledger aside under a name of its own, so that whoever resumes restores once more",
        stresses: &["executor-killed", "path = \"restore\""],
        masked: None,
        bend: |host, ports| {
            let suffix = format!("_{}", host.before);
            bent(ports, |inner| SetAsideAnew { inner, suffix })
        },
    },
    Row {
        name: "undo-waits-for-locks",
        what: "an undo script waits for locks for ten minutes",
        stresses: &["ledger-busy", "path = \"undo\""],
        masked: None,
        bend: |_, ports| bent(ports, Waits),
    },
    Row {
        name: "undo-failure-unseen",
        what: "an undo script that failed is taken for done",
        stresses: &["undo-script-failing", "ledger-busy", "path = \"undo\""],
        masked: None,
        bend: |_, ports| {
            bent(ports, |inner| FailureUnseen {
                inner,
                said: Mutex::default(),
            })
        },
    },
    Row {
        name: "history-remembered",
        what: "the history of migrations is read once and remembered",
        stresses: &["path = \"undo\""],
        masked: None,
        bend: |_, ports| {
            bent(ports, |inner| Remembers {
                inner,
                history: Mutex::default(),
            })
        },
    },
    Row {
        name: "lost-connection-is-final",
        what: "an operation of the database whose connection broke is not tried again",
        stresses: &["database", "path = \"undo\""],
        masked: None,
        bend: |_, ports| bent(ports, GivesUp),
    },
    Row {
        name: "size-not-asked",
        what: "the length of the order log is taken to be zero when budgets are made",
        stresses: &["replay-of-a-long-log", "path = \"restore\""],
        masked: None,
        bend: |_, ports| bent(ports, Sizeless),
    },
    Row {
        name: "snapshot-not-taken",
        what: "the snapshot is said to be taken before the deployment, and is not",
        stresses: &["path = \"restore\""],
        masked: None,
        bend: |_, ports| bent(ports, NoSnapshot),
    },
];

/// Ports with the database that `of` makes of theirs.
fn bent<T: Decorator + 'static>(ports: Ports, of: impl FnOnce(Port) -> T) -> Ports {
    let database = Arc::new(Decorated(of(Arc::clone(&ports.database))));
    Ports { database, ..ports }
}

fn locked<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The newest order is replayed twice.
pub struct ReplaysTwice {
    /// The port.
    pub inner: Port,
    /// The world in which the ledger is.
    pub world: World,
}

#[async_trait]
impl Decorator for ReplaysTwice {
    fn inner(&self) -> &dyn Database {
        &*self.inner
    }
    async fn replay(&self, set_aside: &str, token: u64) -> Done<ReplayReport> {
        let report = self.inner.replay(set_aside, token).await?;
        if report.entries > 0 {
            // Where the log is empty there is none to repeat.
            let _repeated = self.world.with(|state| {
                let now = state.now();
                state.application.log_newest_order_again(now)
            });
        }
        Ok(report)
    }
}

/// Versions are compared as text, so that 1.10 is older than 1.9 and is not seen.
pub struct VersionsAsText(pub Port);

#[async_trait]
impl Decorator for VersionsAsText {
    fn inner(&self) -> &dyn Database {
        &*self.0
    }
    async fn history(&self) -> Done<Vec<HistoryRow>> {
        let mut rows = self.0.history().await?;
        rows.retain(|row| row.version.as_deref() != Some("1.10"));
        Ok(rows)
    }
}

/// Of two migrations one is undone, and the other is said to be.
pub struct UndoesOne {
    inner: Port,
    undone: Mutex<Vec<String>>,
}

impl UndoesOne {
    /// Such a port.
    #[must_use]
    pub fn new(inner: Port) -> Self {
        Self {
            inner,
            undone: Mutex::default(),
        }
    }
}

#[async_trait]
impl Decorator for UndoesOne {
    fn inner(&self) -> &dyn Database {
        &*self.inner
    }
    async fn history(&self) -> Done<Vec<HistoryRow>> {
        let mut rows = self.inner.history().await?;
        let undone = locked(&self.undone);
        rows.retain(|row| row.version.as_ref().is_none_or(|it| !undone.contains(it)));
        Ok(rows)
    }
    async fn undo(&self, script: &UndoScript, lock_timeout: Duration, token: u64) -> Done<()> {
        let first = {
            let mut undone = locked(&self.undone);
            undone.push(script.version.clone());
            undone.len() == 1
        };
        if first {
            return self.inner.undo(script, lock_timeout, token).await;
        }
        Ok(())
    }
}

/// The name of the snapshot that [`NewestSnapshot`] takes.
const NEWEST: &str = "newest";

/// The newest snapshot is restored, which was taken of the bad release's ledger when the fence was raised.
pub struct NewestSnapshot(pub Port);

#[async_trait]
impl Decorator for NewestSnapshot {
    fn inner(&self) -> &dyn Database {
        &*self.0
    }
    async fn fence(&self, token: u64) -> Done<FenceReport> {
        self.0.snapshot(NEWEST).await?;
        self.0.fence(token).await
    }
    async fn restore(&self, _: &str, set_aside: &str, token: u64) -> Done<RestoreReport> {
        self.0.restore(NEWEST, set_aside, token).await
    }
}

/// Far above every token of a lease.
const ABOVE: u64 = 1 << 40;

/// The fence lets every token of this host pass: they are above all others.
pub struct OwnTokens(pub Port);

#[async_trait]
impl Decorator for OwnTokens {
    fn inner(&self) -> &dyn Database {
        &*self.0
    }
    async fn fence(&self, token: u64) -> Done<FenceReport> {
        self.0.fence(token + ABOVE).await
    }
    async fn fence_token(&self) -> Done<Option<u64>> {
        Ok(self.0.fence_token().await?.map(|token| token % ABOVE))
    }
    async fn token_max(&self) -> Done<u64> {
        Ok(self.0.token_max().await? % ABOVE)
    }
    async fn unfence(&self, token: u64) -> Done<()> {
        self.0.unfence(token + ABOVE).await
    }
    async fn undo(&self, script: &UndoScript, lock_timeout: Duration, token: u64) -> Done<()> {
        self.0.undo(script, lock_timeout, token + ABOVE).await
    }
    async fn restore(&self, snapshot: &str, set_aside: &str, token: u64) -> Done<RestoreReport> {
        self.0.restore(snapshot, set_aside, token + ABOVE).await
    }
    async fn replay(&self, set_aside: &str, token: u64) -> Done<ReplayReport> {
        self.0.replay(set_aside, token + ABOVE).await
    }
}

/// The fence is said to be up, and none is raised.
pub struct NoFence {
    inner: Port,
    up: Mutex<Option<u64>>,
}

impl NoFence {
    /// Such a port.
    #[must_use]
    pub fn new(inner: Port) -> Self {
        Self {
            inner,
            up: Mutex::default(),
        }
    }
}

#[async_trait]
impl Decorator for NoFence {
    fn inner(&self) -> &dyn Database {
        &*self.inner
    }
    async fn fence(&self, token: u64) -> Done<FenceReport> {
        *locked(&self.up) = Some(token);
        Ok(FenceReport::default())
    }
    async fn fence_token(&self) -> Done<Option<u64>> {
        Ok(*locked(&self.up))
    }
    async fn unfence(&self, _: u64) -> Done<()> {
        *locked(&self.up) = None;
        Ok(())
    }
}

/// The fence stays up.
struct StaysUp {
    inner: Port,
    down: AtomicBool,
}

#[async_trait]
impl Decorator for StaysUp {
    fn inner(&self) -> &dyn Database {
        &*self.inner
    }
    async fn fence_token(&self) -> Done<Option<u64>> {
        if self.down.load(Ordering::Relaxed) {
            return Ok(None);
        }
        self.inner.fence_token().await
    }
    async fn unfence(&self, _: u64) -> Done<()> {
        self.down.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// The fence goes down with the restore.
struct DropsFence(Port);

#[async_trait]
impl Decorator for DropsFence {
    fn inner(&self) -> &dyn Database {
        &*self.0
    }
    async fn restore(&self, snapshot: &str, set_aside: &str, token: u64) -> Done<RestoreReport> {
        let report = self.0.restore(snapshot, set_aside, token).await?;
        self.0.unfence(token).await?;
        Ok(report)
    }
}

/// A stale token is made a fresh one.
struct Insists(Port);

#[async_trait]
impl Decorator for Insists {
    fn inner(&self) -> &dyn Database {
        &*self.0
    }
    async fn unfence(&self, token: u64) -> Done<()> {
        match self.0.unfence(token).await {
            Err(DatabaseError::StaleToken(other)) => self.0.unfence(other).await,
            done => done,
        }
    }
    async fn restore(&self, snapshot: &str, set_aside: &str, token: u64) -> Done<RestoreReport> {
        match self.0.restore(snapshot, set_aside, token).await {
            Err(DatabaseError::StaleToken(other)) => {
                self.0.restore(snapshot, set_aside, other).await
            }
            done => done,
        }
    }
    async fn replay(&self, set_aside: &str, token: u64) -> Done<ReplayReport> {
        match self.0.replay(set_aside, token).await {
            Err(DatabaseError::StaleToken(other)) => self.0.replay(set_aside, other).await,
            done => done,
        }
    }
}

/// Nothing is replayed.
struct NoReplay(Port);

#[async_trait]
impl Decorator for NoReplay {
    fn inner(&self) -> &dyn Database {
        &*self.0
    }
    async fn replay(&self, _: &str, _: u64) -> Done<ReplayReport> {
        // As if the log were as long as it was.
        let position = LedgerPosition {
            log_seq: u64::MAX,
            ..self.0.position().await?
        };
        Ok(ReplayReport {
            entries: 1,
            position,
        })
    }
}

/// Another name for what is set aside.
struct SetAsideAnew {
    inner: Port,
    suffix: String,
}

#[async_trait]
impl Decorator for SetAsideAnew {
    fn inner(&self) -> &dyn Database {
        &*self.inner
    }
    async fn restore(&self, snapshot: &str, set_aside: &str, token: u64) -> Done<RestoreReport> {
        let name = format!("{set_aside}{}", self.suffix);
        self.inner.restore(snapshot, &name, token).await
    }
    async fn replay(&self, set_aside: &str, token: u64) -> Done<ReplayReport> {
        let name = format!("{set_aside}{}", self.suffix);
        self.inner.replay(&name, token).await
    }
}

/// Scripts wait for locks.
struct Waits(Port);

#[async_trait]
impl Decorator for Waits {
    fn inner(&self) -> &dyn Database {
        &*self.0
    }
    async fn undo(&self, script: &UndoScript, _: Duration, token: u64) -> Done<()> {
        self.0.undo(script, Duration::from_secs(600), token).await
    }
}

/// A failed script is taken for done.
struct FailureUnseen {
    inner: Port,
    said: Mutex<Vec<String>>,
}

#[async_trait]
impl Decorator for FailureUnseen {
    fn inner(&self) -> &dyn Database {
        &*self.inner
    }
    async fn history(&self) -> Done<Vec<HistoryRow>> {
        let mut rows = self.inner.history().await?;
        let said = locked(&self.said);
        rows.retain(|row| row.version.as_ref().is_none_or(|it| !said.contains(it)));
        Ok(rows)
    }
    async fn undo(&self, script: &UndoScript, lock_timeout: Duration, token: u64) -> Done<()> {
        if self.inner.undo(script, lock_timeout, token).await.is_err() {
            locked(&self.said).push(script.version.clone());
        }
        Ok(())
    }
}

/// The history as it was at the first look.
struct Remembers {
    inner: Port,
    history: Mutex<Option<Vec<HistoryRow>>>,
}

#[async_trait]
impl Decorator for Remembers {
    fn inner(&self) -> &dyn Database {
        &*self.inner
    }
    async fn history(&self) -> Done<Vec<HistoryRow>> {
        if let Some(rows) = &*locked(&self.history) {
            return Ok(rows.clone());
        }
        let rows = self.inner.history().await?;
        *locked(&self.history) = Some(rows.clone());
        Ok(rows)
    }
}

/// A lost connection is an error like any other.
struct GivesUp(Port);

fn for_good<T>(done: Done<T>) -> Done<T> {
    done.map_err(|error| match error {
        DatabaseError::Connection(why) => DatabaseError::Precondition(why),
        error => error,
    })
}

#[async_trait]
impl Decorator for GivesUp {
    fn inner(&self) -> &dyn Database {
        &*self.0
    }
    async fn history(&self) -> Done<Vec<HistoryRow>> {
        for_good(self.0.history().await)
    }
    async fn fence(&self, token: u64) -> Done<FenceReport> {
        for_good(self.0.fence(token).await)
    }
    async fn unfence(&self, token: u64) -> Done<()> {
        for_good(self.0.unfence(token).await)
    }
    async fn undo(&self, script: &UndoScript, lock_timeout: Duration, token: u64) -> Done<()> {
        for_good(self.0.undo(script, lock_timeout, token).await)
    }
    async fn restore(&self, snapshot: &str, set_aside: &str, token: u64) -> Done<RestoreReport> {
        for_good(self.0.restore(snapshot, set_aside, token).await)
    }
    async fn replay(&self, set_aside: &str, token: u64) -> Done<ReplayReport> {
        for_good(self.0.replay(set_aside, token).await)
    }
}

/// The order log is empty.
struct Sizeless(Port);

#[async_trait]
impl Decorator for Sizeless {
    fn inner(&self) -> &dyn Database {
        &*self.0
    }
    async fn position(&self) -> Done<LedgerPosition> {
        self.0.position().await.map(|_| LedgerPosition::default())
    }
}

/// No snapshot is taken.
struct NoSnapshot(Port);

#[async_trait]
impl Decorator for NoSnapshot {
    fn inner(&self) -> &dyn Database {
        &*self.0
    }
    async fn snapshot(&self, name: &str) -> Done<Snapshot> {
        Ok(Snapshot {
            name: name.to_owned(),
            taken_at: jiff::Timestamp::UNIX_EPOCH,
            size_bytes: 1,
            position: self.0.position().await?,
            schema_version: None,
        })
    }
}
