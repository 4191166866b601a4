//! What a drill needs of an application that a file describes.

use std::collections::BTreeMap;
use std::sync::Arc;

use executor::no_ledger;
use executor::ports::Database;
use sim::World;
use sim::time::Micros;
use sim_services::engine::{Services, ServicesConfig, Stored};

use super::{deployer, fit, store};
use crate::evidence::{Acknowledgements, BookEntry, Evidence, Recoverable, Second};
use crate::scenario::{Described, Scenario};
use crate::worlds::common::described;
use crate::worlds::sim::application::{Bursts, Drilled, Service};
use crate::worlds::{DrillPlan, Until, WorldError};

type WorldState = sim::WorldState<Services>;

impl Drilled for Described {
    type Application = Services;

    const JOB: &str = "applications";

    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn config(&self, scenario: &Scenario) -> ServicesConfig {
        ServicesConfig {
            clients_begin: Micros::from(scenario.timing.clients_begin()),
            slow_after: Micros::from(scenario.expect.p99_max),
            rate_per_s: described::rate_said(self, scenario),
            ..ServicesConfig::new(self.app())
        }
    }

    fn services(&self) -> Vec<Service> {
        let services = self.services.iter().map(|service| Service {
            name: service.name.clone(),
            kind: service.kind,
            app: service.app.clone(),
            container: service.container.clone(),
        });
        services.collect()
    }

    fn images(&self, release: &str) -> Vec<String> {
        let app = self.app();
        let images = app.images(release).into_iter();
        images.map(str::to_owned).collect()
    }

    fn versions(&self, release: &str) -> BTreeMap<String, String> {
        described::versions(self, release)
    }

    fn new_config(&self, scenario: &Scenario) -> BTreeMap<(String, String), String> {
        let release = &scenario.release;
        described::new(self, &release.from, &release.to).config
    }

    fn told_before(&self, plan: &DrillPlan) -> Vec<String> {
        let selects_nothing = plan.runbook.selects_nothing(self);
        let told = described::left_out(self).into_iter();
        told.chain(deployer::not_applied(self))
            .chain(selects_nothing.map(|it| it.to_string()))
            .collect()
    }

    async fn set_up(&self, world: &World<Services>, scenario: &Scenario) -> Result<(), WorldError> {
        deployer::set_up(world, self, &scenario.release.from).await
    }

    fn is_ready(&self, world: &World<Services>) -> Result<(), String> {
        fit::is_ready(world, self)
    }

    async fn deploy(&self, world: &World<Services>, scenario: &Scenario) -> Result<(), String> {
        let release = &scenario.release;
        deployer::deploy(world, self, &release.from, &release.to).await
    }

    fn database(&self, world: &World<Services>, origin: &str) -> Arc<dyn Database> {
        match self.store {
            Some(_) => store::database(world, origin),
            None => no_ledger(),
        }
    }

    fn taken_for_granted(&self, scenario: &Scenario) -> executor::Application {
        described::bounds(scenario)
    }

    /// A drill that may end early ends once it is settled.
    fn ends(&self, until: Until) -> Until {
        match until {
            Until::Duration => Until::Duration,
            Until::Settled | Until::Held => Until::Settled,
        }
    }

    /// Behind the fence no write succeeds: where clients write, nothing has recovered, however few of them write.
    fn violations(&self, state: &mut WorldState) -> Vec<String> {
        let fence = state.application.fence().filter(|_| self.writes());
        let fenced = fence.map(|token| {
            format!("the store is fenced with token {token}, so that no write succeeds")
        });
        fenced.into_iter().collect()
    }

    fn version(&self, state: &mut WorldState, uid: &str, _: &str) -> Option<String> {
        state.application.version(uid).map(str::to_owned)
    }

    /// Whether a process of it has ever been started, even if it has crashed since.
    fn deployed_has_run(&self, state: &mut WorldState, evidence: &Evidence) -> bool {
        let (before, deployed) = (&evidence.versions_before, &evidence.versions_deployed);
        let mut new = deployed
            .iter()
            .filter(|(name, version)| before.get(*name) != Some(version));
        new.any(|(name, version)| state.application.has_run(name, version))
    }

    fn seconds(&self, state: &mut WorldState, _: &Scenario, whole: usize) -> Vec<Second> {
        let now = state.now();
        let seen = state.application.seconds(now).iter().take(whole);
        seen.map(|second| Second {
            answered: second.answered,
            maintenance: 0,
            errors: second.errors,
            slow: second.slow,
        })
        .collect()
    }

    fn lasting_state(&self, state: &WorldState, out: &mut BTreeMap<String, String>) {
        let Some(store) = state.application.store_seen() else {
            return;
        };
        let fence = store
            .fence
            .map_or("down".to_owned(), |token| format!("up, token {token}"));
        out.insert("store/fence".to_owned(), fence);
        for row in store.history {
            let version = row.version.unwrap_or_default();
            out.insert("schema/version".to_owned(), version);
            out.insert(format!("schema/history/{}", row.installed_rank), row.script);
        }
    }

    fn harvest(&self, state: &mut WorldState, _: &Scenario, evidence: &mut Evidence) {
        if evidence.stored.is_none() {
            return;
        }
        let now = state.now();
        let application = &mut state.application;
        evidence.stored = Some(Acknowledgements {
            acknowledged: entries(application.acknowledged(now)),
            present: entries(application.stored(now)),
        });
        // What the store lacks, and the log beside it has.
        evidence.recoverable = Some(Recoverable {
            writes: entries(application.in_the_log_alone(now)),
            ..Recoverable::default()
        });
    }

    /// The memory of no service grows: a process whose memory does has no steady state.
    fn has_a_steady_state(&self, _: &Scenario) -> bool {
        self.services.iter().all(|it| it.full_after.is_none())
    }

    fn bursts(&self) -> Vec<Bursts> {
        let bursts = self.clients.iter().filter_map(|client| client.burst);
        let bursts = bursts.map(|burst| Bursts {
            first_ms: burst.first.as_millis(),
            every_ms: burst.every.map(|every| every.as_millis()),
            lasts_ms: burst.lasts.as_millis(),
        });
        bursts.collect()
    }
}

fn entries(writes: Vec<Stored>) -> Vec<BookEntry> {
    let entry = |it: Stored| BookEntry {
        id: it.id,
        content: it.content,
    };
    writes.into_iter().map(entry).collect()
}
