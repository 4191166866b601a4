//! What is written down while a drill runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use executor::planner::Observed;
use jiff::Timestamp;
use sim::Application;
use sim::time::Micros;
use sim::world::World;
use sim_serve::Heard;

use super::faults::Injector;
use super::ports::ORIGIN;
use crate::drill::timeline::{TimelineEntry, Told};
use crate::evidence::{Evidence, ExecutorOutcome, Ms};
use crate::scenario::{Anchor, Scenario};
use crate::worlds::Performed;
use crate::worlds::common::acts::Record;

/// Characters of a path that the timeline shows.
const PATH_MAX: usize = 1_000;

/// Requests of somebody outside that the timeline shows. A program that floods the servers would fill the memory.
const REQUESTS_SHOWN: u64 = 50_000;

/// What actor and prober write down.
pub(super) struct Notes {
    pub(super) evidence: Evidence,
    /// How many requests the executor had made when a trigger fired; `None`: none did.
    pub(super) requests_at_trigger: Option<u64>,
    pub(super) observed: Vec<Arc<Observed>>,
    pub(super) timeline: Vec<TimelineEntry>,
    /// Requests of somebody outside so far.
    heard: u64,
    /// When the first of them was sent that the timeline does not show.
    unshown_from: Option<Micros>,
    /// When the drill ends, once that is known to be before its `duration`.
    pub(super) end: Option<Micros>,
    /// Whether the acts are over: no executor of them and no deployer does anything any more.
    pub(super) acts_over: bool,
    /// How it was found whether the drill is [settled](crate::worlds::Until::Settled).
    pub(super) settling: Settling,
}

impl Notes {
    /// Mixes what the executor said into the world's fingerprint; the fingerprint, and how many requests the executor
    /// made from the trigger on. What it asks while it prepares and watches is no rollback.
    pub(super) fn sealed<A: Application>(&self, world: &World<A>) -> (u64, u64) {
        let said = format!("{:?}", self.evidence.executor);
        world.with(|state| {
            state.record("executor said", said.as_bytes());
            let requests = state.fabric.requests(ORIGIN);
            let since = |before| requests.saturating_sub(before);
            (
                state.fingerprint(),
                self.requests_at_trigger.map_or(0, since),
            )
        })
    }
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
            heard: 0,
            unshown_from: None,
            end: None,
            acts_over: false,
            settling: Settling::Open,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The acts of the drill have ended, by themselves or because its time is over.
    pub(super) fn acts_are_over(&self, by_themselves: bool) {
        let mut notes = self.lock();
        notes.acts_over = true;
        if by_themselves {
            return;
        }
        let deployed = notes.evidence.deployed_ms.is_some();
        let said = &mut notes.evidence.executor;
        if said.trigger.is_some() {
            said.outcome = ExecutorOutcome::StillRunning;
        } else if deployed {
            said.saw_nothing("no trigger fired until the drill's end");
        }
    }

    /// The world stopped before the drill's end: fingerprint and requests of such a drill.
    pub(super) fn world_stopped(&self, halt: sim::world::Halt) -> (u64, u64) {
        let outcome = ExecutorOutcome::Failed(format!("the world stopped: {halt}"));
        self.lock().evidence.executor.outcome = outcome;
        (0, 0)
    }

    /// What the drill of `scenario` hands back.
    pub(super) fn performed(
        &self,
        scenario: &Scenario,
        fingerprint: u64,
        executor_requests: u64,
    ) -> Performed {
        let mut notes = self.lock();
        let mut timeline = std::mem::take(&mut notes.timeline);
        if let Some(from) = notes.unshown_from {
            let more = notes.heard - REQUESTS_SHOWN;
            let what = format!("from here on, {more} more requests are not shown");
            timeline.push(TimelineEntry::new(
                from.as_millis(),
                "executor",
                "request",
                what,
            ));
        }
        timeline.sort_by_key(|entry| entry.at_ms);
        Performed {
            evidence: std::mem::replace(&mut notes.evidence, Evidence::empty(scenario)),
            timeline,
            fingerprint,
            executor_requests,
            observed: std::mem::take(&mut notes.observed),
        }
    }

    /// Somebody outside has made a request.
    pub(super) fn heard(&self, heard: &Heard) {
        let mut notes = self.lock();
        notes.heard += 1;
        if notes.heard > REQUESTS_SHOWN {
            notes.unshown_from.get_or_insert(heard.sent);
            return;
        }
        drop(notes);
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
pub(super) struct ActsRecord<A: Application> {
    pub(super) world: World<A>,
    pub(super) recorder: Recorder,
    pub(super) injector: Injector<A>,
}

impl<A: Application> ActsRecord<A> {
    /// Of a drill in `world`.
    pub(super) fn new(world: &World<A>, recorder: &Recorder, injector: &Injector<A>) -> Self {
        Self {
            world: world.clone(),
            recorder: recorder.clone(),
            injector: injector.clone(),
        }
    }
}

impl<A: Application> Clone for ActsRecord<A> {
    fn clone(&self) -> Self {
        Self::new(&self.world, &self.recorder, &self.injector)
    }
}

impl<A: Application> Record for ActsRecord<A> {
    fn now_ms(&self) -> Ms {
        self.world.now().as_millis()
    }

    fn ms_of(&self, at: Timestamp) -> Ms {
        ms_of(at)
    }

    fn evidence<T>(&self, change: impl FnOnce(&mut Evidence) -> T) -> T {
        change(&mut self.recorder.lock().evidence)
    }

    fn tell_of(&self, told: Told, who: &'static str, step: &str, what: String) {
        let at = self.world.now().as_millis();
        let entry = TimelineEntry::new(at, who, step, what);
        self.recorder.lock().timeline.push(entry.of(told));
    }

    fn reached(&self, anchor: &Anchor) {
        self.injector.reached(anchor);
    }

    fn observed(&self, observed: &Arc<Observed>) {
        self.recorder.lock().observed.push(Arc::clone(observed));
    }
}

/// An instant of the executor's clock, in milliseconds of the drill: the executor reads the world's clock.
pub(super) fn ms_of(at: Timestamp) -> Ms {
    let since = at.as_microsecond() - sim::time::EPOCH_SECOND * 1_000_000;
    u64::try_from(since).unwrap_or(0) / 1_000
}

#[cfg(test)]
mod tests {
    use sim::time::Micros;
    use sim_serve::Heard;

    use super::{REQUESTS_SHOWN, Recorder};
    use crate::evidence::Evidence;
    use crate::scenario::built_in;

    #[test]
    fn a_flood_of_requests_is_counted_and_not_written_down() {
        let scenario = built_in("latency-regression", &[])
            .expect("it is there")
            .expect("valid");
        let recorder = Recorder::new(Evidence::empty(&scenario));
        for number in 0..REQUESTS_SHOWN + 7 {
            recorder.heard(&Heard {
                sent: Micros(1_000 * number),
                answered: Micros(1_000 * number + 1),
                method: "GET".to_owned(),
                path: "/version".to_owned(),
                status: Some(200),
            });
        }
        let timeline = recorder.performed(&scenario, 0, 0).timeline;
        assert_eq!(timeline.len() as u64, REQUESTS_SHOWN + 1);
        let last = timeline.last().expect("an entry");
        assert_eq!(last.at_ms, REQUESTS_SHOWN);
        assert_eq!(last.what, "from here on, 7 more requests are not shown");
    }
}
