//! What is written down while a drill runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use executor::planner::Observed;
use jiff::Timestamp;
use sim::time::Micros;
use sim_exchange::World;
use sim_serve::Heard;

use super::faults::Injector;
use super::record;
use crate::drill::timeline::TimelineEntry;
use crate::evidence::{Evidence, Ms};
use crate::scenario::Anchor;
use crate::worlds::common::acts::Record;

/// Characters of a path that the timeline shows.
const PATH_MAX: usize = 1_000;

/// What actor and prober write down.
pub(super) struct Notes {
    pub(super) evidence: Evidence,
    /// How many requests the executor had made when a trigger fired; `None`: none did.
    pub(super) requests_at_trigger: Option<u64>,
    pub(super) observed: Vec<Arc<Observed>>,
    pub(super) timeline: Vec<TimelineEntry>,
    /// The ledger when the deployment began.
    pub(super) deployed: Option<record::Deployed>,
    /// When the drill ends, once that is known to be before its `duration`.
    pub(super) end: Option<Micros>,
    /// Whether the acts are over: no executor of them and no deployer does anything any more.
    pub(super) acts_over: bool,
    /// How it was found whether the drill is [settled](crate::worlds::Until::Settled).
    pub(super) settling: Settling,
}

/// Whether a drill can end before its `duration`, as far as that was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Settling {
    /// Nobody knows yet.
    #[default]
    Open,
    /// It did not pass when all was at rest, so it goes on to its `duration`.
    GoesOn,
    /// It is settled, and the evidence is whole.
    Settled,
}

/// Clones share the notes.
#[derive(Clone)]
pub(super) struct Recorder(Arc<Mutex<Notes>>);

impl Recorder {
    /// Nothing but what is known of a drill that is about to begin.
    pub(super) fn new(evidence: Evidence) -> Self {
        Self(Arc::new(Mutex::new(Notes {
            evidence,
            requests_at_trigger: None,
            observed: Vec::new(),
            timeline: Vec::new(),
            deployed: None,
            end: None,
            acts_over: false,
            settling: Settling::Open,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody outside has made a request.
    pub(super) fn heard(&self, heard: &Heard) {
        let status = match heard.status {
            Some(status) => status.to_string(),
            None => "cut".to_owned(),
        };
        let path: String = heard.path.chars().take(PATH_MAX).collect();
        let what = format!("{} {path} -> {status}", heard.method);
        self.tell(heard.sent, "executor", "request", what);
    }

    pub(super) fn tell(&self, at: Micros, who: &'static str, step: &str, what: impl Into<String>) {
        self.lock()
            .timeline
            .push(TimelineEntry::new(at.as_millis(), who, step, what));
    }
}

/// The record of a drill's acts.
#[derive(Clone)]
pub(super) struct ActsRecord {
    pub(super) world: World,
    pub(super) recorder: Recorder,
    pub(super) injector: Injector,
}

impl Record for ActsRecord {
    fn now_ms(&self) -> Ms {
        self.world.now().as_millis()
    }

    /// The executor reads the world's clock.
    fn ms_of(&self, at: Timestamp) -> Ms {
        let since = at.as_microsecond() - sim::time::EPOCH_SECOND * 1_000_000;
        u64::try_from(since).unwrap_or(0) / 1_000
    }

    fn evidence<T>(&self, change: impl FnOnce(&mut Evidence) -> T) -> T {
        change(&mut self.recorder.lock().evidence)
    }

    fn tell(&self, who: &'static str, step: &str, what: String) {
        self.recorder.tell(self.world.now(), who, step, what);
    }

    fn reached(&self, anchor: &Anchor) {
        self.injector.reached(anchor);
    }

    fn observed(&self, observed: &Arc<Observed>) {
        self.recorder.lock().observed.push(Arc::clone(observed));
    }
}
