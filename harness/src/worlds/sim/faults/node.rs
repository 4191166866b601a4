//! What affects the node as a whole, its API server, and connections that everybody shares: the same as on a kind
//! cluster, where the node is a container that is paused, a process that is killed, and packets that are refused.

use sim::fabric::{Fate, Message, Rule, Server};
use sim::rng::Rng;
use sim::time::Micros;
use sim::{Application, World};
use sim_exchange::database::DbFault;

use super::Begun;
use super::ledger::on_the_server;
use crate::scenario::Fault;

/// A closed port and a refused packet answer with a reset, in the time of one way there and back.
const RESET: Micros = Micros::from_millis(1);
/// From the API server's death until its successor listens: 4 s on a kind cluster,
/// where the kubelet looks every second.
const DOWN_MS: (u64, u64) = (2_000, 5_000);
/// For how long the successor then knows nobody, or nobody's rights: it listens before it has read them.
const STRANGE_MS: (u64, u64) = (200, 1_500);

/// Everything on the node stands still.
pub(super) fn paused<A: Application>(world: &World<A>, fault: &Fault) -> Begun<A> {
    let lasts = Micros::from(fault.lasts.unwrap_or_default());
    let before = world.with(|state| {
        state.pause_node(state.now() + lasts);
        state.held_up()
    });
    Begun::until(move |world| world.with(|state| state.held_up() - before))
}

/// Connections to the fault's target break, and none can be made; the ledger is the exchange's.
pub(super) fn connections_dropped(
    world: &sim_exchange::World,
    fault: &Fault,
    label: &str,
) -> Begun {
    match fault.target.as_deref() {
        Some("database") => on_the_server(world, DbFault::CutOff),
        _ => api_server_cut_off(world, fault, label),
    }
}

/// Connections to the API server break, and none can be made, where the fault's target is that.
pub(super) fn api_server_cut_off<A: Application>(
    world: &World<A>,
    fault: &Fault,
    label: &str,
) -> Begun<A> {
    if fault.target.as_deref() != Some("kubernetes") {
        // Nothing is hit, and the drill says so.
        return Begun::until(|_| 0);
    }
    // The watcher's next acknowledgement is answered with a reset.
    let rule = ApiServerGone {
        until: Micros::MAX,
        strange_until: Micros::MAX,
    };
    refusing(world, label, rule)
}

/// The API server's process dies, and the node starts it again; `rng` is the fault's own.
pub(super) fn api_server_restarted<A: Application>(
    world: &World<A>,
    label: &str,
    rng: &mut Rng,
) -> Begun<A> {
    let down = Micros::from_millis(rng.between(DOWN_MS.0, DOWN_MS.1));
    let strange = Micros::from_millis(rng.between(STRANGE_MS.0, STRANGE_MS.1));
    let until = world.now() + down;
    // Controllers and kubelet see and write nothing meanwhile.
    world.with(|state| state.cluster.stand_still(until));
    let rule = ApiServerGone {
        until,
        strange_until: until + strange,
    };
    refusing(world, label, rule)
}

/// Nobody's request gets through before `until`; then, before `strange_until`, nobody is known.
struct ApiServerGone {
    until: Micros,
    strange_until: Micros,
}

impl Rule for ApiServerGone {
    fn judge(&mut self, message: &Message, rng: &mut Rng) -> Option<Fate> {
        if message.server != Server::Kube {
            return None;
        }
        if message.sent_at < self.until {
            return Some(Fate::Lose(RESET));
        }
        (message.sent_at < self.strange_until).then(|| Fate::Refuse {
            status: if rng.ratio(1, 2) { 401 } else { 403 },
            retry_after_s: None,
        })
    }
}

/// Ends every watch and puts `rule` in force. Counts watches and requests.
fn refusing<A: Application>(world: &World<A>, label: &str, rule: ApiServerGone) -> Begun<A> {
    let (id, ended) = world.with(|state| {
        let ended = state.cluster.drop_watches();
        (state.fabric.add_rule(label, Box::new(rule)), ended as u64)
    });
    Begun::until(move |world| {
        let refused = world.with(|state| state.fabric.remove_rule(id));
        ended + refused.unwrap_or(0)
    })
}
