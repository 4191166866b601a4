//! What is in the cluster before the drill: the exchange as the stable release deploys it.

use std::collections::BTreeMap;

use dex::release::{Release, Service};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service as KubeService};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, PostParams};
use serde::de::DeserializeOwned;
use serde_json::json;
use sim::world::World;

use super::NAMESPACE;
use crate::scenario::Scenario;
use crate::worlds::WorldError;

/// Name of the ConfigMap with the halt flag.
pub(crate) const TRADING: &str = "dex-trading";
/// Name of the ConfigMap with the files of migrations.
pub(crate) const MIGRATIONS: &str = "dex-migrations";

/// Creates everything through the API server.
pub(super) async fn create(world: &World, scenario: &Scenario) -> Result<(), WorldError> {
    let release = Release::by_name(&scenario.release.from)
        .ok_or_else(|| WorldError::SetUp(format!("unknown release {}", scenario.release.from)))?;
    let client = kube::Client::new(world.kube("setup"), NAMESPACE);
    let mut maps: Vec<(String, BTreeMap<String, String>)> = vec![
        (
            TRADING.to_owned(),
            [("mode".to_owned(), "open".to_owned())].into(),
        ),
        (MIGRATIONS.to_owned(), migrations(&release)),
    ];
    maps.extend(configuration(&release));
    let api = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
    for (name, data) in maps {
        post(
            &api,
            json!({"metadata": {"name": name, "labels": labels(None)}, "data": data}),
        )
        .await?;
    }
    let services = Api::<KubeService>::namespaced(client.clone(), NAMESPACE);
    let deployments = Api::<Deployment>::namespaced(client.clone(), NAMESPACE);
    for service in Service::ALL {
        post(&services, service_object(service)).await?;
        post(&deployments, deployment_object(service, &release)).await?;
    }
    let budgets = Api::<PodDisruptionBudget>::namespaced(client, NAMESPACE);
    post(
        &budgets,
        json!({
            "metadata": {"name": "gateway", "labels": labels(Some("gateway"))},
            "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "gateway"}}},
        }),
    )
    .await
}

/// The release's configuration: ConfigMap name to data.
pub(in crate::worlds) fn configuration(
    release: &Release,
) -> BTreeMap<String, BTreeMap<String, String>> {
    let owned = |data: &BTreeMap<&str, &str>| {
        data.iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    release
        .config
        .iter()
        .map(|(name, data)| ((*name).to_owned(), owned(data)))
        .collect()
}

/// The release's migrations: file name to SQL.
pub(in crate::worlds) fn migrations(release: &Release) -> BTreeMap<String, String> {
    release
        .migrations()
        .iter()
        .map(|m| (m.name.to_owned(), m.sql.to_owned()))
        .collect()
}

async fn post<K>(api: &Api<K>, object: serde_json::Value) -> Result<(), WorldError>
where
    K: kube::Resource<DynamicType = ()>
        + DeserializeOwned
        + serde::Serialize
        + Clone
        + std::fmt::Debug,
{
    let what = format!(
        "{} {}",
        K::kind(&()),
        object["metadata"]["name"].as_str().unwrap_or_default()
    );
    let wrong =
        |error: &dyn std::fmt::Display| WorldError::SetUp(format!("cannot create {what}: {error}"));
    let object: K = serde_json::from_value(object).map_err(|e| wrong(&e))?;
    api.create(&PostParams::default(), &object)
        .await
        .map(|_| ())
        .map_err(|e| wrong(&e))
}

fn labels(app: Option<&str>) -> BTreeMap<&'static str, &str> {
    let mut labels = BTreeMap::from([("app.kubernetes.io/part-of", "dex")]);
    if let Some(app) = app {
        labels.insert("app", app);
    }
    labels
}

fn service_object(service: Service) -> serde_json::Value {
    let name = service.name();
    json!({
        "metadata": {"name": name, "labels": labels(Some(name))},
        "spec": {
            "selector": {"app": name},
            "ports": [{"name": "http", "port": 8080, "targetPort": 8080, "protocol": "TCP"}],
        },
    })
}

fn deployment_object(service: Service, release: &Release) -> serde_json::Value {
    let name = service.name();
    let (replicas, surge, unavailable) = match service {
        Service::Gateway => (3, json!("25%"), json!("25%")),
        // One at a time takes the lead: the new one must be ready before the old one goes.
        Service::Matching | Service::Risk => (1, json!(1), json!(0)),
    };
    json!({
        "metadata": {"name": name, "labels": labels(Some(name))},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}},
            "template": {
                "metadata": {"labels": labels(Some(name))},
                "spec": {
                    "terminationGracePeriodSeconds": 10,
                    "containers": [{
                        "name": name,
                        "image": release.build(service).image(),
                        "ports": [{"name": "http", "containerPort": 8080}],
                        "envFrom": [{"configMapRef": {"name": format!("{name}-config")}}],
                        "readinessProbe": {
                            "httpGet": {"path": "/health", "port": 8080},
                            "periodSeconds": 1, "failureThreshold": 2,
                        },
                        "livenessProbe": {
                            "httpGet": {"path": "/livez", "port": 8080},
                            "periodSeconds": 5,
                        },
                    }],
                },
            },
        },
    })
}
