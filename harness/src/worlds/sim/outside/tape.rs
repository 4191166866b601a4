//! What is recorded of a drill with somebody outside.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sim::time::Micros;
use sim_serve::tape::Event;
use sim_serve::{Heard, Witness};

use crate::worlds::recording::{Ended, Line};
use crate::worlds::sim::recorder::Recorder;

/// The lines of a recording, as they come. Clones share them.
#[derive(Clone, Default)]
pub(in crate::worlds::sim) struct Tape(Arc<Mutex<Taped>>);

#[derive(Default)]
struct Taped {
    lines: Vec<Line>,
    /// How many of them tell what went out of the world.
    went_out: usize,
}

impl Tape {
    fn lock(&self) -> MutexGuard<'_, Taped> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much went out of the world until now: answers, frames of streams, and connections that were cut.
    pub(super) fn went_out(&self) -> usize {
        self.lock().went_out
    }

    pub(super) fn began(&self, at: Micros, host: u32, phase: &str) {
        self.lock().lines.push(Line::Began {
            at_us: at.0,
            host,
            phase: phase.to_owned(),
        });
    }

    pub(super) fn ended(&self, at: Micros, how: &Ended) {
        self.lock().lines.push(Line::Ended {
            at_us: at.0,
            how: how.clone(),
        });
    }

    /// Takes the lines.
    pub(in crate::worlds::sim) fn take(&self) -> Vec<Line> {
        std::mem::take(&mut self.lock().lines)
    }
}

/// Looks on while somebody outside is served: tells the timeline, and the tape if there is one.
pub(in crate::worlds::sim) struct Looking {
    pub(in crate::worlds::sim) recorder: Recorder,
    pub(in crate::worlds::sim) tape: Option<Tape>,
}

impl Witness for Looking {
    fn heard(&self, heard: Heard) {
        self.recorder.heard(&heard);
    }

    fn records(&self) -> bool {
        self.tape.is_some()
    }

    fn happened(&self, at: Micros, number: u64, event: Event) {
        if let Some(tape) = &self.tape {
            let mut taped = tape.lock();
            taped.went_out += usize::from(!event.came_from_outside());
            taped.lines.push(Line::Request {
                at_us: at.0,
                number,
                event,
            });
        }
    }
}
