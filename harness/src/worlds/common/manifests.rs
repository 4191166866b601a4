//! What is deployed of the exchange: the manifests in `deploy/dex`, which people apply and every world loads.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use dex::release::{Release, Service};
use serde_json::{Value, json};

use super::template;

/// The files, in the order in which people apply them.
const FILES: [(&str, &str); 5] = [
    (
        "10-config.yaml",
        include_str!("../../../../deploy/dex/10-config.yaml"),
    ),
    (
        "20-services.yaml",
        include_str!("../../../../deploy/dex/20-services.yaml"),
    ),
    (
        "30-matching.yaml",
        include_str!("../../../../deploy/dex/30-matching.yaml"),
    ),
    (
        "31-risk.yaml",
        include_str!("../../../../deploy/dex/31-risk.yaml"),
    ),
    (
        "32-gateway.yaml",
        include_str!("../../../../deploy/dex/32-gateway.yaml"),
    ),
];

/// The namespace that all of it lives in.
pub(crate) const NAMESPACE: &str = "dex-production";
/// Name of the ConfigMap with the halt flag.
pub(crate) const TRADING: &str = "dex-trading";
/// Name of the ConfigMap with the files of migrations. Whoever deploys makes it from the release.
pub(crate) const MIGRATIONS: &str = "dex-migrations";
/// Name of the Secret with the ledger's URL. Whoever deploys makes it.
pub(crate) const DATABASE: &str = "ledger-database";

static OBJECTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let objects = FILES.iter().flat_map(|(file, text)| {
        let objects: Vec<Value> = serde_saphyr::from_multiple(text)
            .unwrap_or_else(|error| panic!("deploy/dex/{file}: {error}"));
        objects
    });
    objects.collect()
});

/// Everything that is deployed as `release`, in the order in which it is created: configuration, then each service before its
/// Deployment, as pods are told the addresses of the Services that exist when they start, then what only limits others. The Secret
/// with the ledger's URL is not among it.
pub(crate) fn objects(release: &Release) -> Vec<Value> {
    let configured = configuration(release);
    let mut objects: Vec<Value> = OBJECTS.iter().map(|object| of(object, release)).collect();
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

/// The pod template of `service` as `release` deploys it.
pub(crate) fn pod_template(service: Service, release: &Release) -> Value {
    let deployment = OBJECTS
        .iter()
        .find(|object| object["kind"] == "Deployment" && name(object) == Some(service.name()));
    deployment.map_or(Value::Null, |it| of(it, release)["spec"]["template"].take())
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
            "labels": {"app.kubernetes.io/part-of": "dex"},
        },
        "data": data,
    })
}

#[cfg(test)]
mod tests {
    use dex::release::{Release, STABLE, Service};
    use serde_json::Value;

    use super::{NAMESPACE, OBJECTS, configuration, name, objects};

    fn stable() -> Release {
        Release::by_name(STABLE).expect("it is in the catalogue")
    }

    #[test]
    fn every_manifest_is_in_the_namespace_and_part_of_the_exchange() {
        for object in OBJECTS.iter() {
            let metadata = &object["metadata"];
            assert_eq!(metadata["namespace"], NAMESPACE, "{object}");
            let part_of = &metadata["labels"]["app.kubernetes.io/part-of"];
            assert_eq!(part_of, "dex", "{object}");
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
            let deployed = OBJECTS
                .iter()
                .find(|it| it["kind"] == "Deployment" && name(it) == Some(service.name()))
                .expect("each service has a Deployment");
            let containers = &deployed["spec"]["template"]["spec"]["containers"];
            let image = stable().build(service).image();
            assert_eq!(containers[0]["image"], image.as_str());
        }
    }

    #[test]
    fn services_come_before_their_deployments_and_after_the_configuration() {
        let order: Vec<String> = objects(&stable())
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
        for service in Service::ALL.map(Service::name) {
            assert!(at(&format!("Service/{service}")) < at(&format!("Deployment/{service}")));
            assert!(at(&format!("ConfigMap/{service}-config")) < at("Service/matching"));
        }
        assert_eq!(at("PodDisruptionBudget/gateway") + 1, order.len());
    }

    #[test]
    fn a_release_changes_its_own_objects() {
        let release = Release::by_name("1.5.8-new-template").expect("it is in the catalogue");
        let all = objects(&release);
        let gateway = all
            .iter()
            .find(|it| it["kind"] == "Deployment" && name(it) == Some("gateway"))
            .expect("it is deployed");
        let container: &Value = &gateway["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["image"], "dex/gateway:1.5.8");
    }
}
