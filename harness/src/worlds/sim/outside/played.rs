//! A recording that is played: the requests of a program at the instants at which it made them, without the program.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sim::time::Micros;
use sim::{Application, World};
use sim_serve::answer::{Door, Gate};
use sim_serve::play::{Player, player};
use sim_serve::tape::Event;

use super::actor::{Actor, Phase};
use super::tape::Tape;
use crate::worlds::common::host::Failed;
use crate::worlds::recording::{Ended, Line, Recording};

/// How many times the world may go on at one instant before something that is recorded to have gone out by then is
/// missed, and the difference is told.
const TURNS: usize = 64;

/// Something that came from outside.
struct Came {
    at: Micros,
    /// Of which request.
    number: u64,
    event: Event,
    /// How much of the recording had gone out before.
    after: usize,
}

/// What came from outside in a phase.
#[derive(Default)]
struct Recorded {
    /// In its order.
    events: Vec<Came>,
    /// When it ended, and how; `None`: its host died.
    ended: Option<(Micros, Ended)>,
}

/// A recording, by its phases.
pub(in crate::worlds::sim) struct Played {
    player: Player,
    gate: Gate,
    /// What is recorded of the drill that is played.
    tape: Tape,
    /// By host and phase.
    phases: Mutex<BTreeMap<(u32, String), Recorded>>,
}

impl Played {
    /// Plays `recording`, and the door through which its requests come. What happens is recorded on `tape`.
    pub(in crate::worlds::sim) fn new(recording: &Recording, tape: Tape) -> (Arc<Self>, Door) {
        let (player, door) = player();
        let gate = door.gate();
        gate.alone();
        let mut phases: BTreeMap<(u32, String), Recorded> = BTreeMap::new();
        let mut current = (0, String::new());
        let mut after = 0;
        for line in &recording.lines {
            match line {
                Line::Began { host, phase, .. } => {
                    current = (*host, phase.clone());
                    phases.insert(current.clone(), Recorded::default());
                }
                Line::Request {
                    at_us,
                    number,
                    event,
                } => {
                    if !event.came_from_outside() {
                        after += 1;
                        continue;
                    }
                    let phase = phases.entry(current.clone()).or_default();
                    phase.events.push(Came {
                        at: Micros(*at_us),
                        number: *number,
                        event: event.clone(),
                        after,
                    });
                }
                Line::Ended { at_us, how } => {
                    let ended = Some((Micros(*at_us), how.clone()));
                    phases.entry(current.clone()).or_default().ended = ended;
                }
                Line::Head(_) | Line::Over { .. } => {}
            }
        }
        let played = Self {
            player,
            gate,
            tape,
            phases: Mutex::new(phases),
        };
        (Arc::new(played), door)
    }

    /// Waits until its instant, and until all has gone out that had gone out before it: a program hangs up at the very
    /// instant at which it has read enough.
    async fn comes<A: Application>(&self, world: &World<A>, came: &Came) {
        until(world, came.at).await;
        for _ in 0..TURNS {
            if self.tape.went_out() >= came.after {
                break;
            }
            world.sleep_until(came.at).await;
        }
    }
}

/// Sleeps until that instant; at once if it has come.
async fn until<A: Application>(world: &World<A>, at: Micros) {
    if world.now() < at {
        world.sleep_until(at).await;
    }
}

#[async_trait]
impl<A: Application> Actor<A> for Played {
    fn gate(&self) -> &Gate {
        &self.gate
    }

    async fn act(&self, world: &World<A>, phase: Phase<'_>) -> Result<Ended, Failed> {
        let key = (phase.host, phase.name.to_owned());
        let recorded = self
            .phases
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key);
        let Some(recorded) = recorded else {
            return Err(Failed::Harness(format!(
                "the recording has no phase `{}` on host {}: the drill went another way",
                phase.name, phase.host
            )));
        };
        for came in recorded.events {
            self.comes(world, &came).await;
            let number = came.number;
            match came.event {
                Event::Asked(call) => {
                    if !self.player.ask(number, &call) {
                        return Err(Failed::Harness(format!(
                            "request {number} of the recording is no request"
                        )));
                    }
                }
                _ => self.player.hang_up(number),
            }
        }
        let Some((at, how)) = recorded.ended else {
            // Its host died, and does so now.
            return futures::future::pending().await;
        };
        until(world, at).await;
        // Whoever is answered at this very instant has the answer first.
        world.sleep_until(at).await;
        Ok(how)
    }
}
