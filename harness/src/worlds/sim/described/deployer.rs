//! What is deployed of the application: its manifests before a drill, and a release over them.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use sim::World;
use sim::time::Micros;
use sim_services::engine::{Services, StoreChange, StoreOp};
use sim_services::manifests::WorkloadKind;

use crate::scenario::Described;
use crate::worlds::WorldError;
use crate::worlds::common::deployer::refused;
use crate::worlds::sim::objects::post;

/// Whose requests they are.
const ORIGIN: &str = "deployer";
/// How often a migration is tried, and what passes between two tries.
const MIGRATE_TRIES: u32 = 30;
const MIGRATE_AGAIN: Micros = Micros::from_secs(1);

/// Kinds of manifests that run pods and are not created.
const LEFT_OUT: [&str; 5] = ["CronJob", "DaemonSet", "Job", "Pod", "ReplicaSet"];

/// Kinds of manifests that say how many pods there may be, and are not applied.
const NOT_APPLIED: [&str; 3] = ["HorizontalPodAutoscaler", "LimitRange", "ResourceQuota"];

/// What of the manifests changes how many pods run and is left out, in sentences for people.
pub(super) fn left_out(app: &Described) -> Vec<String> {
    let named = |kinds: &[&str]| {
        let objects = app.manifests.objects.iter();
        let objects = objects.filter(|it| kinds.contains(&it.kind()));
        let names = objects.map(|it| format!("{} {}", it.kind(), it.name()));
        let names = names.collect::<Vec<_>>().join(", ");
        (!names.is_empty()).then_some(names)
    };
    let runs_pods = named(&LEFT_OUT).map(|names| {
        format!(
            "does not create {names}: of what runs pods, only Deployments and StatefulSets are drilled"
        )
    });
    let bounds_pods = named(&NOT_APPLIED).map(|names| {
        format!(
            "does not apply {names}: each service keeps the replicas of its manifest, and no quota refuses a pod"
        )
    });
    runs_pods.into_iter().chain(bounds_pods).collect()
}

/// Creates everything through the API server, as the release `from` has it, but for [`left_out`] and for what does
/// nothing in the simulated cluster.
pub(super) async fn set_up(
    world: &World<Services>,
    app: &Described,
    from: &str,
) -> Result<(), WorldError> {
    for object in &app.manifests.objects {
        let namespace = object.namespace().unwrap_or(&app.namespace);
        let client = kube::Client::new(world.kube("setup"), namespace);
        let value = object.value.clone();
        match (object.api_version(), object.kind()) {
            ("v1", "ConfigMap") => post::<ConfigMap>(&client, value).await?,
            ("v1", "Secret") => post::<Secret>(&client, value).await?,
            ("v1", "Service") => post::<Service>(&client, value).await?,
            ("apps/v1", "Deployment") => post::<Deployment>(&client, value).await?,
            ("apps/v1", "StatefulSet") => post::<StatefulSet>(&client, value).await?,
            ("policy/v1", "PodDisruptionBudget") => {
                post::<PodDisruptionBudget>(&client, value).await?;
            }
            _ => {}
        }
    }
    if from == app.prior {
        return Ok(());
    }
    let deployed = deploy(world, app, &app.prior, from).await;
    deployed.map_err(WorldError::SetUp)
}

/// Deploys `to` where `from` runs: migrations, configuration, then images. What went wrong.
pub(super) async fn deploy(
    world: &World<Services>,
    app: &Described,
    from: &str,
    to: &str,
) -> Result<(), String> {
    let client = kube::Client::new(world.kube(ORIGIN), &app.namespace);
    let params = PatchParams::default();
    let release = app.releases.get(to);
    for version in release.into_iter().flat_map(|it| &it.migrations) {
        migrate(world, *version).await?;
    }
    for (name, data) in release.into_iter().flat_map(|it| &it.config) {
        let maps = Api::<ConfigMap>::default_namespaced(client.clone());
        let patch = Patch::Merge(json!({ "data": data }));
        let patched = maps.patch(name, &params, &patch).await;
        patched.map_err(|error| refused("configure", &error))?;
    }
    let deployments = Api::<Deployment>::default_namespaced(client.clone());
    let stateful_sets = Api::<StatefulSet>::default_namespaced(client);
    let images = app.images(from).into_iter().zip(app.images(to));
    for (at, (service, (was, image))) in app.services.iter().zip(images).enumerate() {
        let change = release.and_then(|it| it.templates.get(&at));
        if was == image && change.is_none() {
            continue;
        }
        let patch = json!({
            "metadata": {"annotations": {"kubernetes.io/change-cause": format!("deploy {to}")}},
            "spec": {"template": template(&service.container, image, change)},
        });
        let patch = Patch::Strategic(&patch);
        let patched = match service.kind {
            WorkloadKind::Deployment => {
                let patched = deployments.patch(&service.name, &params, &patch).await;
                patched.map(drop)
            }
            WorkloadKind::StatefulSet => {
                let patched = stateful_sets.patch(&service.name, &params, &patch).await;
                patched.map(drop)
            }
        };
        patched.map_err(|error| refused("set the image", &error))?;
    }
    Ok(())
}

/// Migrates the store to that version, as often as it takes while somebody else has it to himself.
async fn migrate(world: &World<Services>, version: u32) -> Result<(), String> {
    let failed = |why: String| format!("migrate the store to version {version}: {why}");
    for _ in 0..MIGRATE_TRIES {
        let op = StoreOp::Change(StoreChange::Migrate(version));
        match world.db(ORIGIN, op).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) if !error.is_transient() => return Err(failed(error.to_string())),
            Ok(Err(_)) | Err(_) => world.sleep(MIGRATE_AGAIN).await,
        }
    }
    Err(failed("the store is busy".to_owned()))
}

/// What a release changes of a pod template, as a strategic merge patch.
fn template(container: &str, image: &str, change: Option<&Value>) -> Value {
    let mut template = change.cloned().unwrap_or_else(|| json!({}));
    let containers = &mut template["spec"]["containers"];
    if !containers.is_array() {
        *containers = json!([]);
    }
    if let Some(containers) = containers.as_array_mut() {
        match containers.iter_mut().find(|it| it["name"] == container) {
            Some(own) => own["image"] = image.into(),
            None => containers.push(json!({"name": container, "image": image})),
        }
    }
    template
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use sim_services::describe::{File, sample};

    use super::{left_out, template};
    use crate::scenario::Described;

    #[test]
    fn what_runs_pods_and_is_not_created_is_told() {
        let mut bundle = sample(1, 1, 200);
        let app = |bundle: &sim_services::describe::Bundle| {
            Described::from(bundle.clone().app().expect("the description is right"))
        };
        assert!(left_out(&app(&bundle)).is_empty());
        bundle.manifests.push(File {
            path: "k8s/agent.yaml".to_owned(),
            text: "\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: sample}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: 'agent:1'}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: agent, namespace: sample}
"
            .to_owned(),
        });
        bundle.manifests.push(File {
            path: "k8s/hpa.yaml".to_owned(),
            text: "\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: s0, namespace: sample}
spec: {minReplicas: 5, maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: s0}}
"
            .to_owned(),
        });
        let said = left_out(&app(&bundle));
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].starts_with("does not create DaemonSet agent:"),
            "{said:?}"
        );
        assert!(
            said[1].starts_with("does not apply HorizontalPodAutoscaler s0:"),
            "{said:?}"
        );
    }

    #[test]
    fn a_release_changes_its_image_and_what_it_says_besides() {
        let plain = template("web", "shop/front:2", None);
        let image = json!([{"name": "web", "image": "shop/front:2"}]);
        assert_eq!(plain, json!({"spec": {"containers": image}}));
        let change = json!({
            "metadata": {"annotations": {"a": "b"}},
            "spec": {"containers": [{"name": "web", "args": ["-v"]}]},
        });
        let changed = template("web", "shop/front:2", Some(&change));
        assert_eq!(changed["metadata"]["annotations"]["a"], "b");
        let container = json!([{"name": "web", "args": ["-v"], "image": "shop/front:2"}]);
        assert_eq!(changed["spec"]["containers"], container);
    }
}
