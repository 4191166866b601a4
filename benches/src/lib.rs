//! What Firedrill's benchmarks share: how a drill is set up, and the messages that simulators are compared by.

pub mod growth;
pub mod pattern;

use std::sync::Arc;

use firedrill::runbooks::LoadedRunbook;
use firedrill::scenario::catalogue;
use firedrill::worlds::{DrillPlan, Until, WorldKind};

/// A drill of the built-in scenario `name` with `seed`, by the built-in runbook.
///
/// # Panics
/// If the built-in scenario or runbook is broken: then nothing can be measured.
#[must_use]
pub fn plan(name: &str, seed: u64) -> DrillPlan {
    let runbook = LoadedRunbook::built_in().expect("the built-in runbook loads");
    let scenario = catalogue::built_in(name, &runbook.triggers())
        .expect("the scenario is built in")
        .expect("the scenario loads");
    DrillPlan {
        world: WorldKind::Sim,
        scenario: Arc::new(scenario),
        runbook,
        seed,
        until: Until::Duration,
        executor: None,
    }
}
