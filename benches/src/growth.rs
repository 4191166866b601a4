//! Work that grows in one direction: more requests, pods, services or faults. `tests/growth.rs` counts what it costs,
//! and `benches/growth.rs` times it.

use std::sync::Arc;

use firedrill::scenario::Scenario;
use firedrill::worlds::{DrillPlan, Until};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use sim::application::{Plain, PlainConfig};
use sim::cluster::{Cluster, Timings};
use sim::time::Micros;
use sim::{Limits, World, WorldConfig};

use crate::pattern::ours;

const SEED: u64 = 1;
const NAMESPACE: &str = "apps";
/// Pods that a node has room for, less those of a rollout's surge.
const PODS_PER_NODE: u32 = 80;

/// In which direction the work grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Requests through one gateway and one engine, 200 a second, for as long as it takes.
    Requests,
    /// Requests of a whole drill in which nothing fires at any load, with all that is asked of its evidence.
    RequestsOfADrill,
    /// Pods of one Deployment, which is rolled out twice.
    Pods,
    /// Deployments of three pods with a Service each, all of them rolled out twice.
    Services,
    /// Faults of a drill: each slows requests of the executor down for a while.
    Faults,
}

impl Direction {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Requests,
        Self::RequestsOfADrill,
        Self::Pods,
        Self::Services,
        Self::Faults,
    ];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::RequestsOfADrill => "requests-of-a-drill",
            Self::Pods => "pods",
            Self::Services => "services",
            Self::Faults => "faults",
        }
    }

    /// The direction of that word.
    #[must_use]
    pub fn by_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == word)
    }

    /// Does the work for `count` of them, and says how many events of the world it took; for requests,
    /// how many were sent.
    ///
    /// # Panics
    /// If the work can't be done, so that nothing would be measured.
    #[must_use]
    pub fn work(self, count: u64) -> u64 {
        match self {
            Self::Requests => {
                let mut exchange = ours(count, SEED);
                exchange.clients(Micros::ZERO).sent
            }
            Self::RequestsOfADrill => drill("good-release", |scenario| {
                let seconds = scenario.timing.duration.as_secs();
                scenario.load.rate_per_s = u32::try_from(count / seconds).expect("in range").max(1);
            }),
            Self::Pods => rollouts(1, u32::try_from(count).expect("in range")),
            Self::Services => rollouts(u32::try_from(count).expect("in range"), 3),
            Self::Faults => drill("latency-regression", |scenario| {
                let fault = Scenario::parse("fault", FAULT, &[]).expect("it loads");
                let fault = &fault.faults[0];
                scenario.faults = (0..count).map(|_| fault.clone()).collect();
            }),
        }
    }
}

/// A scenario whose fault is multiplied.
const FAULT: &str = r#"
name = "slowed"
description = "requests of the executor take longer"

[release]
to = "1.5.0-slow-path"

[expect]
trigger = "sla-latency-p99"
path = "application"

[[faults]]
kind = "api-slow"
lasts = "60s"
delay = "20ms"
chance = "33%"
"#;

/// A whole drill of the scenario `name`, changed; how many requests its clients sent.
fn drill(name: &str, change: impl FnOnce(&mut Scenario)) -> u64 {
    let plan = crate::plan(name, SEED);
    let scenario = Scenario::clone(&plan.scenario).with(change);
    let plan = DrillPlan {
        scenario: Arc::new(scenario),
        until: Until::Duration,
        ..plan
    };
    let result = firedrill::drill::run(&plan).expect("the simulated world builds");
    let series = result.time_series.expect("one drill keeps it");
    let seconds = series.seconds.iter();
    let requests = |second: firedrill::evidence::Second| {
        u64::from(second.answered) + u64::from(second.maintenance) + u64::from(second.errors)
    };
    seconds.map(requests).sum()
}

/// Rolls `services` Deployments of `pods` pods each out and over to another image; how many events that took.
fn rollouts(services: u32, pods: u32) -> u64 {
    let limits = Limits {
        until: Micros::from_secs(3_600),
        steps: u64::MAX,
    };
    let nodes = (services * pods).div_ceil(PODS_PER_NODE);
    let config = WorldConfig::<PlainConfig>::default();
    let ended = sim::run(config, SEED, limits, |world: World<Plain>| async move {
        world.with(|state| {
            let namespaces = [NAMESPACE.to_owned()];
            state.cluster = Cluster::with(SEED, &namespaces, Timings::default(), nodes);
        });
        let client = kube::Client::new(world.kube("growth"), NAMESPACE);
        let deployments = Api::<Deployment>::default_namespaced(client.clone());
        let fronts = Api::<Service>::default_namespaced(client);
        let create = PostParams::default();
        for n in 0..services {
            let name = format!("service-{n}");
            let labels = json!({"app": name});
            let probe = json!({"httpGet": {"path": "/readyz", "port": 8_080}});
            let container = json!({"name": "main", "image": "main:1", "readinessProbe": probe});
            let template =
                json!({"metadata": {"labels": labels}, "spec": {"containers": [container]}});
            let spec = json!({"replicas": pods, "selector": {"matchLabels": labels}, "template": template});
            let made = json!({"metadata": {"name": name}, "spec": spec});
            let made = serde_json::from_value(made).expect("a Deployment");
            deployments.create(&create, &made).await?;
            let ports = json!([{"port": 80, "targetPort": 8_080}]);
            let spec = json!({"selector": labels, "ports": ports});
            let front = json!({"metadata": {"name": name}, "spec": spec});
            let front = serde_json::from_value(front).expect("a Service");
            fronts.create(&create, &front).await?;
        }
        for image in ["main:1", "main:2"] {
            let container = json!({"name": "main", "image": image});
            let patch = json!({"spec": {"template": {"spec": {"containers": [container]}}}});
            for n in 0..services {
                let name = format!("service-{n}");
                let patch = Patch::Strategic(&patch);
                deployments
                    .patch(&name, &PatchParams::default(), &patch)
                    .await?;
            }
            let all = ListParams::default();
            while !deployments.list(&all).await?.iter().all(is_rolled_out) {
                world.sleep(Micros::from_secs(1)).await;
            }
        }
        Ok::<u64, kube::Error>(world.with(|state| state.steps()))
    });
    ended
        .expect("the world goes on")
        .expect("the API server answers")
}

/// As `kubectl rollout status` sees it.
fn is_rolled_out(deployment: &Deployment) -> bool {
    let (Some(spec), Some(status)) = (&deployment.spec, &deployment.status) else {
        return false;
    };
    status.observed_generation == deployment.metadata.generation
        && status.updated_replicas == spec.replicas
        && status.replicas == spec.replicas
        && status.available_replicas == spec.replicas
}
