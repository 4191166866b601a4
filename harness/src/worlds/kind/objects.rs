//! The exchange in the cluster: cleared away, deployed as the stable release, and waited for.

use std::time::Duration;

use dex::release::{Release, Service};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service as KubeService};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PropagationPolicy};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::clock::sleep;
use crate::scenario;
use crate::worlds::common::manifests::{self, DATABASE, NAMESPACE, PART_OF};

/// ConfigMaps that the executor made.
const EXECUTORS: [&str; 2] = ["rollback-baseline", "rollback-journal"];
/// How long the exchange may take to go, and to come up.
const PATIENCE_S: u32 = 120;

fn failed(what: &str, error: &kube::Error) -> String {
    format!("{what}: {}", executor::in_words(error))
}

/// Everything that is the exchange's.
fn ours() -> ListParams {
    let (label, value) = PART_OF;
    ListParams::default().labels(&format!("{label}={value}"))
}

/// Removes the exchange and what the executor keeps, and waits until no pod is left.
pub(super) async fn clear(client: &kube::Client) -> Result<(), String> {
    all::<Deployment>(client).await?;
    all::<PodDisruptionBudget>(client).await?;
    all::<KubeService>(client).await?;
    all::<ConfigMap>(client).await?;
    let maps = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
    for name in EXECUTORS {
        gone(maps.delete(name, &DeleteParams::default()).await)?;
    }
    let leases = Api::<Lease>::namespaced(client.clone(), NAMESPACE);
    gone(leases.delete("rollback", &DeleteParams::default()).await)?;
    let secrets = Api::<Secret>::namespaced(client.clone(), NAMESPACE);
    gone(secrets.delete(DATABASE, &DeleteParams::default()).await)?;
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    let ours = ours();
    for _ in 0..PATIENCE_S * 2 {
        let left = pods
            .list(&ours)
            .await
            .map_err(|error| failed("list pods", &error))?;
        if left.items.is_empty() {
            return Ok(());
        }
        for pod in &left.items {
            // Nothing that it does matters any more.
            gone(
                pods.delete(&pod.name_any(), &DeleteParams::default().grace_period(0))
                    .await,
            )?;
        }
        sleep(Duration::from_millis(500)).await;
    }
    Err("the last exchange's pods do not go".to_owned())
}

/// Deletes all objects of a kind that are the exchange's.
async fn all<K>(client: &kube::Client) -> Result<(), String>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let api = Api::<K>::namespaced(client.clone(), NAMESPACE);
    let what = format!("delete {}", K::plural(&()));
    let list = api
        .list(&ours())
        .await
        .map_err(|error| failed(&what, &error))?;
    let params = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    };
    for object in &list.items {
        gone(api.delete(&object.name_any(), &params).await)?;
    }
    Ok(())
}

/// A deletion that found nothing is one that is done.
pub(super) fn gone<T>(deleted: Result<T, kube::Error>) -> Result<(), String> {
    match deleted {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(failed("delete", &error)),
    }
}

/// Deploys `release` from nothing, with `deployments` as a scenario wants them;
/// `database` is the ledger's URL as pods reach it.
pub(super) async fn create(
    client: &kube::Client,
    release: &Release,
    deployments: &[scenario::Deployment],
    database: &str,
) -> Result<(), String> {
    apply::<Secret>(
        client,
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": DATABASE, "labels": {(PART_OF.0): PART_OF.1}},
            "stringData": {"url": database},
        }),
    )
    .await?;
    for object in manifests::objects(release, deployments) {
        match object["kind"].as_str() {
            Some("ConfigMap") => apply::<ConfigMap>(client, object).await?,
            Some("Service") => apply::<KubeService>(client, object).await?,
            Some("Deployment") => apply::<Deployment>(client, object).await?,
            Some("PodDisruptionBudget") => apply::<PodDisruptionBudget>(client, object).await?,
            other => return Err(format!("a manifest of kind {other:?} is not expected")),
        }
    }
    Ok(())
}

async fn apply<K>(client: &kube::Client, object: Value) -> Result<(), String>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let name = object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    Api::<K>::namespaced(client.clone(), NAMESPACE)
        .patch(
            &name,
            &PatchParams::apply("firedrill").force(),
            &Patch::Apply(&object),
        )
        .await
        .map(drop)
        .map_err(|error| failed(&format!("apply {} {name}", K::kind(&())), &error))
}

/// Waits until every Deployment is rolled out; not for an image that can't be had.
pub(super) async fn ready(client: &kube::Client) -> Result<(), String> {
    let api = Api::<Deployment>::namespaced(client.clone(), NAMESPACE);
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    let mut waiting = String::new();
    for _ in 0..PATIENCE_S * 2 {
        waiting.clear();
        for service in Service::ALL {
            let deployment = api
                .get(service.name())
                .await
                .map_err(|error| failed(service.name(), &error))?;
            if !is_rolled_out(&deployment) {
                waiting.push_str(service.name());
                waiting.push(' ');
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        let list = pods.list(&ours()).await;
        let list = list.map_err(|error| failed("list pods", &error))?;
        if let Some(complaint) = list.items.iter().find_map(without_image) {
            return Err(format!(
                "{complaint}; `cargo xtask images dex` builds the exchange's images and loads them"
            ));
        }
        sleep(Duration::from_millis(500)).await;
    }
    Err(format!(
        "not rolled out within {PATIENCE_S} s: {}",
        waiting.trim()
    ))
}

/// What is wrong with a pod whose image is not there (`pkg/kubelet/images/types.go` has the reasons).
pub(super) fn without_image(pod: &Pod) -> Option<String> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    containers.iter().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref()?;
        matches!(
            reason,
            "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull"
        )
        .then(|| format!("{}: image {}: {reason}", pod.name_any(), container.image))
    })
}

/// As `kubectl rollout status` decides it (`DeploymentStatusViewer` in kubectl's `rollout_status.go`).
pub(super) fn is_rolled_out(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    let Some(status) = &deployment.status else {
        return false;
    };
    status.observed_generation == deployment.metadata.generation
        && status.updated_replicas == wanted
        && status.replicas == wanted
        && status.available_replicas == wanted
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    use super::without_image;

    #[test]
    fn a_pod_without_its_image_says_which_one_it_lacks() {
        let pod = |state: serde_json::Value| -> Pod {
            serde_json::from_value(json!({
                "metadata": {"name": "gateway-1"},
                "status": {"containerStatuses": [{
                    "name": "gateway", "image": "dex/gateway:1.4.2", "imageID": "", "ready": false,
                    "restartCount": 0, "state": state,
                }]},
            }))
            .expect("a pod")
        };
        let gone = pod(json!({"waiting": {"reason": "ImagePullBackOff"}}));
        let complaint = without_image(&gone).expect("its image is gone");
        for part in ["gateway-1", "dex/gateway:1.4.2", "ImagePullBackOff"] {
            assert!(complaint.contains(part), "{complaint}");
        }
        let coming = pod(json!({"waiting": {"reason": "ContainerCreating"}}));
        assert_eq!(without_image(&coming), None);
        assert_eq!(without_image(&pod(json!({"running": {}}))), None);
    }
}
