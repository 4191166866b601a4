//! What affects requests of the executor, whichever host it runs on, on their way.

use dex::release::Service;
use sim::fabric::{Fate, Message, Rule, Server};
use sim::rng::Rng;
use sim::time::Micros;
use sim::{Application, World};

use super::super::ports::is_executor;
use super::Begun;
use crate::scenario::Fault;
use crate::worlds::common::manifests::{TRADING, environment};

/// How long a client waits until a broken connection shows: a reset, not a silence.
const RESET: Micros = Micros::from_millis(200);
/// What a throttling API server asks for. Kubernetes sends 1
/// (staging/src/k8s.io/apiserver/pkg/server/filters/priority-and-fairness.go).
const RETRY_AFTER_S: u32 = 1;

struct Strike {
    server: Server,
    /// Only requests that change something.
    writes: bool,
    /// In millionths.
    chance: u32,
    fate: Fate,
}

impl Rule for Strike {
    fn judge(&mut self, message: &Message, rng: &mut Rng) -> Option<Fate> {
        let hit = is_executor(&message.origin)
            && message.server == self.server
            && !(self.writes && message.verb == "GET")
            && rng.between(1, 1_000_000) <= u64::from(self.chance);
        hit.then(|| self.fate.clone())
    }
}

/// The executor's requests to the API server are late.
pub(super) fn api_slow<A: Application>(world: &World<A>, fault: &Fault, label: &str) -> Begun<A> {
    strike(world, fault, label, Server::Kube, false, late(fault))
}

/// The API server answers 429 with Retry-After.
pub(super) fn api_throttling<A: Application>(
    world: &World<A>,
    fault: &Fault,
    label: &str,
) -> Begun<A> {
    let fate = refuse(429, Some(RETRY_AFTER_S));
    strike(world, fault, label, Server::Kube, false, fate)
}

/// The API server answers 500.
pub(super) fn api_failing<A: Application>(
    world: &World<A>,
    fault: &Fault,
    label: &str,
) -> Begun<A> {
    strike(world, fault, label, Server::Kube, false, refuse(500, None))
}

/// The API server answers writes of some objects 500, since the webhook that admits them is away.
struct NotAdmitted {
    /// What the written object's path has in it.
    of: Vec<String>,
}

impl Rule for NotAdmitted {
    fn judge(&mut self, message: &Message, _: &mut Rng) -> Option<Fate> {
        let hit = is_executor(&message.origin)
            && message.server == Server::Kube
            && message.verb != "GET"
            && self
                .of
                .iter()
                .any(|part| message.path.contains(part.as_str()));
        hit.then(|| refuse(500, None))
    }
}

/// Writes of the fault's target, which its scenario names, are not admitted.
pub(super) fn writes_refused<A: Application>(
    world: &World<A>,
    fault: &Fault,
    label: &str,
) -> Begun<A> {
    let map = |name: &str| format!("/configmaps/{name}");
    let of = match fault.target.as_deref() {
        Some("trading-flag") => vec![map(TRADING)],
        Some("configuration") => {
            let maps = Service::ALL.into_iter().flat_map(environment);
            maps.map(map).collect()
        }
        Some("deployments") => vec!["/deployments/".to_owned(), "/statefulsets/".to_owned()],
        Some("evictions") => vec!["/eviction".to_owned()],
        // Nothing is hit, and the drill says so.
        Some(_) | None => return Begun::until(|_| 0),
    };
    under(world, label, Box::new(NotAdmitted { of }))
}

/// A write takes effect, and its answer is lost.
pub(super) fn api_cut<A: Application>(world: &World<A>, fault: &Fault, label: &str) -> Begun<A> {
    strike(world, fault, label, Server::Kube, true, Fate::CutReply)
}

/// A write takes effect twice.
pub(super) fn api_duplicated<A: Application>(
    world: &World<A>,
    fault: &Fault,
    label: &str,
) -> Begun<A> {
    let fate = Fate::Duplicate(RESET);
    strike(world, fault, label, Server::Kube, true, fate)
}

/// The executor's requests to the database are late.
pub(super) fn database_slow<A: Application>(
    world: &World<A>,
    fault: &Fault,
    label: &str,
) -> Begun<A> {
    strike(world, fault, label, Server::Database, false, late(fault))
}

/// Nothing reaches the fault's target, which its scenario names.
pub(super) fn unreachable<A: Application>(
    world: &World<A>,
    fault: &Fault,
    label: &str,
) -> Begun<A> {
    let server = match fault.target.as_deref() {
        Some("kubernetes") => Server::Kube,
        Some("prometheus") => Server::Prometheus,
        Some("loki") => Server::Loki,
        Some("database") => Server::Database,
        // Nothing is hit, and the drill says so.
        Some(_) | None => return Begun::until(|_| 0),
    };
    strike(world, fault, label, server, false, Fate::Lose(RESET))
}

fn late(fault: &Fault) -> Fate {
    Fate::Delay(Micros::from(fault.delay.unwrap_or_default()))
}

fn refuse(status: u16, retry_after_s: Option<u32>) -> Fate {
    Fate::Refuse {
        status,
        retry_after_s,
    }
}

/// `fate` affects the executor's requests to `server`, or only its `writes`.
fn strike<A: Application>(
    world: &World<A>,
    fault: &Fault,
    label: &str,
    server: Server,
    writes: bool,
    fate: Fate,
) -> Begun<A> {
    let rule = Strike {
        server,
        writes,
        chance: fault.chance.map_or(1_000_000, |c| c.0),
        fate,
    };
    under(world, label, Box::new(rule))
}

/// `rule` is in force.
fn under<A: Application>(world: &World<A>, label: &str, rule: Box<dyn Rule>) -> Begun<A> {
    let id = world.with(|state| state.fabric.add_rule(label, rule));
    Begun::until(move |world| {
        world
            .with(|state| state.fabric.remove_rule(id))
            .unwrap_or(0)
    })
}
