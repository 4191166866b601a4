//! Rolls a Deployment out and back with `kube::Client`, against a simulated cluster:
//! `cargo run -p sim --example rollout`.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, Patch, PatchParams, PostParams};
use sim::alone::{deployment, is_rolled_out, run};
use sim::time::Micros;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    run(7, |world| async move {
        let client = kube::Client::new(world.kube("example"), "apps");
        let deployments = Api::<Deployment>::default_namespaced(client);
        let front = deployment("front", "front:1", 3);
        deployments.create(&PostParams::default(), &front).await?;
        for image in ["front:1", "front:2", "front:1"] {
            let patch = Patch::Merge(deployment("front", image, 3));
            let params = PatchParams::default();
            deployments.patch("front", &params, &patch).await?;
            while !is_rolled_out(&deployments.get("front").await?) {
                world.sleep(Micros::from_millis(100)).await;
            }
            println!("{image} at {}", world.now());
        }
        Ok(())
    })?
}
