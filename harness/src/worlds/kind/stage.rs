//! Where a drill on a cluster happens, and what is written down while it runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::clock::DrillClock;
use super::crash::Trap;
use super::faults::Injector;
use super::ledger::LedgerServer;
use super::path_taken::Seen;
use crate::drill::timeline::TimelineEntry;
use crate::evidence::{Evidence, Ms};
use crate::scenario::Anchor;
use crate::worlds::common::acts::Record;

/// What is written down while the drill runs.
pub(super) struct Notes {
    pub(super) evidence: Evidence,
    pub(super) timeline: Vec<TimelineEntry>,
    /// How many requests the executor had made when its watch ended.
    pub(super) requests_at_trigger: Option<u64>,
    /// What was there when the trigger fired, for the rollback of a program that does not say which way it takes.
    pub(super) at_trigger: Option<Seen>,
}

/// Where the drill happens.
pub(super) struct Stage {
    pub(super) clock: DrillClock,
    pub(super) client: kube::Client,
    pub(super) ledger: LedgerServer,
    /// Counts the executor's requests, and is its death where the scenario wants it.
    pub(super) trap: Arc<Trap>,
    pub(super) notes: Mutex<Notes>,
}

impl Stage {
    pub(super) fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, who: &'static str, step: &str, what: impl Into<String>) {
        let at = self.clock.now_ms();
        self.lock()
            .timeline
            .push(TimelineEntry::new(at, who, step, what));
    }

    /// Something of the harness's own failed. The first such failure is told.
    pub(super) fn harness_failed(&self, why: &str) {
        let mut notes = self.lock();
        let failed = &mut notes.evidence.harness_failed;
        failed.get_or_insert_with(|| why.to_owned());
    }
}

/// The record of a drill's acts.
#[derive(Clone)]
pub(super) struct ActsRecord {
    pub(super) stage: Arc<Stage>,
    pub(super) injector: Arc<Injector>,
}

impl Record for ActsRecord {
    fn now_ms(&self) -> Ms {
        self.stage.clock.now_ms()
    }

    fn ms_of(&self, at: Timestamp) -> Ms {
        self.stage.clock.of(at)
    }

    fn evidence<T>(&self, change: impl FnOnce(&mut Evidence) -> T) -> T {
        change(&mut self.stage.lock().evidence)
    }

    fn tell(&self, who: &'static str, step: &str, what: String) {
        self.stage.tell(who, step, what);
    }

    fn reached(&self, anchor: &Anchor) {
        self.injector.reached(anchor);
    }
}
