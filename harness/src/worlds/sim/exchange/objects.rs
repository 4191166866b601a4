//! What is in the cluster before the drill: the exchange as the stable release deploys it.

use dex::release::Release;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service as KubeService};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde_json::json;
use sim::cluster::ImageState;
use sim_exchange::World;

use crate::scenario::Scenario;
use crate::worlds::WorldError;
use crate::worlds::common::manifests::{self, NAMESPACE};
use crate::worlds::sim::post::post;

/// Creates everything through the API server.
pub(super) async fn create(world: &World, scenario: &Scenario) -> Result<(), WorldError> {
    let release = Release::by_name(&scenario.release.from)
        .ok_or_else(|| WorldError::SetUp(format!("unknown release {}", scenario.release.from)))?;
    let schema = world.with(|state| {
        for image in unpublished(scenario) {
            state.cluster.set_image(&image, ImageState::Missing);
        }
        state.application.set_up_schema(&release.migrations())
    });
    schema.map_err(|error| WorldError::SetUp(format!("cannot migrate the ledger: {error}")))?;
    let client = kube::Client::new(world.kube("setup"), NAMESPACE);
    // The manifests refer to it, and whoever deploys makes it.
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": manifests::DATABASE},
        "stringData": {"url": "postgres://dex@ledger:5432/ledger"},
    });
    post::<Secret>(&client, secret).await?;
    for object in manifests::objects(&release, &scenario.deployments) {
        match object["kind"].as_str() {
            Some("ConfigMap") => post::<ConfigMap>(&client, object).await?,
            Some("Service") => post::<KubeService>(&client, object).await?,
            Some("Deployment") => post::<Deployment>(&client, object).await?,
            Some("PodDisruptionBudget") => post::<PodDisruptionBudget>(&client, object).await?,
            other => {
                let what = format!("a manifest of kind {other:?} is not expected");
                return Err(WorldError::SetUp(what));
            }
        }
    }
    Ok(())
}

/// Images of the scenario's releases that nobody can pull.
fn unpublished(scenario: &Scenario) -> Vec<String> {
    let names = [&scenario.release.from, &scenario.release.to];
    let releases = names.into_iter().filter_map(|name| Release::by_name(name));
    let images = releases.flat_map(|release| {
        let lacks = release.unpublished.iter();
        let images = lacks.map(|service| release.build(*service).image());
        images.collect::<Vec<_>>()
    });
    images.collect()
}
