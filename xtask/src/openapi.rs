//! `cargo xtask openapi`: cuts the API descriptions of a Kubernetes release down to what the simulated API server
//! serves.
//!
//! The sources of a release have them in `api/openapi-spec/v3` and `api/discovery`. Go's module proxy has the sources:
//! `go mod download -json k8s.io/kubernetes@v1.34.4` says where they are then.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Map, Value};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder `api` of the sources of Kubernetes
    api: PathBuf,
}

/// The kinds that are taken from each document of `openapi-spec/v3`. A test of `sim` fails if one is missing that is
/// served.
const KINDS: &[(&str, &[&str])] = &[
    (
        "api__v1",
        &[
            "ConfigMap",
            "Event",
            "Namespace",
            "Node",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "Pod",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
    ),
    (
        "apis__apiextensions.k8s.io__v1",
        &["CustomResourceDefinition"],
    ),
    (
        "apis__apps__v1",
        &[
            "ControllerRevision",
            "DaemonSet",
            "Deployment",
            "ReplicaSet",
            "StatefulSet",
        ],
    ),
    ("apis__autoscaling__v1", &["Scale"]),
    ("apis__autoscaling__v2", &["HorizontalPodAutoscaler"]),
    ("apis__batch__v1", &["CronJob", "Job"]),
    ("apis__coordination.k8s.io__v1", &["Lease"]),
    ("apis__discovery.k8s.io__v1", &["EndpointSlice"]),
    (
        "apis__networking.k8s.io__v1",
        &["Ingress", "IngressClass", "NetworkPolicy"],
    ),
    ("apis__policy__v1", &["Eviction", "PodDisruptionBudget"]),
    (
        "apis__rbac.authorization.k8s.io__v1",
        &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
    ),
    ("apis__storage.k8s.io__v1", &["StorageClass"]),
];

/// A schema that nothing refers to but the paths.
const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";

/// Writes `sim/data/openapi`.
pub(crate) fn run(args: &Args) -> Result<ExitCode, String> {
    let to = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sim/data/openapi");
    fs::create_dir_all(&to).map_err(|error| format!("{}: {error}", to.display()))?;
    write(&to.join("schemas.json"), &schemas(&args.api)?)?;
    write(&to.join("discovery.json"), &discovery(&args.api)?)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn read(path: &Path) -> Result<Value, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| told(&error))?;
    serde_json::from_str(&text).map_err(|error| told(&error))
}

/// One member a line, so that a change of the release can be read.
pub(crate) fn write(path: &Path, members: &Map<String, Value>) -> Result<(), String> {
    let lines: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
        .collect();
    let text = format!("{{\n{}\n}}\n", lines.join(",\n"));
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn schemas(api: &Path) -> Result<Map<String, Value>, String> {
    let mut taken = Map::new();
    for (document, kinds) in KINDS {
        let path = api.join(format!("openapi-spec/v3/{document}_openapi.json"));
        let whole = read(&path)?;
        let all = whole["components"]["schemas"]
            .as_object()
            .ok_or_else(|| format!("{}: it has no schemas", path.display()))?;
        let is_wanted = |schema: &Value| {
            let own = schema["x-kubernetes-group-version-kind"].as_array();
            own.is_some_and(|own| {
                own.iter()
                    .any(|it| kinds.iter().any(|kind| it["kind"] == *kind))
            })
        };
        let mut wanted: BTreeSet<String> = all
            .iter()
            .filter(|(name, schema)| name.as_str() == PATCH || is_wanted(schema))
            .map(|(name, _)| name.clone())
            .collect();
        while let Some(name) = wanted.pop_first() {
            if taken.contains_key(&name) {
                continue;
            }
            if let Some(schema) = all.get(&name) {
                references(schema, &mut wanted);
                taken.insert(name, schema.clone());
            }
        }
    }
    Ok(taken)
}

/// The names of the schemas that `value` refers to.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member.as_str()) {
                    ("$ref", Some(to)) => found.extend(to.rsplit('/').next().map(str::to_owned)),
                    _ => references(member, found),
                }
            }
        }
        Value::Array(elements) => elements.iter().for_each(|it| references(it, found)),
        _ => {}
    }
}

/// The resources of the aggregated list, under their group version and name;
/// the core group's are listed in the older form.
fn discovery(api: &Path) -> Result<Map<String, Value>, String> {
    let mut taken = Map::new();
    let mut add = |group: &str, list: &Value| {
        for version in list["versions"].as_array().into_iter().flatten() {
            let name = version["version"].as_str().unwrap_or_default();
            let api_version = match group {
                "" => name.to_owned(),
                group => format!("{group}/{name}"),
            };
            for resource in version["resources"].as_array().into_iter().flatten() {
                let plural = resource["resource"].as_str().unwrap_or_default();
                taken.insert(format!("{api_version}/{plural}"), resource.clone());
            }
        }
    };
    let groups = read(&api.join("discovery/aggregated_v2.json"))?;
    for group in groups["items"].as_array().into_iter().flatten() {
        add(
            group["metadata"]["name"].as_str().unwrap_or_default(),
            group,
        );
    }
    let core = read(&api.join("discovery/api__v1.json"))?;
    add("", &aggregated(&core));
    Ok(taken)
}

/// The list of a group version in the older form, in the aggregated form.
fn aggregated(list: &Value) -> Value {
    let all = list["resources"].as_array().cloned().unwrap_or_default();
    let mut resources: Vec<Value> = Vec::new();
    for resource in &all {
        let name = resource["name"].as_str().unwrap_or_default();
        let kind = serde_json::json!({
            "group": resource.get("group").cloned().unwrap_or_else(|| "".into()),
            "version": resource.get("version").cloned().unwrap_or_else(|| "".into()),
            "kind": resource["kind"],
        });
        if let Some((of, sub)) = name.split_once('/') {
            let mut known = resources.iter_mut();
            if let Some(Value::Object(parent)) = known.find(|it| it["resource"] == of) {
                let subs = parent
                    .entry("subresources")
                    .or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(subs) = subs {
                    subs.push(serde_json::json!({
                        "subresource": sub, "responseKind": kind, "verbs": resource["verbs"],
                    }));
                }
            }
            continue;
        }
        let mut one = serde_json::json!({
            "resource": name, "responseKind": kind,
            "scope": if resource["namespaced"] == true { "Namespaced" } else { "Cluster" },
            "singularResource": resource["singularName"], "verbs": resource["verbs"],
        });
        for field in ["shortNames", "categories"] {
            if let Some(value) = resource.get(field) {
                one[field] = value.clone();
            }
        }
        resources.push(one);
    }
    serde_json::json!({"versions": [{"version": "v1", "resources": resources}]})
}
