//! What a drill in the simulated world needs of the application that it drills.
//!
//! The world itself needs a [`sim::Application`]: processes, clients, samples, logs, a data store. A drill needs more:
//! what is deployed before it and what is deployed in it, what faults can be aimed at, how an executor reaches the data
//! store, how often the application is looked at and what is seen then, and the evidence that only the application can
//! give. The exchange and the applications that files describe implement this trait, and everything else that happens
//! in a drill is the same for all of them.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use contract::image;
use executor::no_ledger;
use executor::ports::Database;
use sim::time::Micros;
use sim::{Application, World, WorldState};
use sim_serve::store::{Closed, Store};
use sim_services::manifests::WorkloadKind;

use super::faults::{Beginning, Begun, begin_anywhere};
use super::harvest;
use crate::evidence::{Evidence, Ms, Second};
use crate::scenario::{FaultKind, Scenario};
use crate::worlds::{DrillPlan, Until, WorldError};

/// Between two looks before the deployment, and once the executor has ended.
const CALM: Micros = Micros::from_secs(10);
/// From the deployment until the executor has ended: what the bad release's pods write must be known when they go.
const CLOSE: Micros = Micros::from_secs(1);

/// A Deployment or a StatefulSet of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The name of the workload, by which the executor and its runbook go.
    pub name: String,
    /// Of which kind the workload is.
    pub kind: WorkloadKind,
    /// The label `app` of its series.
    pub app: String,
    /// The container whose image a release changes.
    pub container: String,
}

impl Service {
    /// A Deployment whose pods and container have its name, too.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: WorkloadKind::Deployment,
            app: name.to_owned(),
            container: name.to_owned(),
        }
    }
}

/// When the application is looked at next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextLook {
    /// The instant.
    pub at: Micros,
    /// Whether it is looked at sooner if a trigger fires before that instant: what is seen from then on dates the
    /// recovery.
    pub or_at_a_trigger: bool,
}

/// Times at which clients send at another rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bursts {
    /// When the first begins, in milliseconds since the drill began.
    pub first_ms: Ms,
    /// From the beginning of one to that of the next, in milliseconds; `None`: there is one.
    pub every_ms: Option<Ms>,
    /// How long each lasts, in milliseconds.
    pub lasts_ms: Ms,
}

/// An application that can be drilled in the simulated world.
///
/// What has a default is what an application without a data store needs, whose pods have one container each that is
/// named after its Deployment.
pub trait Drilled: Sync {
    /// What runs in the pods.
    type Application: Application;

    /// Events of the world after which a drill is taken for a livelock.
    const EVENTS_MAX: u64 = 50_000_000;

    /// The job that Prometheus scrapes its pods under: the `job_name` that `deploy/prometheus.yaml` has for it.
    const JOB: &str;

    /// The namespace that it is deployed in.
    fn namespace(&self) -> &str;

    /// How its processes and its clients are set up for a drill of `scenario`.
    fn config(&self, scenario: &Scenario) -> <Self::Application as Application>::Config;

    /// Its Deployments and StatefulSets.
    fn services(&self) -> Vec<Service>;

    /// The image that `release` has of each of [`Self::services`], in the same order; none if there is no such release.
    fn images(&self, release: &str) -> Vec<String>;

    /// The version that `release` has of each service, by its name: the tag of its image.
    fn versions(&self, release: &str) -> BTreeMap<String, String> {
        let names = self.services().into_iter().map(|service| service.name);
        let images = self.images(release).into_iter();
        names
            .zip(images.map(|image| image::version(&image).to_owned()))
            .collect()
    }

    /// What the deployed release changes of ConfigMaps, by name and key: it shows that a release is in place that
    /// changes no image.
    fn new_config(&self, scenario: &Scenario) -> BTreeMap<(String, String), String> {
        let _ = scenario;
        BTreeMap::new()
    }

    /// What of it is not drilled, and what else people must know before a drill, in sentences for the timeline.
    fn told_before(&self, plan: &DrillPlan) -> Vec<String> {
        let _ = plan;
        Vec::new()
    }

    /// Creates what is in the cluster before the drill, as the prior release has it.
    ///
    /// # Errors
    /// [`WorldError::SetUp`]: what can't be created, and why.
    fn set_up(
        &self,
        world: &World<Self::Application>,
        scenario: &Scenario,
    ) -> impl Future<Output = Result<(), WorldError>>;

    /// Whether it runs as it should when the warm-up is over, so that something can be deployed.
    ///
    /// # Errors
    /// What does not run, why, and what to do about it.
    fn is_ready(&self, world: &World<Self::Application>) -> Result<(), String> {
        let _ = world;
        Ok(())
    }

    /// The release is about to be deployed: the last instant at which nobody but the prior release has written its
    /// data.
    fn before_deployment(&self, world: &World<Self::Application>) {
        let _ = world;
    }

    /// Deploys the release of `scenario` where its prior release runs, as people do.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn deploy(
        &self,
        world: &World<Self::Application>,
        scenario: &Scenario,
    ) -> impl Future<Output = Result<(), String>>;

    /// Begins a fault of that kind. The default begins those that affect any application, and makes the drill void for
    /// those of the exchange alone.
    fn begin_fault(
        kind: FaultKind,
        it: &Beginning<'_, Self::Application>,
    ) -> Begun<Self::Application> {
        begin_anywhere(kind, it)
    }

    /// Its data store, as an executor on host `origin` reaches it.
    fn database(&self, world: &World<Self::Application>, origin: &str) -> Arc<dyn Database> {
        let _ = (world, origin);
        no_ledger()
    }

    /// Its data store, as a program outside reaches it.
    fn operations(&self) -> &dyn Store<Self::Application> {
        &Closed
    }

    /// What our own executor takes for granted of it.
    fn taken_for_granted(&self, scenario: &Scenario) -> executor::Application {
        let _ = scenario;
        executor::Application::default()
    }

    /// When a drill of it ends that was asked to end so.
    fn ends(&self, until: Until) -> Until {
        until
    }

    /// When it is looked at after the look at `now`, by what is known of the drill; the first time at the drill's
    /// beginning. `acts_over` says whether every executor and the deployer are done.
    fn next_look(
        &self,
        scenario: &Scenario,
        evidence: &Evidence,
        acts_over: bool,
        now: Micros,
    ) -> NextLook {
        let deployed = evidence.deployed_ms.is_some();
        let close = deployed && !acts_over;
        let next = now + if close { CLOSE } else { CALM };
        // The deployment must not fall between two looks that are far from each other.
        let deploys = Micros::from(scenario.timing.deploy_at) + CLOSE;
        NextLook {
            at: if deployed || deploys <= now {
                next
            } else {
                next.min(deploys)
            },
            or_at_a_trigger: false,
        }
    }

    /// What of its data is not as it must be at a look, in words.
    fn violations(&self, state: &mut WorldState<Self::Application>) -> Vec<String> {
        let _ = state;
        Vec::new()
    }

    /// The version that the process in a pod of that service says it is of; `None`: it does not run.
    fn version(
        &self,
        state: &mut WorldState<Self::Application>,
        uid: &str,
        service: &str,
    ) -> Option<String>;

    /// Whether a process of the deployed release has run until now, as far as `evidence` says what that release is.
    fn deployed_has_run(
        &self,
        state: &mut WorldState<Self::Application>,
        evidence: &Evidence,
    ) -> bool
    where
        Self: Sized,
    {
        let pods = harvest::pods(self, state);
        pods.iter().any(|(_, pod)| evidence.runs_deployed(pod))
    }

    /// What its clients saw in the first `whole` seconds of the drill; fewer if they learned nothing in the last ones.
    fn seconds(
        &self,
        state: &mut WorldState<Self::Application>,
        scenario: &Scenario,
        whole: usize,
    ) -> Vec<Second>;

    /// Adds what of its own a rollback must bring back, beside what the cluster holds: path to value.
    fn lasting_state(
        &self,
        state: &WorldState<Self::Application>,
        out: &mut BTreeMap<String, String>,
    ) {
        let _ = (state, out);
    }

    /// Fills in what only it knows at the end of the drill.
    fn harvest(
        &self,
        state: &mut WorldState<Self::Application>,
        scenario: &Scenario,
        evidence: &mut Evidence,
    ) {
        let _ = (state, scenario, evidence);
    }

    /// Whether the release that a rollback brings back stays as it is while it runs.
    fn has_a_steady_state(&self, scenario: &Scenario) -> bool {
        let _ = scenario;
        true
    }

    /// The bursts of its clients beside those that the scenario says.
    fn bursts(&self) -> Vec<Bursts> {
        Vec::new()
    }
}
