//! What sets a trigger off though the release is not to blame: a moment in which the gateways stand still, a
//! reconciliation that cries wolf.

use sim::Application as _;
use sim::time::Micros;
use sim_exchange::Alarm;
use sim_exchange::World;

use super::Begun;
use crate::scenario::Fault;

/// The reconciliation shows something that is not so.
pub(super) fn raised(world: &World, alarm: Alarm) -> Begun {
    world.with(|state| {
        let now = state.now();
        state.application.raise_alarm(now, alarm);
    });
    Begun::until(move |world: &World| {
        world.with(|state| {
            let now = state.now();
            state.application.clear_alarm(now, alarm)
        })
    })
}

/// The gateways stand still for a moment.
pub(super) fn latency(world: &World, fault: &Fault) -> Begun {
    let lasts = Micros::from(fault.lasts.unwrap_or_default());
    let before = world.with(|state| {
        let now = state.now();
        state.application.hold_up_gateways(now, now + lasts);
        state.application.held_up(now)
    });
    Begun::until(move |world: &World| {
        world.with(|state| {
            let now = state.now();
            state.application.held_up(now) - before
        })
    })
}
