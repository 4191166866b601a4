//! What of a workload is deployed to the simulated cluster.
//!
//! Only what decides how long a rollout takes is kept: a container's image, ports, probes, preStop hook and requests,
//! and how the Deployment rolls. Environment and volumes would only ask for objects that are not in the manifests.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sim::time::Micros;

use super::workload::{Keeper, Workload, is_sidecar};

/// The annotation of a template, and the variable in its containers, that tells the releases apart.
pub(super) const RELEASE: &str = "forecast-release";
/// The release that is undone to.
pub(super) const PRIOR: &str = "prior";
/// The release that is undone.
pub(super) const BAD: &str = "bad";

/// What of a container is kept.
const OF_CONTAINER: [&str; 10] = [
    "name",
    "image",
    "imagePullPolicy",
    "ports",
    "readinessProbe",
    "livenessProbe",
    "startupProbe",
    "resources",
    "restartPolicy",
    "lifecycle",
];
/// What of a Deployment's spec is kept.
const OF_DEPLOYMENT: [&str; 5] = [
    "selector",
    "strategy",
    "minReadySeconds",
    "revisionHistoryLimit",
    "progressDeadlineSeconds",
];
/// What of a StatefulSet's spec is kept.
const OF_STATEFUL_SET: [&str; 6] = [
    "selector",
    "serviceName",
    "updateStrategy",
    "podManagementPolicy",
    "minReadySeconds",
    "revisionHistoryLimit",
];
/// What of a pod is kept besides its containers, if the nodes are known.
const OF_PLACEMENT: [&str; 3] = ["nodeSelector", "affinity", "tolerations"];

/// What a container is to its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It runs on.
    Lasting,
    /// It must end before the next one starts.
    Init,
}

/// What a container is asked by a probe, so that two probes that ask the same get the same answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// GET of a path.
    Path(String),
    /// A connection.
    Connection,
    /// A command.
    Command(Vec<String>),
}

/// A container.
#[derive(Clone, Debug)]
pub(super) struct Container {
    pub(super) role: Role,
    /// What its readiness probe asks; `None`: it has none.
    pub(super) readiness: Option<Question>,
    pub(super) image: String,
}

/// A workload as objects of the simulated cluster.
#[derive(Clone, Debug)]
pub(super) struct Simulated {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) replicas: u32,
    pub(super) min_ready: Micros,
    pub(super) keeper: Keeper,
    /// Whether a pod of the next release may start only after the end of one of the release before.
    pub(super) ends_first: bool,
    /// Whether a rollout replaces no pod.
    pub(super) replaces_none: bool,
    /// How many pods keep the release that they have.
    pub(super) partition: u32,
    /// Whether rollouts are paused, so that kubectl undoes none (`kubectl/pkg/polymorphichelpers/rollback.go`).
    pub(super) paused: bool,
    /// The Deployment or StatefulSet with the release that is undone to.
    pub(super) object: Value,
    pub(super) services: Vec<Value>,
    pub(super) budgets: Vec<Value>,
    pub(super) containers: BTreeMap<String, Container>,
}

impl Simulated {
    /// Of `workload`; where its pods may go counts only if `nodes_are_known`.
    pub(super) fn of(workload: &Workload, nodes_are_known: bool) -> Self {
        let spec = &workload.value["spec"];
        let mut kept = Map::new();
        let (kind, fields): (&str, &[&str]) = match workload.keeper {
            Keeper::Deployment => ("Deployment", &OF_DEPLOYMENT),
            Keeper::StatefulSet => ("StatefulSet", &OF_STATEFUL_SET),
        };
        for field in fields {
            copy(spec, &mut kept, field);
        }
        kept.insert("replicas".to_owned(), json!(workload.replicas()));
        kept.insert(
            "template".to_owned(),
            template(workload, nodes_are_known, PRIOR),
        );
        let (namespace, name) = (
            workload.object.namespace().unwrap_or("default").to_owned(),
            workload.object.name().to_owned(),
        );
        let min_ready = spec["minReadySeconds"].as_u64().unwrap_or_default();
        Self {
            replicas: workload.replicas(),
            min_ready: Micros::from_secs(min_ready),
            keeper: workload.keeper,
            ends_first: workload.recreates() || workload.is_stateful(),
            replaces_none: workload.replaces_none(),
            partition: workload.partition(),
            paused: spec["paused"] == true,
            object: json!({
                "apiVersion": "apps/v1", "kind": kind,
                "metadata": {"name": &name, "namespace": &namespace},
                "spec": kept,
            }),
            services: workload.services.iter().map(|it| bare(&it.value)).collect(),
            budgets: workload.budgets.iter().map(|it| bare(&it.value)).collect(),
            containers: containers(workload),
            namespace,
            name,
        }
    }

    /// The template of the release that is undone.
    pub(super) fn bad_template(&self) -> Value {
        let mut template = self.object["spec"]["template"].clone();
        mark(&mut template, BAD);
        template
    }

    /// Whether the object of this name that owns pods, a ReplicaSet or a StatefulSet, is this workload's.
    pub(super) fn keeps_pods(&self, name: &str) -> bool {
        match self.keeper {
            // A ReplicaSet is named after its Deployment and a hash without a dash.
            Keeper::Deployment => name.rsplit_once('-').map(|it| it.0) == Some(&self.name),
            Keeper::StatefulSet => name == self.name,
        }
    }

    /// The images of its containers.
    pub(super) fn images(&self) -> BTreeSet<&str> {
        self.containers
            .values()
            .map(|it| it.image.as_str())
            .collect()
    }
}

/// Pods that only take room: those of a workload beside the one that is looked at. They answer no probes, so that
/// nothing happens to them any more once they run.
pub(super) fn room_taken_by(workload: &Workload) -> Value {
    let mut simulated = Simulated::of(workload, true);
    if workload.is_stateful() {
        // They are there before the undo, whatever order they came in.
        simulated.object["spec"]["podManagementPolicy"] = json!("Parallel");
    }
    let pod = &mut simulated.object["spec"]["template"]["spec"];
    for list in ["containers", "initContainers"] {
        for container in pod[list].as_array_mut().into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                container.retain(|field, _| !field.ends_with("Probe") && field != "lifecycle");
            }
        }
    }
    if let Some(pod) = pod.as_object_mut() {
        // A sidecar asks for its share of the node as long as the pod runs, another init container does not.
        let inits = pod.get_mut("initContainers").and_then(Value::as_array_mut);
        if let Some(inits) = inits {
            inits.retain(is_sidecar);
        }
    }
    simulated.object
}

fn template(workload: &Workload, nodes_are_known: bool, release: &str) -> Value {
    let of = workload.pod();
    let mut pod = Map::new();
    copy(of, &mut pod, "terminationGracePeriodSeconds");
    for list in ["containers", "initContainers"] {
        if let Some(containers) = of[list].as_array() {
            let kept = containers.iter().map(|it| container(it, nodes_are_known));
            pod.insert(list.to_owned(), kept.collect());
        }
    }
    if nodes_are_known {
        for field in OF_PLACEMENT {
            copy(of, &mut pod, field);
        }
    }
    let labels = workload.at(&["spec", "template", "metadata", "labels"]);
    let mut template = json!({"metadata": {"labels": labels}, "spec": pod});
    mark(&mut template, release);
    template
}

/// Names the release in a template.
fn mark(template: &mut Value, release: &str) {
    template["metadata"]["annotations"] = json!({RELEASE: release});
    for list in ["containers", "initContainers"] {
        let containers = template["spec"].get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            container["env"] = json!([{"name": RELEASE, "value": release}]);
        }
    }
}

fn container(of: &Value, nodes_are_known: bool) -> Value {
    let mut kept = Map::new();
    for field in OF_CONTAINER {
        copy(of, &mut kept, field);
    }
    if let Some(lifecycle) = kept.get_mut("lifecycle").and_then(Value::as_object_mut) {
        lifecycle.retain(|hook, _| hook == "preStop");
    }
    if !nodes_are_known {
        let ports = kept.get_mut("ports").and_then(Value::as_array_mut);
        for port in ports.into_iter().flatten() {
            if let Some(port) = port.as_object_mut() {
                port.remove("hostPort");
            }
        }
    }
    kept.into()
}

fn copy(from: &Value, to: &mut Map<String, Value>, field: &str) {
    if let Some(value) = from.get(field).filter(|it| !it.is_null()) {
        to.insert(field.to_owned(), value.clone());
    }
}

/// An object without what only says where it is from.
fn bare(object: &Value) -> Value {
    let metadata = &object["metadata"];
    json!({
        "apiVersion": object["apiVersion"], "kind": object["kind"],
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "spec": object["spec"],
    })
}

fn containers(workload: &Workload) -> BTreeMap<String, Container> {
    let all = workload.containers().into_iter();
    all.map(|(path, it)| {
        let lasting = path[3] == "containers" || is_sidecar(it);
        let container = Container {
            role: if lasting { Role::Lasting } else { Role::Init },
            readiness: question(&it["readinessProbe"]),
            image: it["image"].as_str().unwrap_or_default().to_owned(),
        };
        (
            it["name"].as_str().unwrap_or_default().to_owned(),
            container,
        )
    })
    .collect()
}

fn question(probe: &Value) -> Option<Question> {
    let probe = probe.as_object()?;
    Some(if let Some(get) = probe.get("httpGet") {
        Question::Path(get["path"].as_str().unwrap_or("/").to_owned())
    } else if probe.contains_key("grpc") {
        Question::Path("/grpc.health.v1.Health/Check".to_owned())
    } else if let Some(exec) = probe.get("exec") {
        let words = exec["command"].as_array().into_iter().flatten();
        let word = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        Question::Command(words.map(word).collect())
    } else {
        Question::Connection
    })
}
