//! Writes down what the executor says while it acts.

use std::sync::Arc;

use executor::{Event, Observer};
use jiff::Timestamp;
use sim_exchange::World;

use super::Recorder;
use super::faults::Injector;
use crate::scenario::Anchor;
use crate::worlds::common::{calls_a_person, told};

/// An observer that fills the timeline.
pub(super) struct Watcher {
    world: World,
    recorder: Recorder,
    injector: Injector,
}

impl Watcher {
    pub(super) fn new(world: World, recorder: Recorder, injector: Injector) -> Self {
        Self {
            world,
            recorder,
            injector,
        }
    }
}

impl Observer for Watcher {
    fn event(&self, _at: Timestamp, event: &Event) {
        if let Event::StepStarted { name, .. } = event {
            self.injector.reached(&Anchor::Step(name.clone()));
        }
        if let Event::Observed(observed) = event {
            self.recorder.lock().observed.push(Arc::clone(observed));
        }
        if let Some(why) = calls_a_person(event) {
            let now = self.world.now().as_millis();
            self.recorder.lock().evidence.executor.calls(why, now);
        }
        if let Some((step, what)) = told(event) {
            self.recorder
                .tell(self.world.now(), "executor", &step, what);
        }
    }
}
