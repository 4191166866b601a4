//! How long the database server takes.

use crate::rng::Rng;
use crate::time::Micros;

/// Speeds and waits of the database server. Ranges are inclusive and drawn for each operation.
#[derive(Clone, Debug)]
pub struct DatabaseTimings {
    /// Statements that touch a handful of rows, in µs. A round trip within a cluster plus a few
    /// index look-ups: about 1 ms.
    pub statement_us: (u64, u64),
    /// Commit of one small transaction, in µs: a WAL flush to a network SSD (`pg_test_fsync` reports
    /// 0.5 to 2 ms for such disks).
    pub commit_us: (u64, u64),
    /// `pg_terminate_backend` of all sessions until none is left in `pg_stat_activity`, in ms.
    pub terminate_ms: (u64, u64),
    /// `CREATE DATABASE … TEMPLATE` with strategy WAL_LOG, MB/s (PostgreSQL, "CREATE DATABASE":
    /// block-wise and logged, so it runs at the disk's write speed).
    pub template_mb_per_s: (u64, u64),
    /// The two `ALTER DATABASE … RENAME` of a swap, in ms.
    pub rename_ms: (u64, u64),
    /// `ALTER TABLE` with a rewrite, thousands of rows/s.
    pub rewrite_krows_per_s: (u64, u64),
    /// `INSERT … SELECT` between databases (foreign table or COPY), thousands of rows/s.
    pub copy_krows_per_s: (u64, u64),
    /// Until a pool has opened its sessions again after they were terminated, in ms.
    pub reconnect_ms: (u64, u64),
    /// How long CREATE DATABASE waits for other sessions to end before it fails with 55006, in ms
    /// (`CountOtherDBBackends` in procarray.c: 50 times 100 ms).
    pub other_sessions_wait_ms: u64,
}

impl Default for DatabaseTimings {
    fn default() -> Self {
        Self {
            statement_us: (600, 2_500),
            commit_us: (500, 2_000),
            terminate_ms: (5, 60),
            template_mb_per_s: (200, 400),
            rename_ms: (5, 30),
            rewrite_krows_per_s: (250, 500),
            copy_krows_per_s: (80, 200),
            reconnect_ms: (50, 400),
            other_sessions_wait_ms: 5_000,
        }
    }
}

fn drawn((lo, hi): (u64, u64), rng: &mut Rng) -> u64 {
    rng.between(lo, hi.max(lo))
}

impl DatabaseTimings {
    pub(super) fn statement(&self, rng: &mut Rng) -> Micros {
        Micros(drawn(self.statement_us, rng))
    }

    pub(super) fn terminate(&self, rng: &mut Rng) -> Micros {
        Micros::from_millis(drawn(self.terminate_ms, rng))
    }

    pub(super) fn rename(&self, rng: &mut Rng) -> Micros {
        Micros::from_millis(drawn(self.rename_ms, rng))
    }

    /// Copying `bytes` by TEMPLATE. 1 MB/s is 1 byte/µs.
    pub(super) fn template(&self, bytes: u64, rng: &mut Rng) -> Micros {
        Micros(bytes / drawn(self.template_mb_per_s, rng).max(1))
    }

    /// Rewriting `rows`. 1,000 rows/s is 1 row/ms.
    pub(super) fn rewrite(&self, rows: u64, rng: &mut Rng) -> Micros {
        Micros(rows * 1_000 / drawn(self.rewrite_krows_per_s, rng).max(1))
    }

    /// Copying `rows` between databases.
    pub(super) fn copy(&self, rows: u64, rng: &mut Rng) -> Micros {
        Micros(rows * 1_000 / drawn(self.copy_krows_per_s, rng).max(1))
    }

    pub(crate) fn reconnect(&self, rng: &mut Rng) -> Micros {
        Micros::from_millis(drawn(self.reconnect_ms, rng))
    }
}
