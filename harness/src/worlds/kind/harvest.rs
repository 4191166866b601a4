//! What is read from the cluster: the lasting state, and every live pod with the build that it says it is.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use super::NAMESPACE;
use super::clock::within;
use super::ledger::Ledger;
use crate::evidence::PodSeen;
use crate::worlds::sim::harvest::pairs;
use crate::worlds::sim::objects::TRADING;
use crate::worlds::sim::probe::build_version;

/// A pod that does not answer within this runs nothing.
const POD_ANSWERS: Duration = Duration::from_secs(3);

fn failed(what: &str) -> impl Fn(kube::Error) -> String + '_ {
    move |error| format!("list {what}: {error}")
}

/// The state that a rollback must bring back, flattened: path to value.
pub(super) async fn lasting_state(
    client: &kube::Client,
    ledger: &Ledger,
) -> Result<BTreeMap<String, String>, String> {
    let all = ListParams::default();
    let mut out = BTreeMap::new();
    let deployments = Api::<Deployment>::namespaced(client.clone(), NAMESPACE);
    for object in deployments
        .list(&all)
        .await
        .map_err(failed("deployments"))?
    {
        let name = object.name_any();
        let spec = json!(object.spec);
        for field in ["template", "replicas", "paused", "strategy"] {
            out.insert(
                format!("deployment/{name}/{field}"),
                spec[field].to_string(),
            );
        }
        let path = format!("deployment/{name}/annotation");
        pairs(&json!(object.metadata.annotations), &path, &mut out);
    }
    let maps = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
    for object in maps.list(&all).await.map_err(failed("configuration"))? {
        let path = format!("configmap/{}", object.name_any());
        pairs(&json!(object.data), &path, &mut out);
    }
    let services = Api::<Service>::namespaced(client.clone(), NAMESPACE);
    for object in services.list(&all).await.map_err(failed("services"))? {
        let path = format!("service/{}/spec", object.name_any());
        out.insert(path, json!(object.spec).to_string());
    }
    let budgets = Api::<PodDisruptionBudget>::namespaced(client.clone(), NAMESPACE);
    for object in budgets.list(&all).await.map_err(failed("budgets"))? {
        let path = format!("budget/{}/spec", object.name_any());
        out.insert(path, json!(object.spec).to_string());
    }
    let leases = Api::<Lease>::namespaced(client.clone(), NAMESPACE);
    for object in leases.list(&all).await.map_err(failed("leases"))? {
        out.insert(format!("lease/{}", object.name_any()), "present".to_owned());
    }
    ledger.lasting(&mut out).await?;
    Ok(out)
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

/// Every pod of the exchange that exists and has not ended, with the build that its process says it is.
pub(super) async fn live_pods(client: &kube::Client) -> Result<Vec<PodSeen>, String> {
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    let list = pods
        .list(&ListParams::default())
        .await
        .map_err(failed("pods"))?;
    let mut seen = Vec::new();
    for pod in list {
        let status = json!(pod.status);
        if matches!(status["phase"].as_str(), Some("Succeeded" | "Failed")) {
            continue;
        }
        let name = pod.name_any();
        let metrics = format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}:8080/proxy/metrics");
        let version = match http::Request::get(metrics).body(Vec::new()) {
            Ok(request) => within(POD_ANSWERS, client.request_text(request))
                .await
                .and_then(Result::ok)
                .and_then(|text| build_version(&text)),
            Err(_) => None,
        };
        seen.push(PodSeen {
            app: pod.labels().get("app").cloned().unwrap_or_default(),
            version,
            ready: is_ready(&status),
            name,
        });
    }
    Ok(seen)
}

fn is_ready(status: &Value) -> bool {
    status["conditions"].as_array().is_some_and(|all| {
        all.iter()
            .any(|c| c["type"] == "Ready" && c["status"] == "True")
    })
}
