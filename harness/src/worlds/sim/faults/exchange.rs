//! What affects the exchange's processes, its clients and its books beside the bad release.

use dex::release::{Release, Service};
use dex::types::Amount;
use sim_exchange::ShownIn;
use sim_exchange::{World, WorldState};

use super::people::SECOND_RELEASE;
use super::{Begun, Changed};
use crate::scenario::Fault;

/// What is booked without a counter-entry, in minor units.
const BOOKED: Amount = Amount(1);

/// The share that a fault says, in parts per million.
fn ppm(fault: &Fault) -> u32 {
    fault.chance.map_or(0, |chance| chance.0)
}

/// The clients leave out a share of their requests.
pub(super) fn clients_quiet(world: &World, fault: &Fault) -> Begun {
    let before = world.with(|state| {
        let now = state.now();
        state.application.quieten_clients(now, ppm(fault));
        state.application.clients(now).sent
    });
    Begun::until(move |world: &World| {
        world.with(|state| {
            let now = state.now();
            state.application.quieten_clients(now, 0);
            state.application.clients(now).sent - before
        })
    })
}

/// A share of the requests fails at the gateways.
pub(super) fn requests_failing(world: &World, fault: &Fault) -> Begun {
    let target = fault.target.as_deref();
    let shown_in = match target {
        Some("metrics") => ShownIn::Metrics,
        Some("logs") => ShownIn::Logs,
        _ => ShownIn::Both,
    };
    world.with(|state| {
        let now = state.now();
        let one_in = 1_000_000 / u64::from(ppm(fault).max(1));
        let last_only = target == Some("last-gateway");
        state
            .application
            .fail_requests(now, one_in, shown_in, last_only);
    });
    Begun::until(|world: &World| {
        world.with(|state| {
            let now = state.now();
            state.application.fail_no_requests(now)
        })
    })
}

/// The gateway that came up last keeps one connection.
pub(super) fn connections_uneven(world: &World) -> Begun {
    once(world, |state| {
        let now = state.now();
        state.application.shun_last_gateway(now)
    })
}

/// Pods of the service say that they are not healthy.
pub(super) fn pods_sick(world: &World, fault: &Fault) -> Begun {
    let Some(service) = fault.target.as_deref().and_then(Service::by_name) else {
        return Begun::until(|_| 0);
    };
    world.with(|state| state.application.make_sick(service));
    Begun::until(move |world: &World| world.with(|state| state.application.make_well(service)))
}

/// The tag of the prior image of the service that is `changed` names another build. A service that the release leaves
/// alone starts no process of it: nothing is hit, and the drill says so.
pub(super) fn tag_moved(world: &World, changed: Option<&Changed>) -> Begun {
    let service = changed.and_then(|it| Service::by_name(&it.of.name));
    let other = Release::by_name(SECOND_RELEASE).zip(service);
    let (Some((release, service)), Some(Changed { good, .. })) = (other, changed) else {
        return Begun::until(|_| 0);
    };
    let (image, build) = (good.clone(), release.build(service));
    world.with(|state| state.application.move_tag(&image, build));
    Begun::until(move |world: &World| world.with(|state| state.application.move_tag_back(&image)))
}

/// Somebody books an amount without a counter-entry.
pub(super) fn books_broken(world: &World) -> Begun {
    once(world, |state| {
        let now = state.now();
        state.application.book_without_counter_entry(now, BOOKED);
        1
    })
}

/// What happens at one instant, and how often it hit.
fn once(world: &World, act: impl FnOnce(&mut WorldState) -> u64) -> Begun {
    let hits = world.with(act);
    Begun::done(hits)
}
