//! What is written down while a drill on a cluster runs, and where a drill of the exchange happens.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::clock::DrillClock;
use super::crash::Trap;
use super::faults::{Due, Injector, Site};
use super::ledger::LedgerServer;
use super::path_taken::Seen;
use crate::drill::timeline::{TimelineEntry, Told};
use crate::evidence::{Evidence, ExecutorOutcome, Ms};
use crate::scenario::Anchor;
use crate::worlds::common::acts::Record;
use crate::worlds::{DrillPlan, Performed};

/// What is written down while the drill runs.
pub(super) struct Notes {
    pub(super) evidence: Evidence,
    pub(super) timeline: Vec<TimelineEntry>,
    /// How many requests the executor had made when its watch ended.
    pub(super) requests_at_trigger: Option<u64>,
    /// What was there when the trigger fired, for the rollback of a program that does not say which way it takes.
    pub(super) at_trigger: Option<Seen>,
}

/// Where it is written down, and by which clock.
pub(super) struct Book {
    pub(super) clock: DrillClock,
    /// Counts the executor's requests, and is its death where the scenario wants it.
    pub(super) trap: Arc<Trap>,
    notes: Mutex<Notes>,
}

impl Book {
    pub(super) fn new(clock: DrillClock, trap: Arc<Trap>, evidence: Evidence) -> Self {
        let notes = Notes {
            evidence,
            timeline: Vec::new(),
            requests_at_trigger: None,
            at_trigger: None,
        };
        Self {
            clock,
            trap,
            notes: Mutex::new(notes),
        }
    }

    /// A trigger has fired: the executor's requests count from now on, and one of them is its last where the scenario
    /// wants it.
    pub(super) fn triggered(&self) {
        self.lock().requests_at_trigger = Some(self.trap.seen());
        self.trap.arm();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, who: &'static str, step: &str, what: impl Into<String>) {
        self.tell_of(Told::Else, who, step, what);
    }

    pub(super) fn tell_of(
        &self,
        told: Told,
        who: &'static str,
        step: &str,
        what: impl Into<String>,
    ) {
        let at = self.clock.now_ms();
        let entry = TimelineEntry::new(at, who, step, what);
        self.lock().timeline.push(entry.of(told));
    }

    /// Something of the harness's own failed. The first such failure is told.
    pub(super) fn harness_failed(&self, why: &str) {
        let mut notes = self.lock();
        let failed = &mut notes.evidence.harness_failed;
        failed.get_or_insert_with(|| why.to_owned());
    }

    /// The drill's time was over before its acts were.
    pub(super) fn time_was_over(&self) {
        self.tell("world", "", "the drill's time was over");
        let mut notes = self.lock();
        let said = &mut notes.evidence.executor;
        if said.trigger.is_some() && said.steps.is_empty() {
            said.outcome = ExecutorOutcome::StillRunning;
        }
    }

    /// What the world hands back.
    pub(super) fn performed(&self) -> Performed {
        let notes = self.lock();
        let mut timeline = notes.timeline.clone();
        timeline.sort_by_key(|entry| entry.at_ms);
        Performed {
            evidence: notes.evidence.clone(),
            timeline,
            fingerprint: 0,
            executor_requests: notes
                .requests_at_trigger
                .map_or(0, |before| self.trap.seen().saturating_sub(before)),
            observed: Vec::new(),
        }
    }
}

/// Where a drill of the exchange happens.
pub(super) struct Stage {
    pub(super) book: Arc<Book>,
    pub(super) client: kube::Client,
    pub(super) ledger: LedgerServer,
}

impl Deref for Stage {
    type Target = Book;

    fn deref(&self) -> &Book {
        &self.book
    }
}

/// The record of a drill's acts, of whichever application. Its faults wait for what happens in them.
#[derive(Clone)]
pub(super) struct ActsRecord {
    pub(super) book: Arc<Book>,
    pub(super) injector: Arc<Injector>,
}

impl ActsRecord {
    /// Of a drill of `plan` that begins now and whose faults are done to `site`. What becomes due is for
    /// [`Run::until_over`](super::run::Run::until_over).
    pub(super) fn begin(book: &Arc<Book>, site: Site, plan: &DrillPlan) -> (Self, Due) {
        book.lock().evidence.executor.is_program = plan.executor.is_some();
        let (injector, due) = Injector::new(book, site, &plan.scenario, plan.seed);
        injector.reached(&Anchor::Start);
        let record = Self {
            book: Arc::clone(book),
            injector: Arc::new(injector),
        };
        (record, due)
    }
}

impl Record for ActsRecord {
    fn now_ms(&self) -> Ms {
        self.book.clock.now_ms()
    }

    fn ms_of(&self, at: Timestamp) -> Ms {
        self.book.clock.of(at)
    }

    fn evidence<T>(&self, change: impl FnOnce(&mut Evidence) -> T) -> T {
        change(&mut self.book.lock().evidence)
    }

    fn tell_of(&self, told: Told, who: &'static str, step: &str, what: String) {
        self.book.tell_of(told, who, step, what);
    }

    fn reached(&self, anchor: &Anchor) {
        self.injector.reached(anchor);
    }
}
