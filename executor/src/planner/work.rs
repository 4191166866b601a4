//! How much there is to do for the steps that take the longer the more there is, and what time that gives them.
//!
//! The rates are half of the slowest that a server was measured at (100,000 entries
//! copied in 2.8 s, a copy of 1.2 GB in 13.2 s), so that a busy server keeps them too.

use std::time::Duration;

use super::decide::LedgerPath;
use super::observed::Observed;
use crate::runbook::Command;

/// Entries of the log that a replay copies in a second, at least.
const ENTRIES_PER_S: u64 = 15_000;
/// Bytes of a snapshot that a restore copies in a second, at least.
const BYTES_PER_S: u64 = 45_000_000;
/// What either takes beside that.
const BESIDE: Duration = Duration::from_secs(1);
/// How long the log goes on growing after it was looked at, until the fence is up.
const GROWS_S: i64 = 30;

/// What a step must work through, for a reader, and the time for it.
pub(super) struct Work {
    pub(super) what: String,
    pub(super) takes: Duration,
}

/// The work of a step, as far as it was observed; the log is called `log`.
pub(super) fn work(command: &Command, observed: &Observed, log: &str) -> Option<Work> {
    let snapshot = observed.snapshot.as_ref()?;
    match command {
        Command::ReplayLog => {
            let entries = entries(observed, snapshot.position.log_seq)?;
            Some(Work {
                what: format!("some {entries} entries of the {log}"),
                takes: BESIDE + at_rate(entries, ENTRIES_PER_S),
            })
        }
        Command::RestoreSnapshot { .. } => Some(Work {
            what: format!("a snapshot of {} MB", snapshot.size_bytes / 1_000_000),
            takes: BESIDE + at_rate(snapshot.size_bytes, BYTES_PER_S),
        }),
        _ => None,
    }
}

/// Whether the size of the work must be known for that path: a failed undo may have to be made good by a restore.
#[must_use]
pub fn depends_on_size(path: LedgerPath) -> bool {
    path != LedgerPath::Application
}

/// How many entries the log will be ahead of the snapshot once it is fenced, if it goes on growing as it has.
fn entries(observed: &Observed, snapshot: u64) -> Option<u64> {
    let now = observed.position?.log_seq;
    let before = &observed.baseline;
    let grown = now.saturating_sub(before.position.log_seq);
    let seconds = observed
        .at
        .duration_since(before.recorded_at)
        .as_secs()
        .max(1);
    let meanwhile = u128::from(grown) * u128::from(GROWS_S.unsigned_abs());
    let meanwhile = meanwhile / u128::from(seconds.unsigned_abs());
    let meanwhile = u64::try_from(meanwhile).unwrap_or(u64::MAX);
    Some(now.saturating_sub(snapshot).saturating_add(meanwhile))
}

/// In whole seconds, rounded up: budgets are read by people.
fn at_rate(size: u64, per_s: u64) -> Duration {
    Duration::from_secs(size.div_ceil(per_s))
}
