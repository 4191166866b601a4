//! The deployer: brings a release into production as a pipeline does. Schema first, then configuration, then images.
//! The same in every world, but for how the schema is migrated.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;

use dex::release::{Release, Service};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use super::manifests::{MIGRATIONS, NAMESPACE, configuration, migrations};
use super::template;

/// Deploys `to` where `from` runs; what went wrong. `migrate` is awaited if `to` brings migrations,
/// once they are published.
pub(in crate::worlds) async fn deploy(
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
            .map_err(|e| refused("publish the migrations", &e))?;
        migrate.await?;
    }
    let before = configuration(from);
    for (name, data) in configuration(to) {
        let was = before.get(&name);
        if was != Some(&data) {
            // Keys that the new release has no more are removed.
            let gone = was.into_iter().flat_map(BTreeMap::keys);
            let gone = gone.filter(|key| !data.contains_key(*key));
            let mut keys: BTreeMap<&String, Value> = gone.map(|key| (key, Value::Null)).collect();
            keys.extend(data.iter().map(|(key, value)| (key, json!(value))));
            let patch = json!({"data": keys});
            maps.patch(&name, &params, &Patch::Merge(&patch))
                .await
                .map_err(|e| refused("configure", &e))?;
        }
    }
    let deployments = Api::<Deployment>::namespaced(client.clone(), NAMESPACE);
    for service in Service::ALL {
        if !template::differs(service, from, to) {
            continue;
        }
        let name = service.name();
        if from.template(service).next().is_some() {
            return Err(format!(
                "{}: a release that changes pod templates can only be deployed, not be deployed over",
                from.name
            ));
        }
        let mut changed = Value::Null;
        template::change(&mut changed, service, to);
        let patch = json!({
            "metadata": {"annotations": {"kubernetes.io/change-cause": format!("deploy {}", to.name)}},
            "spec": {"template": changed},
        });
        deployments
            .patch(name, &params, &Patch::Strategic(&patch))
            .await
            .map_err(|e| refused("set the image", &e))?;
    }
    Ok(())
}

/// What the API server said to what was being done, in words.
pub(in crate::worlds) fn refused(what: &str, error: &kube::Error) -> String {
    said(what, &executor::in_words(error))
}

/// An error with what was being done.
pub(in crate::worlds) fn said(what: &str, error: &dyn Display) -> String {
    format!("{what}: {error}")
}
