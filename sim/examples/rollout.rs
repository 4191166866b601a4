//! Rolls a Deployment out and back with `kube::Client`, against a simulated cluster: `cargo run -p sim --example rollout`.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;
use sim::application::{Plain, PlainConfig};
use sim::{Limits, World, WorldConfig};

fn main() {
    let config = WorldConfig::<PlainConfig>::default();
    let ended = sim::run(
        config,
        7,
        Limits::default(),
        |world: World<Plain>| async move {
            let client = kube::Client::new(world.kube("example"), "apps");
            let deployments = Api::<Deployment>::default_namespaced(client);
            let labels = json!({"app": "front"});
            let made = serde_json::from_value(json!({
            "metadata": {"name": "front"},
            "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "front", "image": "front:1"}]}}}}))?;
            deployments.create(&PostParams::default(), &made).await?;
            for image in ["front:1", "front:2", "front:1"] {
                let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "front", "image": image}]}}}});
                let params = PatchParams::default();
                deployments
                    .patch("front", &params, &Patch::Strategic(patch))
                    .await?;
                while !is_rolled_out(&deployments.get("front").await?) {
                    world.sleep(sim::time::Micros::from_millis(100)).await;
                }
                println!("{image} at {}", world.now());
            }
            Ok::<(), Box<dyn std::error::Error>>(())
        },
    );
    ended
        .expect("the world goes on")
        .expect("the API server answers");
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
