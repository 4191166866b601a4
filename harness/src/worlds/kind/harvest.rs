//! What is read from the cluster: the lasting state, and every live pod with the build that it says it is.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use super::clock::within;
use super::ledger::LedgerServer;
use crate::evidence::PodSeen;
use crate::worlds::common::manifests::{APP, NAMESPACE, TRADING};
use crate::worlds::common::{build_version, pairs};

/// A pod that does not answer within this runs nothing.
const POD_ANSWERS: Duration = Duration::from_secs(3);

fn failed(what: &str) -> impl Fn(kube::Error) -> String + '_ {
    move |error| format!("list {what}: {}", executor::in_words(&error))
}

/// The state that a rollback must bring back, flattened: path to value.
pub(super) async fn lasting_state(
    client: &kube::Client,
    ledger: &LedgerServer,
) -> Result<BTreeMap<String, String>, String> {
    let mut out = state_of(client, NAMESPACE).await?;
    ledger.lasting(&mut out).await?;
    Ok(out)
}

/// The same of `namespace` alone.
pub(super) async fn state_of(
    client: &kube::Client,
    namespace: &str,
) -> Result<BTreeMap<String, String>, String> {
    let all = ListParams::default();
    let mut out = BTreeMap::new();
    let deployments = Api::<Deployment>::namespaced(client.clone(), namespace);
    for object in deployments
        .list(&all)
        .await
        .map_err(failed("deployments"))?
    {
        let spec = json!(object.spec);
        let strategy = &spec["strategy"];
        workload("deployment", &object.metadata, &spec, strategy, &mut out);
    }
    let stateful_sets = Api::<StatefulSet>::namespaced(client.clone(), namespace);
    for mut object in stateful_sets
        .list(&all)
        .await
        .map_err(failed("stateful sets"))?
    {
        // An undo of a StatefulSet brings no annotation back, and this one only says what was deployed last.
        object
            .annotations_mut()
            .remove("kubernetes.io/change-cause");
        let spec = json!(object.spec);
        let strategy = &spec["updateStrategy"];
        workload("statefulset", &object.metadata, &spec, strategy, &mut out);
    }
    let maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    for object in maps.list(&all).await.map_err(failed("configuration"))? {
        let path = format!("configmap/{}", object.name_any());
        pairs(&json!(object.data), &path, &mut out);
    }
    let services = Api::<Service>::namespaced(client.clone(), namespace);
    for object in services.list(&all).await.map_err(failed("services"))? {
        let path = format!("service/{}/spec", object.name_any());
        out.insert(path, json!(object.spec).to_string());
    }
    let budgets = Api::<PodDisruptionBudget>::namespaced(client.clone(), namespace);
    for object in budgets.list(&all).await.map_err(failed("budgets"))? {
        let path = format!("budget/{}/spec", object.name_any());
        out.insert(path, json!(object.spec).to_string());
    }
    let leases = Api::<Lease>::namespaced(client.clone(), namespace);
    for object in leases.list(&all).await.map_err(failed("leases"))? {
        out.insert(format!("lease/{}", object.name_any()), "present".to_owned());
    }
    Ok(out)
}

/// What of a workload must come back.
fn workload(
    word: &str,
    metadata: &ObjectMeta,
    spec: &Value,
    strategy: &Value,
    out: &mut BTreeMap<String, String>,
) {
    let name = metadata.name.as_deref().unwrap_or_default();
    let fields = ["template", "replicas", "paused"];
    let fields = fields.map(|field| (field, &spec[field]));
    for (field, value) in fields.into_iter().chain([("strategy", strategy)]) {
        out.insert(format!("{word}/{name}/{field}"), value.to_string());
    }
    let path = format!("{word}/{name}/annotation");
    pairs(&json!(metadata.annotations), &path, out);
}

/// The halt flag.
pub(super) async fn flag(client: &kube::Client) -> Result<Option<String>, String> {
    let maps = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
    let map = maps
        .get_opt(TRADING)
        .await
        .map_err(failed("the halt flag"))?;
    Ok(map.and_then(|map| map.data?.remove("mode")))
}

/// Every pod of the exchange that exists and has not ended, with the build that its process says it is. One that can't
/// be asked counts as one that runs nothing: for looks while the drill runs, each of which another one follows.
pub(super) async fn live_pods(client: &kube::Client) -> Result<Vec<PodSeen>, String> {
    Ok(pods_and_trouble(client).await?.0)
}

/// The same at the end, when there is no other look.
///
/// # Errors
/// Some could not be asked, which says nothing of what they run.
pub(super) async fn last_pods(client: &kube::Client) -> Result<Vec<PodSeen>, String> {
    match pods_and_trouble(client).await? {
        (pods, None) => Ok(pods),
        (_, Some(why)) => Err(why),
    }
}

/// The live pods, and why the first of those that could not be asked was not.
async fn pods_and_trouble(client: &kube::Client) -> Result<(Vec<PodSeen>, Option<String>), String> {
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    let list = pods
        .list(&ListParams::default())
        .await
        .map_err(failed("pods"))?;
    let mut seen = Vec::new();
    let mut trouble = None;
    for pod in list {
        let status = json!(pod.status);
        if matches!(status["phase"].as_str(), Some("Succeeded" | "Failed")) {
            continue;
        }
        let name = pod.name_any();
        let ready = is_ready(&status);
        // A pod that names no port serves nothing.
        let mut version = None;
        if let Some(port) = port(&pod) {
            let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}:{port}/proxy/metrics");
            let request = http::Request::get(path)
                .body(Vec::new())
                .map_err(|error| format!("ask {name}: {error}"))?;
            let answer = within(POD_ANSWERS, client.request_text(request)).await;
            version = runs(&name, ready, answer).unwrap_or_else(|why| {
                trouble.get_or_insert(why);
                None
            });
        }
        seen.push(PodSeen {
            app: pod.labels().get(APP).cloned().unwrap_or_default(),
            version,
            ready,
            name,
        });
    }
    Ok((seen, trouble))
}

/// The first port that a container of the pod names.
fn port(pod: &Pod) -> Option<i32> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let mut ports = containers.flat_map(|container| container.ports.iter().flatten());
    ports.next().map(|port| port.container_port)
}

/// The version that a pod runs, as its `answer` says; `None`: nothing.
///
/// # Errors
/// It could not be asked, which says nothing of what it runs: the request never came to the API server or back, or a
/// pod that is ready did not answer in time.
fn runs(
    name: &str,
    is_ready: bool,
    answer: Option<Result<String, kube::Error>>,
) -> Result<Option<String>, String> {
    match answer {
        Some(Ok(text)) => Ok(build_version(&text)),
        // The API server says that nothing answers there.
        Some(Err(kube::Error::Api(_))) => Ok(None),
        Some(Err(error)) => Err(format!("ask {name}: {error}")),
        None if is_ready => Err(format!("{name} is ready and did not answer")),
        None => Ok(None),
    }
}

pub(super) fn is_ready(status: &Value) -> bool {
    status["conditions"].as_array().is_some_and(|all| {
        all.iter()
            .any(|c| c["type"] == "Ready" && c["status"] == "True")
    })
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::runs;

    #[test]
    fn a_pod_that_could_not_be_asked_is_not_one_that_runs_nothing() {
        let refused = || {
            kube::Error::Api(Box::new(Status::failure(
                "no endpoint",
                "ServiceUnavailable",
            )))
        };
        let lost = || kube::Error::Service("connection refused".into());
        let text = r#"dex_build_info{service="risk",version="1.4.2"} 1"#;
        assert_eq!(
            runs("risk-0", true, Some(Ok(text.to_owned()))),
            Ok(Some("1.4.2".to_owned()))
        );
        assert_eq!(runs("risk-0", true, Some(Err(refused()))), Ok(None));
        assert!(runs("risk-0", true, Some(Err(lost()))).is_err());
        assert!(runs("risk-0", true, None).is_err());
        assert_eq!(runs("risk-0", false, None), Ok(None));
    }
}
