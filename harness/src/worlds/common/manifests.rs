//! What is deployed of the exchange: the manifests in `deploy/dex`, which people apply and every world loads.

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub(crate) use dex::release::{MIGRATIONS, NAMESPACE, TRADING};
use dex::release::{Release, Service};
use serde_json::{Value, json};

use super::template;
use crate::scenario::{Deployment, Share, Strategy};

/// Name and text of each manifest.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/manifests.rs"));

/// The label that everything of the exchange has, and its value.
pub(crate) const PART_OF: (&str, &str) = ("app.kubernetes.io/part-of", "dex");
/// The label of a pod that names its service. Prometheus and Loki have it too.
#[cfg(feature = "kind")]
pub(crate) const APP: &str = "app";
/// Name of the Secret with the ledger's URL. Whoever deploys makes it.
pub(crate) const DATABASE: &str = "ledger-database";

static OBJECTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let objects = FILES.iter().flat_map(|(file, text)| {
        let objects: Vec<Value> = serde_saphyr::from_multiple(text)
            .unwrap_or_else(|error| panic!("deploy/dex/{file}: {error}"));
        objects
    });
    // The namespace is there before anything is deployed.
    objects.filter(|it| it["kind"] != "Namespace").collect()
});

/// Everything that is deployed as `release`, in the order in which it is created: configuration, then each service
/// before its Deployment, as pods are told the addresses of the Services that exist when they start, then what only
/// limits others. The Secret with the ledger's URL is not among it.
/// `deployments` are what a scenario wants otherwise than in the manifests.
pub(crate) fn objects(release: &Release, deployments: &[Deployment]) -> Vec<Value> {
    let configured = configuration(release);
    let mut objects: Vec<Value> = OBJECTS.iter().map(|object| of(object, release)).collect();
    for deployment in deployments {
        let named = |it: &&mut Value| {
            it["kind"] == "Deployment" && name(it) == Some(deployment.service.as_str())
        };
        if let Some(object) = objects.iter_mut().find(named) {
            change(&mut object["spec"], deployment);
        }
    }
    let listed: Vec<&str> = OBJECTS.iter().filter_map(name).collect();
    let more = configured
        .iter()
        .filter(|(name, _)| !listed.contains(&name.as_str()));
    objects.extend(more.map(|(name, data)| config_map(name, data)));
    objects.push(config_map(MIGRATIONS, &migrations(release)));
    objects.sort_by_cached_key(|object| {
        let name = name(object).unwrap_or_default().to_owned();
        let service = Service::ALL.iter().position(|it| it.name() == name);
        let service = service.unwrap_or(usize::MAX);
        match object["kind"].as_str() {
            Some("ConfigMap") => (0, 0, 0, name),
            Some("Service") => (1, service, 0, name),
            Some("Deployment") => (1, service, 1, name),
            _ => (2, 0, 0, name),
        }
    });
    objects
}

/// Changes the `spec` of a Deployment to what a scenario wants of it.
pub(crate) fn change(spec: &mut Value, wanted: &Deployment) {
    if let Some(replicas) = wanted.replicas {
        spec["replicas"] = json!(replicas);
    }
    if let Some(period_s) = wanted.probe_period_s {
        let containers = spec["template"]["spec"]["containers"].as_array_mut();
        for container in containers.into_iter().flatten() {
            if container["readinessProbe"].is_object() {
                container["readinessProbe"]["periodSeconds"] = json!(period_s);
            }
        }
    }
    let share = |share: Share| match share {
        Share::Pods(pods) => json!(pods),
        Share::Percent(percent) => json!(format!("{percent}%")),
    };
    match wanted.strategy {
        None => {}
        Some(Strategy::Recreate) => spec["strategy"] = json!({"type": "Recreate"}),
        Some(Strategy::Rolling {
            max_surge,
            max_unavailable,
        }) => {
            spec["strategy"] = json!({
                "type": "RollingUpdate",
                "rollingUpdate": {
                    "maxSurge": share(max_surge),
                    "maxUnavailable": share(max_unavailable),
                },
            });
        }
    }
}

/// The pod template of `service` as `release` deploys it.
pub(crate) fn pod_template(service: Service, release: &Release) -> Value {
    of(deployment(service), release)["spec"]["template"].take()
}

/// The label selector of the pods of `service`.
pub(crate) fn selector(service: Service) -> String {
    let labels = deployment(service)["spec"]["selector"]["matchLabels"].as_object();
    let labels = labels.into_iter().flatten();
    let labels = labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    labels.collect::<Vec<_>>().join(",")
}

/// How many pods `service` has; 1 where its manifest does not say.
pub(crate) fn replicas(service: Service) -> i32 {
    let replicas = deployment(service)["spec"]["replicas"].as_i64();
    replicas.and_then(|it| it.try_into().ok()).unwrap_or(1)
}

/// How a Deployment is replaced and probed, as its manifest says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rolling {
    /// How many pods it has.
    pub(crate) replicas: u32,
    /// `maxSurge` and `maxUnavailable`; `None`: all pods are stopped first.
    pub(crate) shares: Option<(Share, Share)>,
    /// Every how many seconds its first readiness probe asks; `None`: it has none.
    pub(crate) probe_period_s: Option<u32>,
}

/// How the Deployment of the service of this name is replaced and probed; `None`: there is no such service.
pub(crate) fn rolling(service: &str) -> Option<Rolling> {
    rolling_of(&deployment(Service::by_name(service)?)["spec"])
}

/// How a Deployment with this `spec` is replaced and probed; `None`: a number in it is out of range.
pub(crate) fn rolling_of(spec: &Value) -> Option<Rolling> {
    let strategy = &spec["strategy"];
    let share = |field: &str| match &strategy["rollingUpdate"][field] {
        Value::Number(pods) => Some(Share::Pods(pods.as_u64()?.try_into().ok()?)),
        Value::String(text) => Share::parse(text),
        _ => Some(Share::DEFAULT),
    };
    let shares =
        (strategy["type"] != "Recreate").then(|| share("maxSurge").zip(share("maxUnavailable")));
    let probe = &spec["template"]["spec"]["containers"][0]["readinessProbe"];
    let period_s = probe["periodSeconds"].as_u64().unwrap_or(10);
    Some(Rolling {
        replicas: u32::try_from(spec["replicas"].as_u64().unwrap_or(1)).ok()?,
        shares: shares.flatten(),
        probe_period_s: probe.is_object().then_some(u32::try_from(period_s).ok()?),
    })
}

/// Name of the container of `service`: the first of its pod.
pub(crate) fn container(service: Service) -> &'static str {
    let name = containers(service)[0]["name"].as_str();
    name.unwrap_or_default()
}

/// The port that this container listens at.
#[cfg(feature = "kind")]
pub(crate) fn port(service: Service) -> u16 {
    let port = containers(service)[0]["ports"][0]["containerPort"].as_u64();
    port.and_then(|it| it.try_into().ok()).unwrap_or_default()
}

/// Names of the ConfigMaps whose data are in the environment of the pods of `service`.
pub(crate) fn environment(service: Service) -> Vec<&'static str> {
    let containers = containers(service).as_array().into_iter().flatten();
    let sources = containers.flat_map(|it| it["envFrom"].as_array().into_iter().flatten());
    let maps = sources.filter_map(|it| it["configMapRef"]["name"].as_str());
    maps.collect()
}

fn containers(service: Service) -> &'static Value {
    &deployment(service)["spec"]["template"]["spec"]["containers"]
}

/// The Deployment of `service`. Each has one, as a test of this module finds.
fn deployment(service: Service) -> &'static Value {
    static NONE: Value = Value::Null;
    let mut objects = OBJECTS.iter();
    let found = objects.find(|it| it["kind"] == "Deployment" && name(it) == Some(service.name()));
    found.unwrap_or(&NONE)
}

/// The release's configuration: ConfigMap name to data.
pub(crate) fn configuration(release: &Release) -> BTreeMap<String, BTreeMap<String, String>> {
    let owned = |data: &BTreeMap<&str, &str>| {
        let owned = data.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        owned.collect()
    };
    let maps = release.config.iter();
    maps.map(|(name, data)| ((*name).to_owned(), owned(data)))
        .collect()
}

/// The release's migrations: file name to SQL.
pub(crate) fn migrations(release: &Release) -> BTreeMap<String, String> {
    let files = release.migrations();
    let files = files.iter().map(|m| (m.name.to_owned(), m.sql.to_owned()));
    files.collect()
}

/// The manifest as `release` has it.
fn of(object: &Value, release: &Release) -> Value {
    let mut object = object.clone();
    let name = name(&object).unwrap_or_default().to_owned();
    match object["kind"].as_str() {
        Some("Deployment") => {
            if let Some(service) = Service::by_name(&name) {
                template::change(&mut object["spec"]["template"], service, release);
            }
        }
        Some("ConfigMap") => {
            if let Some(data) = configuration(release).get(&name) {
                object["data"] = json!(data);
            }
        }
        _ => {}
    }
    object
}

fn name(object: &Value) -> Option<&str> {
    object["metadata"]["name"].as_str()
}

fn config_map(name: &str, data: &BTreeMap<String, String>) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": name, "namespace": NAMESPACE,
            "labels": {(PART_OF.0): PART_OF.1},
        },
        "data": data,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use dex::release::{Release, STABLE, Service};
    use serde_json::Value;

    use crate::scenario::{Deployment, Share, Strategy};

    use super::{
        APP, FILES, NAMESPACE, OBJECTS, PART_OF, TRADING, configuration, container, environment,
        name, objects, replicas, selector,
    };

    fn stable() -> Release {
        Release::by_name(STABLE).expect("it is in the catalogue")
    }

    #[test]
    fn every_manifest_is_in_the_namespace_and_part_of_the_exchange() {
        for object in OBJECTS.iter() {
            let metadata = &object["metadata"];
            assert_eq!(metadata["namespace"], NAMESPACE, "{object}");
            assert_eq!(metadata["labels"][PART_OF.0], PART_OF.1, "{object}");
        }
        let (_, text) = FILES
            .iter()
            .find(|(file, _)| file.ends_with("namespace.yaml"))
            .expect("the namespace has a manifest");
        let namespace: Value = serde_saphyr::from_str(text).expect("it is YAML");
        assert_eq!(namespace["metadata"]["name"], NAMESPACE);
        assert!(OBJECTS.iter().any(|it| name(it) == Some(TRADING)));
    }

    #[test]
    fn the_services_have_deployments_and_no_others_have() {
        let deployed = OBJECTS.iter().filter(|it| it["kind"] == "Deployment");
        let deployed: BTreeSet<&str> = deployed.filter_map(name).collect();
        assert_eq!(deployed, Service::NAMES.into());
        for service in Service::ALL {
            let name = service.name();
            assert_eq!(container(service), name);
            // Readings, probes and queries name a service by this label.
            assert_eq!(selector(service), format!("{APP}={name}"));
            assert!(replicas(service) > 0);
            #[cfg(feature = "kind")]
            assert!(super::port(service) > 0, "{name}");
            for map in environment(service) {
                assert!(configuration(&stable()).contains_key(map), "{name}: {map}");
            }
        }
    }

    #[test]
    fn the_manifests_hold_what_the_stable_release_deploys() {
        for (map, data) in configuration(&stable()) {
            let manifest = OBJECTS.iter().find(|object| name(object) == Some(&map));
            let manifest = manifest.expect("it has a manifest");
            assert_eq!(manifest["data"], serde_json::json!(data), "{map}");
        }
        for service in Service::ALL {
            let containers = super::containers(service);
            let image = stable().build(service).image();
            assert_eq!(containers[0]["image"], image.as_str());
        }
    }

    #[test]
    fn services_come_before_their_deployments_and_after_the_configuration() {
        let order: Vec<String> = objects(&stable(), &[])
            .iter()
            .map(|it| {
                format!(
                    "{}/{}",
                    it["kind"].as_str().unwrap_or_default(),
                    name(it).unwrap_or_default()
                )
            })
            .collect();
        let at = |what: &str| order.iter().position(|it| it == what).expect(what);
        let first = order.iter().position(|it| it.starts_with("Service/"));
        let first = first.expect("there are Services");
        for service in Service::ALL {
            let name = service.name();
            assert!(at(&format!("Service/{name}")) < at(&format!("Deployment/{name}")));
            for map in environment(service) {
                assert!(at(&format!("ConfigMap/{map}")) < first);
            }
        }
        assert_eq!(at("PodDisruptionBudget/gateway") + 1, order.len());
    }

    #[test]
    fn a_scenario_changes_the_deployments_that_it_names() {
        let wanted = |strategy| Deployment {
            service: "gateway".to_owned(),
            replicas: Some(5),
            strategy,
            probe_period_s: None,
        };
        let spec = |deployment: Deployment| {
            let all = objects(&stable(), &[deployment]);
            let find = |service: &str| {
                let mut all = all.iter();
                let found = all.find(|it| it["kind"] == "Deployment" && name(it) == Some(service));
                found.expect("it is deployed")["spec"].clone()
            };
            assert_eq!(find("matching"), deployment_of("matching"));
            find("gateway")
        };
        let as_is = spec(wanted(None));
        assert_eq!(as_is["replicas"], 5);
        assert_eq!(as_is["strategy"], deployment_of("gateway")["strategy"]);
        let recreated = spec(wanted(Some(Strategy::Recreate)));
        assert_eq!(
            recreated["strategy"],
            serde_json::json!({"type": "Recreate"})
        );
        let rolling = spec(wanted(Some(Strategy::Rolling {
            max_surge: Share::Pods(1),
            max_unavailable: Share::Percent(0),
        })));
        let rolling = &rolling["strategy"]["rollingUpdate"];
        assert_eq!(
            *rolling,
            serde_json::json!({"maxSurge": 1, "maxUnavailable": "0%"})
        );
    }

    /// The `spec` of the Deployment of a service in its manifest.
    fn deployment_of(service: &str) -> Value {
        let service = Service::by_name(service).expect("there is such a service");
        super::deployment(service)["spec"].clone()
    }

    #[test]
    fn a_release_changes_its_own_objects() {
        let release = Release::by_name("1.5.8-new-template").expect("it is in the catalogue");
        let all = objects(&release, &[]);
        let gateway = all
            .iter()
            .find(|it| it["kind"] == "Deployment" && name(it) == Some("gateway"))
            .expect("it is deployed");
        let container: &Value = &gateway["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["image"], "dex/gateway:1.5.8");
    }
}
