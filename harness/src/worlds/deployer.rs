//! The deployer: brings a release into production as a pipeline does. Schema first, then configuration, then images.
//! The same in every world, but for how the schema is migrated.

use std::fmt::Display;
use std::future::Future;

use dex::release::{Release, Service};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::sim::NAMESPACE;
use super::sim::objects::{MIGRATIONS, configuration, migrations};

/// Deploys `to` where `from` runs; what went wrong. `migrate` is awaited if `to` brings migrations, once they are published.
pub(super) async fn deploy(
    client: &kube::Client,
    from: &Release,
    to: &Release,
    migrate: impl Future<Output = Result<(), String>>,
) -> Result<(), String> {
    let maps = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
    let params = PatchParams::default();
    if migrations(to) != migrations(from) {
        let patch = json!({"data": migrations(to)});
        maps.patch(MIGRATIONS, &params, &Patch::Merge(&patch))
            .await
            .map_err(|e| said("publish the migrations", &e))?;
        migrate.await?;
    }
    let before = configuration(from);
    for (name, data) in configuration(to) {
        if before.get(&name) != Some(&data) {
            let patch = json!({"data": data});
            maps.patch(&name, &params, &Patch::Merge(&patch))
                .await
                .map_err(|e| said("configure", &e))?;
        }
    }
    let deployments = Api::<Deployment>::namespaced(client.clone(), NAMESPACE);
    for service in Service::ALL {
        let (old, new) = (from.build(service), to.build(service));
        if old == new {
            continue;
        }
        let name = service.name();
        let patch = json!({
            "metadata": {"annotations": {"kubernetes.io/change-cause": format!("deploy {}", to.name)}},
            "spec": {"template": {"spec": {"containers": [{"name": name, "image": new.image()}]}}},
        });
        deployments
            .patch(name, &params, &Patch::Strategic(&patch))
            .await
            .map_err(|e| said("set the image", &e))?;
    }
    Ok(())
}

/// An error with what was being done.
pub(super) fn said(what: &str, error: &dyn Display) -> String {
    format!("{what}: {error}")
}
