//! What sets a trigger off though the release is not to blame: a moment in which the gateways stand still, a reconciliation
//! that cries wolf.

use sim::world::World;

use super::{Begun, micros};
use crate::scenario::{Fault, FaultKind};

/// Begins a fault of this family.
pub(super) fn begin(world: &World, fault: &Fault) -> Begun {
    if fault.kind == FaultKind::BooksAlarm {
        world.with(|state| {
            let now = state.now();
            state.exchange.raise_alarm(now);
        });
        return Begun::until(|world| {
            world.with(|state| {
                let now = state.now();
                state.exchange.clear_alarm(now)
            })
        });
    }
    let lasts = micros(fault.lasts.unwrap_or_default());
    let before = world.with(|state| {
        let now = state.now();
        state.exchange.hold_up_gateways(now, now + lasts);
        state.exchange.held_up(now)
    });
    Begun::until(move |world| {
        world.with(|state| {
            let now = state.now();
            state.exchange.held_up(now) - before
        })
    })
}
