//! What a drill asks for of the shop beside what runs in its pods: releases, manifests, and what its clients saw.

use firedrill::evidence::Second;
use firedrill::scenario::{InRust, Scenario, Subject};
use firedrill::worlds::WorldError;
use firedrill::worlds::sim::{Drilled, Service, post};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use sim::time::Micros;
use sim::{World, WorldState};

use crate::app::{BAD, Clients, NAMESPACE, Shop};

/// Whoever is depended on comes first, and how many pods each has.
const SERVICES: [(&str, u32); 2] = [("stock", 2), ("front", 3)];
/// The release that runs at first.
const GOOD: &str = "1.0.0";

/// What scenarios and oracles know of the shop.
pub(crate) fn subject() -> Subject {
    let app = InRust {
        name: NAMESPACE.to_owned(),
        releases: [GOOD, BAD].map(str::to_owned).to_vec(),
        services: SERVICES.map(|(name, _)| name.to_owned()).to_vec(),
    };
    app.into()
}

/// The shop, as it is drilled.
pub(crate) struct OnlineShop;

impl Drilled for OnlineShop {
    type Application = Shop;

    const JOB: &str = "applications";

    fn namespace(&self) -> &str {
        NAMESPACE
    }

    fn config(&self, scenario: &Scenario) -> Clients {
        Clients {
            begin: Micros::from_secs(10),
            gap_us: 1_000_000 / u64::from(scenario.load.rate_per_s),
        }
    }

    fn services(&self) -> Vec<Service> {
        SERVICES.map(|(name, _)| Service::named(name)).to_vec()
    }

    /// A release is one of `front`.
    fn images(&self, release: &str) -> Vec<String> {
        let image = |name| match name {
            "front" => format!("shop/front:{release}"),
            _ => format!("shop/{name}:{GOOD}"),
        };
        SERVICES.map(|(name, _)| image(name)).to_vec()
    }

    async fn set_up(&self, world: &World<Shop>, scenario: &Scenario) -> Result<(), WorldError> {
        let client = Client::new(world.kube("setup"), NAMESPACE);
        let images = self.images(&scenario.release.from);
        for ((name, replicas), image) in SERVICES.into_iter().zip(images) {
            let labels = json!({"app": name});
            let container = json!({
                "name": name,
                "image": image,
                "ports": [{"containerPort": 8080}],
                "readinessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1},
            });
            let deployment = json!({
                "metadata": {"name": name},
                "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
                    "metadata": {"labels": labels}, "spec": {"containers": [container]}}},
            });
            let service = json!({
                "metadata": {"name": name},
                "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
            });
            post::<Deployment>(&client, deployment).await?;
            post::<v1::Service>(&client, service).await?;
        }
        Ok(())
    }

    async fn deploy(&self, world: &World<Shop>, scenario: &Scenario) -> Result<(), String> {
        let client = Client::new(world.kube("deployer"), NAMESPACE);
        let container =
            json!({"name": "front", "image": format!("shop/front:{}", scenario.release.to)});
        let patch = json!({"spec": {"template": {"spec": {"containers": [container]}}}});
        let deployments = Api::<Deployment>::default_namespaced(client);
        let params = PatchParams::default();
        let patched = deployments
            .patch("front", &params, &Patch::Strategic(patch))
            .await;
        patched.map(drop).map_err(|error| error.to_string())
    }

    fn version(&self, state: &mut WorldState<Shop>, uid: &str, _: &str) -> Option<String> {
        state.application.version(uid)
    }

    fn seconds(&self, state: &mut WorldState<Shop>, _: &Scenario, whole: usize) -> Vec<Second> {
        let now = state.now();
        let seen = state.application.seconds(now).iter();
        seen.take(whole).copied().collect()
    }
}
