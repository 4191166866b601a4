//! How long the database server takes, beyond a plain statement, whose time is the way to the server and back
//! ([`sim::fabric::FabricTimings::database`]).

use sim::measured::{BySize, Distribution};

use crate::measured::Measured;

/// Speeds and waits of the database server.
#[derive(Clone, Debug)]
pub struct DatabaseTimings {
    /// Commit of one small transaction, in µs: a WAL flush to a network SSD (`pg_test_fsync` reports
    /// 0.5 to 2 ms for such disks). Drawn for every order, so it is a range.
    pub commit_us: (u64, u64),
    /// The fence, until the exchange's sessions have ended.
    pub fence: Distribution,
    /// The fence lowered.
    pub unfence: Distribution,
    /// A snapshot (`CREATE DATABASE … TEMPLATE`), by the ledger's bytes.
    pub snapshot: BySize,
    /// A restore (the same, and two renames), by the snapshot's bytes.
    pub restore: BySize,
    /// A migration that rewrites the state tables, by their rows.
    pub migrate: BySize,
    /// Its undo script, by the same.
    pub undo: BySize,
    /// A replay (COPY between databases), by the entries copied.
    pub replay: BySize,
    /// Until a pool has opened its sessions again after they were terminated.
    pub reconnect: Distribution,
    /// How long CREATE DATABASE waits for other sessions to end before it fails with 55006, in ms
    /// (`CountOtherDBBackends` in procarray.c: 50 times 100 ms).
    pub other_sessions_wait_ms: u64,
    /// Bytes of a ledger that holds nothing but its schema.
    pub empty_bytes: u64,
}

/// A pool that is refused waits at least this long before it tries again (`dex::service`).
const RECONNECT_MIN_US: u64 = 50_000;

impl DatabaseTimings {
    /// What was measured, with constants for what can't be.
    #[must_use]
    pub fn measured(measured: &Measured) -> Self {
        let database = &measured.database;
        Self {
            commit_us: (500, 2_000),
            fence: database.fence.distribution,
            unfence: database.unfence.distribution,
            snapshot: database.snapshot.clone(),
            restore: database.restore.clone(),
            migrate: database.migrate.clone(),
            undo: database.undo.clone(),
            replay: database.replay.clone(),
            reconnect: database.reconnect.distribution.at_least(RECONNECT_MIN_US),
            other_sessions_wait_ms: 5_000,
            empty_bytes: database.empty_bytes,
        }
    }
}

impl Default for DatabaseTimings {
    fn default() -> Self {
        Self::measured(Measured::built_in())
    }
}
