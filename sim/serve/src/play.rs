//! Plays what a recording holds into a world: the same requests at the same instants, with nobody outside.

use futures::channel::mpsc::UnboundedSender;

use crate::answer::Door;
use crate::bridge::{AnswerTo, Asked, FromOutside};
use crate::pace::Activity;
use crate::tape::Call;

/// Puts requests into a world that no network leads to.
pub struct Player {
    requests: UnboundedSender<FromOutside>,
}

/// A player, and the door of the world that it plays into.
#[must_use]
pub fn player() -> (Player, Door) {
    let (requests, played) = futures::channel::mpsc::unbounded();
    // Nobody outside needs to be waited for, so nobody listens to what would wake the world.
    let (to_world, _) = std::sync::mpsc::channel();
    let door = Door::new(played, Activity::default(), to_world);
    (Player { requests }, door)
}

impl Player {
    /// The request of that number comes. `false`: the recording's request is none, or the world has ended.
    #[must_use]
    pub fn ask(&self, number: u64, call: &Call) -> bool {
        let Some(request) = call.request() else {
            return false;
        };
        let asked = FromOutside::Asked(Box::new(Asked {
            to: call.to,
            request,
            stream: number,
            answer: AnswerTo::Nobody,
            room: Vec::new(),
        }));
        self.requests.unbounded_send(asked).is_ok()
    }

    /// The client of that request hangs up.
    pub fn hang_up(&self, number: u64) {
        // The world may have ended before its clients.
        let _ = self.requests.unbounded_send(FromOutside::Gone(number));
    }
}
