//! What sets a trigger off though the release is not to blame: a moment in which the gateways stand still, a reconciliation
//! that cries wolf.

use sim::exchange::Alarm;
use sim::world::World;

use super::{Begun, micros};
use crate::scenario::Fault;

/// The reconciliation shows something that is not so.
pub(super) fn raised(world: &World, alarm: Alarm) -> Begun {
    world.with(|state| {
        let now = state.now();
        state.exchange.raise_alarm(now, alarm);
    });
    Begun::until(move |world| {
        world.with(|state| {
            let now = state.now();
            state.exchange.clear_alarm(now, alarm)
        })
    })
}

/// The gateways stand still for a moment.
pub(super) fn latency(world: &World, fault: &Fault) -> Begun {
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
