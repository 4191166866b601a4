//! What befalls requests of the executor, whichever host it runs on, on their way.

use sim::fabric::{Fate, Message, Rule, Server};
use sim::rng::Rng;
use sim::time::Micros;
use sim::world::World;

use super::super::ports::is_executor;
use super::{Begun, micros};
use crate::scenario::{Fault, FaultKind};

/// How long a client waits until a broken connection shows: a reset, not a silence.
const RESET: Micros = Micros::from_millis(200);
/// What a throttling API server asks for. Kubernetes sends 1 (staging/src/k8s.io/apiserver/pkg/server/filters/priority-and-fairness.go).
const RETRY_AFTER_S: u32 = 1;

struct Befall {
    server: Server,
    /// Only requests that change something.
    writes: bool,
    /// In millionths.
    chance: u32,
    fate: Fate,
}

impl Rule for Befall {
    fn judge(&mut self, message: &Message, rng: &mut Rng) -> Option<Fate> {
        let hit = is_executor(&message.origin)
            && message.server == self.server
            && !(self.writes && message.verb == "GET")
            && rng.between(1, 1_000_000) <= u64::from(self.chance);
        hit.then(|| self.fate.clone())
    }
}

/// Begins a fault of this family.
pub(super) fn begin(world: &World, fault: &Fault, label: &str) -> Begun {
    let server = match fault.target.as_deref() {
        _ if fault.kind == FaultKind::DatabaseSlow => Server::Database,
        Some("prometheus") => Server::Prometheus,
        Some("loki") => Server::Loki,
        Some("database") => Server::Database,
        _ => Server::Kube,
    };
    let refuse = |status, retry_after_s| Fate::Refuse {
        status,
        retry_after_s,
    };
    let (writes, fate) = match fault.kind {
        FaultKind::ApiThrottling => (false, refuse(429, Some(RETRY_AFTER_S))),
        FaultKind::ApiFailing => (false, refuse(500, None)),
        FaultKind::ApiCut => (true, Fate::CutReply),
        FaultKind::ApiDuplicated => (true, Fate::Duplicate(RESET)),
        FaultKind::ApiSlow | FaultKind::DatabaseSlow => {
            (false, Fate::Delay(micros(fault.delay.unwrap_or_default())))
        }
        _ => (false, Fate::Lose(RESET)),
    };
    let rule = Befall {
        server,
        writes,
        chance: fault.chance.map_or(1_000_000, |c| c.0),
        fate,
    };
    let id = world.with(|state| state.fabric.add_rule(label, Box::new(rule)));
    Begun::until(move |world| {
        world
            .with(|state| state.fabric.remove_rule(id))
            .unwrap_or(0)
    })
}
