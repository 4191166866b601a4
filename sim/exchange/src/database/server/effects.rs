//! What an operation does to the databases when it finishes: fence, snapshot, restore, replay. Each is idempotent.

use super::super::ledger::{LedgerTables, Restored};
use super::{IN_USE, LedgerDb};
use contract::ledger::{DatabaseError, FenceReport, ReplayReport, RestoreReport, Snapshot};
use sim::time::Micros;

impl LedgerDb {
    pub(super) fn fence(&mut self, token: u64) -> FenceReport {
        let already_up = self.ledger().fence == Some(token);
        let ledger = self.ledger_mut();
        ledger.fence = Some(token);
        ledger.token_max = token;
        let sessions_terminated = if already_up {
            0
        } else {
            self.clients.end_sessions()
        };
        FenceReport {
            sessions_terminated,
            already_up,
        }
    }

    pub(super) fn snapshot(&mut self, now: Micros, name: &str) -> Snapshot {
        let mut copy = self.ledger().clone();
        copy.copied_at = Some(now);
        copy.restored = None;
        // The one before it stays until the next, so that there is always a complete one.
        if let Some(previous) = self.copies.insert(name.to_owned(), copy) {
            self.copies.insert(format!("{name}__previous"), previous);
        }
        describe(name, &self.copies[name]).expect("it is complete")
    }

    pub(super) fn restore(
        &mut self,
        snapshot: &str,
        set_aside: &str,
    ) -> Result<RestoreReport, DatabaseError> {
        if self.already_restored(snapshot, set_aside) {
            return Ok(RestoreReport {
                set_aside: set_aside.to_owned(),
                before: self.copies[set_aside].position(),
                after: self.ledger().position(),
                already_done: true,
            });
        }
        let mut restored = self.copies[snapshot].clone();
        let old = &self.in_use;
        let before = old.position();
        restored.copied_at = None;
        restored.restored = Some(Restored {
            from: snapshot.to_owned(),
            set_aside: set_aside.to_owned(),
        });
        restored.fence = old.fence;
        restored.token_max = old.token_max;
        restored.epoch = old.epoch;
        let after = restored.position();
        let old = std::mem::replace(&mut self.in_use, restored);
        self.copies.insert(set_aside.to_owned(), old);
        self.clients.end_sessions();
        self.generation += 1;
        Ok(RestoreReport {
            set_aside: set_aside.to_owned(),
            before,
            after,
            already_done: false,
        })
    }

    pub(super) fn replay(&mut self, set_aside: &str) -> Result<ReplayReport, DatabaseError> {
        let last = self.ledger().log.last_seq();
        let source = &self.copies[set_aside].log;
        if last > source.last_seq() || source.get(last) != self.in_use.log.get(last) {
            return Err(DatabaseError::Precondition(format!(
                "the order logs of \"{IN_USE}\" and \"{set_aside}\" have diverged at entry {last}"
            )));
        }
        let tail = source.after(last).to_vec();
        let entries = self
            .ledger_mut()
            .log
            .extend(&tail)
            .map_err(|error| DatabaseError::refused("23505", error.to_string()))?;
        if entries > 0 {
            self.generation += 1;
        }
        Ok(ReplayReport {
            entries,
            position: self.ledger().position(),
        })
    }
}

/// What is told of a complete copy.
pub(super) fn describe(name: &str, copy: &LedgerTables) -> Option<Snapshot> {
    Some(Snapshot {
        name: name.to_owned(),
        taken_at: copy.copied_at?.to_timestamp(),
        size_bytes: copy.size_bytes(),
        position: copy.position(),
        schema_version: copy.version().map(str::to_owned),
    })
}
