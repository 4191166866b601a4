//! What a drill needs of the exchange.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use dex::release::{Release, Service as DexService};
use executor::ports::Database;
use sim::time::Micros;
use sim::workload::{ProcessId, Workload as _};
use sim_exchange::{ExchangeConfig, SimulatedExchange, World, WorldState};
use sim_serve::store::Store;

use super::operations::Ledger;
use super::record::Deployed;
use super::{database, deployer, harvest, objects};
use crate::evidence::{Evidence, Second, ms};
use crate::scenario::{FaultKind, Scenario};
use crate::worlds::WorldError;
use crate::worlds::common::manifests::NAMESPACE;
use crate::worlds::common::{build_version, bursts, versions};
use crate::worlds::sim::application::{Drilled, NextLook, Service};
use crate::worlds::sim::faults::{Beginning, Begun, begin};

/// Between two looks while nothing happens.
const CALM: Micros = Micros::from_secs(10);
/// Between two looks from the deployment to the trigger: when harm began.
const WATCHFUL: Micros = Micros::from_secs(5);
/// Between two looks during the rollback: when harm ended.
const CLOSE: Micros = Micros::from_secs(1);
/// How long after the deployment looks are watchful, in milliseconds.
const WATCHFUL_MS: u64 = 300_000;
/// For how long the ledger must have been sound, after the trigger, until a close look is no longer needed, in
/// milliseconds.
const SOUND_MS: u64 = 30_000;

/// The exchange, in one drill.
#[derive(Default)]
pub(in crate::worlds::sim) struct Exchange {
    /// The ledger when the deployment began.
    deployed: Mutex<Option<Deployed>>,
}

impl Drilled for Exchange {
    type Application = SimulatedExchange;

    const JOB: &str = "dex";

    /// A drill of 15 minutes takes some 100,000.
    const EVENTS_MAX: u64 = 5_000_000;

    fn namespace(&self) -> &str {
        NAMESPACE
    }

    fn config(&self, scenario: &Scenario) -> ExchangeConfig {
        let mut exchange = ExchangeConfig::default();
        exchange.load.rate_per_s = u64::from(scenario.load.rate_per_s);
        exchange.load.accounts = scenario.load.accounts;
        exchange.load.markets = u16::try_from(scenario.load.markets).unwrap_or(u16::MAX);
        exchange.load.bursts = bursts(&scenario.load);
        exchange.ledger_base_bytes = u64::from(scenario.ledger.more_mb) * 1_000_000;
        exchange.ledger_base_rows = u64::from(scenario.ledger.more_rows);
        exchange
    }

    fn services(&self) -> Vec<Service> {
        let all = DexService::ALL.into_iter();
        all.map(|it| Service::named(it.name())).collect()
    }

    fn images(&self, release: &str) -> Vec<String> {
        let release = Release::by_name(release).into_iter();
        let images = release.flat_map(|release| {
            let all = DexService::ALL.into_iter();
            all.map(move |service| release.build(service).image())
        });
        images.collect()
    }

    fn versions(&self, release: &str) -> BTreeMap<String, String> {
        versions(release)
    }

    fn new_config(&self, scenario: &Scenario) -> BTreeMap<(String, String), String> {
        let named = |name: &str| Release::by_name(name);
        let (Some(from), Some(to)) = (named(&scenario.release.from), named(&scenario.release.to))
        else {
            return BTreeMap::new();
        };
        let mut config = BTreeMap::new();
        for (map, pairs) in &to.config {
            let before = from.config.get(map);
            for (key, value) in pairs {
                if before.and_then(|pairs| pairs.get(key)) != Some(value) {
                    config.insert(((*map).to_owned(), (*key).to_owned()), (*value).to_owned());
                }
            }
        }
        config
    }

    async fn set_up(&self, world: &World, scenario: &Scenario) -> Result<(), WorldError> {
        objects::create(world, scenario).await
    }

    fn before_deployment(&self, world: &World) {
        let ledger = world.with(|state| Deployed::of(state.application.database().ledger()));
        *self.deployed.lock().unwrap_or_else(PoisonError::into_inner) = Some(ledger);
    }

    async fn deploy(&self, world: &World, scenario: &Scenario) -> Result<(), String> {
        deployer::deploy(world, scenario).await
    }

    fn begin_fault(
        kind: FaultKind,
        it: &Beginning<'_, SimulatedExchange>,
    ) -> Begun<SimulatedExchange> {
        begin(kind, it)
    }

    fn database(&self, world: &World, origin: &str) -> Arc<dyn Database> {
        database::database(world, origin)
    }

    fn operations(&self) -> &dyn Store<SimulatedExchange> {
        &Ledger
    }

    fn next_look(
        &self,
        scenario: &Scenario,
        evidence: &Evidence,
        _: bool,
        now: Micros,
    ) -> NextLook {
        let watchful_ms = ms(scenario.timing.deploy_at) + WATCHFUL_MS;
        let trigger = evidence.executor.trigger.as_ref();
        let after = match (trigger, evidence.deployed_ms) {
            (Some(trigger), _) if !sound_since(evidence, trigger.at_ms, now) => CLOSE,
            (None, Some(_)) if now.as_millis() < watchful_ms => WATCHFUL,
            _ => CALM,
        };
        NextLook {
            at: now + after,
            // A look that is due only seconds later would date the recovery too late.
            or_at_a_trigger: evidence.deployed_ms.is_some(),
        }
    }

    fn violations(&self, state: &mut WorldState) -> Vec<String> {
        let trades = state.application.take_trades();
        let core = state.application.database().ledger().state();
        let mut violations = dex::invariants::state(core);
        violations.extend(dex::invariants::passed_over(core, &trades));
        violations.iter().map(ToString::to_string).collect()
    }

    fn version(&self, state: &mut WorldState, uid: &str, service: &str) -> Option<String> {
        let now = state.now();
        let process = ProcessId {
            uid,
            container: service,
        };
        let metrics = state.application.get(now, process, "/metrics")?;
        build_version(&metrics.body)
    }

    fn seconds(&self, state: &mut WorldState, scenario: &Scenario, whole: usize) -> Vec<Second> {
        harvest::seconds(state, scenario, whole)
    }

    fn lasting_state(&self, state: &WorldState, out: &mut BTreeMap<String, String>) {
        harvest::lasting_state(state.application.database(), out);
    }

    fn harvest(&self, state: &mut WorldState, scenario: &Scenario, evidence: &mut Evidence) {
        let deployed = self.deployed.lock().unwrap_or_else(PoisonError::into_inner);
        harvest::take(state, scenario, evidence, deployed.as_ref());
    }

    /// A defect may show only after so many orders, so that a release with one has no steady state.
    fn has_a_steady_state(&self, scenario: &Scenario) -> bool {
        Release::by_name(&scenario.release.from).is_some_and(|prior| prior.is_sound())
    }
}

/// Whether every look in the last [`SOUND_MS`] found the ledger sound, all of them after `from_ms`.
fn sound_since(evidence: &Evidence, from_ms: u64, now: Micros) -> bool {
    let since = now.as_millis().saturating_sub(SOUND_MS);
    let mut late = evidence
        .probes
        .iter()
        .rev()
        .take_while(|probe| probe.at_ms >= since);
    since >= from_ms && late.all(|probe| probe.violations.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbooks::LoadedRunbook;
    use crate::scenario;

    #[test]
    fn a_prior_release_that_has_a_defect_has_no_steady_state() {
        let runbook = LoadedRunbook::built_in().expect("valid");
        let found = scenario::find("latency-regression").expect("built in");
        let scenario = Scenario::parse(found.file, found.text, &runbook.triggers());
        let mut scenario = scenario.expect("valid");
        let exchange = Exchange::default();
        assert!(exchange.has_a_steady_state(&scenario));
        scenario.release.from = "1.5.0-slow-path".to_owned();
        assert!(!exchange.has_a_steady_state(&scenario));
    }
}
