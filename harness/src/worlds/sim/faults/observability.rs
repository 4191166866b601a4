//! What keeps the executor from seeing how the exchange fares: scrapes that fail,
//! samples and lines that come late or never.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sim::fabric::{Fate, Message, Rule, RuleId, Server};
use sim::observe::ScrapeFault;
use sim::rng::Rng;
use sim::time::Micros;
use sim::{Application, World};

use super::super::ports::is_executor;
use super::Begun;
use crate::scenario::Fault;

/// Longer than any drill.
const NEVER: Micros = Micros::from_secs(10_000_000);

/// Counts the executor's questions to Prometheus and lets them pass.
struct Asked(Arc<AtomicU64>);

impl Rule for Asked {
    fn judge(&mut self, message: &Message, _: &mut Rng) -> Option<Fate> {
        if message.server == Server::Prometheus && is_executor(&message.origin) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        None
    }
}

/// The pods of the fault's target can't be scraped.
pub(super) fn metrics_missing<A: Application>(world: &World<A>, app: String) -> Begun<A> {
    let broken = Some(ScrapeFault::Unreachable);
    world.with(|state| state.prometheus.set_scrape_fault(&app, broken));
    Begun::until(move |world| world.with(|state| state.prometheus.set_scrape_fault(&app, None)))
}

/// Samples are seen late.
pub(super) fn metrics_stale<A: Application>(
    world: &World<A>,
    fault: &Fault,
    label: &str,
) -> Begun<A> {
    let delay = Micros::from(fault.delay.unwrap_or_default());
    world.with(|state| state.prometheus.set_ingestion_delay(delay));
    let asked = count(world, label);
    Begun::until(move |world| {
        world.with(|state| state.prometheus.set_ingestion_delay(Micros::ZERO));
        asked(world)
    })
}

/// Lines are in Loki late, or never.
pub(super) fn logs_missing<A: Application>(world: &World<A>, fault: &Fault) -> Begun<A> {
    let delay = fault.delay.map_or(NEVER, Micros::from);
    // A line that is missed changes something only for who looks for it:
    // answers that it should have been in are counted.
    let before = world.with(|state| {
        state.loki.set_ingestion_delay(delay);
        state.loki.answers_changed()
    });
    Begun::until(move |world| {
        world.with(|state| {
            state.loki.set_ingestion_delay(Micros::ZERO);
            state.loki.answers_changed() - before
        })
    })
}

/// Counts the executor's questions to Prometheus from now on, until the result is called.
fn count<A: Application>(
    world: &World<A>,
    label: &str,
) -> impl FnOnce(&World<A>) -> u64 + Send + use<A> {
    let asked = Arc::new(AtomicU64::new(0));
    let rule = Asked(Arc::clone(&asked));
    let id: RuleId = world.with(|state| state.fabric.add_rule(label, Box::new(rule)));
    move |world: &World<A>| {
        world.with(|state| state.fabric.remove_rule(id));
        asked.load(Ordering::Relaxed)
    }
}
