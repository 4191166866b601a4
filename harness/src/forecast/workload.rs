//! What is forecast: a workload of the manifests, with whatever else in them acts upon its rollouts.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use sim_services::manifests::{Manifests, Object, at};

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Place {
    /// The file, as it was given.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The place of the value at `path` of an object, or of what there is of the way to it.
#[must_use]
pub(crate) fn place(object: &Object, path: &[&str]) -> Place {
    let (line, column) = object.line_and_column(path);
    Place {
        file: object.document.name.clone(),
        line,
        column,
    }
}

/// What kind of object a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeper {
    /// Its releases are ReplicaSets.
    Deployment,
    /// Its releases are ControllerRevisions, and its pods are replaced one after the other.
    StatefulSet,
}

/// A Deployment or a StatefulSet of the manifests.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) keeper: Keeper,
    /// As it stands in its file.
    pub(crate) object: Object,
    /// As it is simulated: the object's value, or one in which something was changed to see what that is worth.
    pub(crate) value: Value,
    /// The Services that select its pods.
    pub(crate) services: Vec<Object>,
    /// The PodDisruptionBudgets that select its pods.
    pub(crate) budgets: Vec<Object>,
    /// The HorizontalPodAutoscaler that scales it.
    pub(crate) autoscaler: Option<Object>,
}

/// The most pods of a workload that is simulated. What a draw takes grows faster than the number of the pods.
pub(crate) const PODS_MAX: u32 = 500;
/// From so many pods on, a draw takes about a second and more.
const PODS_SLOW: u32 = 100;

/// The workloads that are simulated and whose draws take long, by name, with the number of their pods.
#[must_use]
pub fn slow(manifests: &Manifests) -> Vec<(String, u32)> {
    let (found, _) = workloads(manifests);
    let all = found.iter().map(|it| (it.name(), it.replicas()));
    all.filter(|(_, pods)| *pods >= PODS_SLOW).collect()
}

/// The workloads of the manifests that are simulated, in their order, and the other objects that have pods.
#[must_use]
pub(crate) fn workloads(manifests: &Manifests) -> (Vec<Workload>, Vec<Object>) {
    let mut found = Vec::new();
    let mut others = Vec::new();
    for object in &manifests.objects {
        match object.kind() {
            "Deployment" => found.push(Workload::of(object, Keeper::Deployment, manifests)),
            "StatefulSet" => found.push(Workload::of(object, Keeper::StatefulSet, manifests)),
            "DaemonSet" => others.push(object.clone()),
            _ => {}
        }
        if let Some(large) = found.pop_if(|it| it.replicas() > PODS_MAX) {
            others.push(large.object);
        }
    }
    (found, others)
}

/// From the patch of a template until its pod runs on a node, and from a pod that is ready until the rollout counts it.
const SEEN_AFTER: Duration = Duration::from_secs(2);
/// No span of a manifest counts for more.
const SPAN_MAX: Duration = Duration::from_secs(3_600);

impl Workload {
    fn of(object: &Object, keeper: Keeper, manifests: &Manifests) -> Self {
        let labels = object.at(&["spec", "template", "metadata", "labels"]);
        let beside = |kind: &'static str| {
            let all = manifests.objects.iter();
            all.filter(move |it| it.kind() == kind && it.namespace() == object.namespace())
        };
        let selected_by_map = |it: &&Object| {
            let selector = it.at(&["spec", "selector"]);
            selector.as_object().is_some_and(|it| !it.is_empty()) && has_all(labels, selector)
        };
        let selected = |it: &&Object| selects(it.at(&["spec", "selector"]), labels);
        let scales = |it: &&Object| {
            let target = it.at(&["spec", "scaleTargetRef"]);
            target["kind"] == object.kind() && target["name"] == object.name()
        };
        Self {
            keeper,
            object: object.clone(),
            value: object.value.clone(),
            services: beside("Service").filter(selected_by_map).cloned().collect(),
            budgets: beside("PodDisruptionBudget")
                .filter(selected)
                .cloned()
                .collect(),
            autoscaler: beside("HorizontalPodAutoscaler").find(scales).cloned(),
        }
    }

    /// `deployment/front`, with its namespace before it unless that is `default`.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        let kind = self.object.kind().to_lowercase();
        match self.object.namespace() {
            Some(namespace) if namespace != "default" => {
                format!("{namespace}/{kind}/{}", self.object.name())
            }
            _ => format!("{kind}/{}", self.object.name()),
        }
    }

    /// The value at `path` as it is simulated; null where there is none.
    #[must_use]
    pub(crate) fn at(&self, path: &[&str]) -> &Value {
        at(&self.value, path)
    }

    /// The pod's spec.
    #[must_use]
    pub(crate) fn pod(&self) -> &Value {
        self.at(&POD)
    }

    /// How many pods it has: what the manifest says, else the fewest that its autoscaler keeps, else 1.
    #[must_use]
    pub(crate) fn replicas(&self) -> u32 {
        let fewest = || {
            let autoscaler = self.autoscaler.as_ref()?;
            autoscaler.at(&["spec", "minReplicas"]).as_u64()
        };
        let replicas = self.at(&["spec", "replicas"]).as_u64().or_else(fewest);
        replicas.map_or(1, |it| u32::try_from(it).unwrap_or(u32::MAX))
    }

    /// Whether its pods are replaced one after the other, each after the end of the one before.
    #[must_use]
    pub(crate) fn is_stateful(&self) -> bool {
        self.keeper == Keeper::StatefulSet
    }

    /// Whether a rollout replaces no pod (`updateStrategy.type: OnDelete` of a StatefulSet).
    #[must_use]
    pub(crate) fn replaces_none(&self) -> bool {
        self.is_stateful() && self.at(&["spec", "updateStrategy", "type"]) == "OnDelete"
    }

    /// How many pods of a StatefulSet keep the release that they have (`rollingUpdate.partition`).
    #[must_use]
    pub(crate) fn partition(&self) -> u32 {
        let path = ["spec", "updateStrategy", "rollingUpdate", "partition"];
        let partition = self.at(&path).as_u64().unwrap_or(0);
        u32::try_from(partition).unwrap_or(u32::MAX)
    }

    /// Whether all its pods are stopped before one of the next release starts.
    #[must_use]
    pub(crate) fn recreates(&self) -> bool {
        self.at(&["spec", "strategy", "type"]) == "Recreate"
    }

    /// How many pods there may be beside its replicas during a rollout, and how many of them may be missing
    /// (`ResolveFenceposts` in `pkg/controller/deployment/util/deployment_util.go`).
    #[must_use]
    pub(crate) fn fenceposts(&self) -> (u32, u32) {
        let replicas = self.replicas();
        if self.is_stateful() {
            return (0, replicas.min(1));
        }
        if self.recreates() {
            return (0, replicas);
        }
        let of = |field: &str, up: bool| {
            let given = self.at(&["spec", "strategy", "rollingUpdate", field]);
            scaled(given, replicas, up)
        };
        match (of("maxSurge", true), of("maxUnavailable", false)) {
            (0, 0) => (0, 1),
            (surge, unavailable) => (surge, unavailable.min(replicas)),
        }
    }

    /// How long a rollout of it takes in the worst case, from the manifest alone: for one pod, and for all of them. A
    /// process takes `start` until it listens, and `stop` from SIGTERM until it exits.
    ///
    /// A Deployment replaces as many pods at a time as its `maxSurge` and `maxUnavailable` allow together. A
    /// StatefulSet replaces one after the other, and waits for the end of each.
    #[must_use]
    pub(crate) fn rollout_takes(&self, start: Duration, stop: Duration) -> (Duration, Duration) {
        let ready = self.available_after(start);
        let grace = seconds(&self.pod()["terminationGracePeriodSeconds"], 30);
        let mut containers = self.lasting();
        let stop = match containers.any(|(_, it)| !it["lifecycle"]["preStop"].is_null()) {
            true => grace,
            false => stop.min(grace),
        };
        let replicas = self.replicas();
        if self.is_stateful() {
            let pods = replicas.saturating_sub(self.partition()).max(1);
            let one = stop + ready;
            return (one, one.saturating_mul(pods));
        }
        if self.recreates() {
            return (stop + ready, stop + ready);
        }
        let (surge, unavailable) = self.fenceposts();
        let at_a_time = surge.saturating_add(unavailable).max(1);
        let times = replicas.div_ceil(at_a_time).max(1);
        (ready, ready.saturating_mul(times))
    }

    /// How long it takes at most until all its pods are available once it has been created, from the manifest alone. A
    /// process takes `start` until it listens. A StatefulSet creates its pods one after the other, unless its
    /// `podManagementPolicy` is `Parallel`.
    #[must_use]
    pub(crate) fn creation_takes(&self, start: Duration) -> Duration {
        let one = self.available_after(start);
        let at_once =
            !self.is_stateful() || self.at(&["spec", "podManagementPolicy"]) == "Parallel";
        one.saturating_mul(if at_once { 1 } else { self.replicas() })
    }

    /// How long it takes at most until a new pod is available. A process takes `start` until it listens.
    fn available_after(&self, start: Duration) -> Duration {
        let ready = |container: &Value| {
            let [startup, readiness] = ["startupProbe", "readinessProbe"].map(|probe| {
                let probe = &container[probe];
                if probe.is_null() {
                    return (Duration::ZERO, Duration::ZERO);
                }
                let successes = probe["successThreshold"].as_u64().unwrap_or(1);
                let successes = u32::try_from(successes.clamp(1, 1_000)).unwrap_or(1);
                let asks = seconds(&probe["periodSeconds"], 10).saturating_mul(successes);
                (seconds(&probe["initialDelaySeconds"], 0), asks)
            });
            start.max(startup.0) + startup.1 + readiness.0 + readiness.1
        };
        let ready = self.lasting().map(|(_, it)| ready(it)).max();
        let lasts = seconds(self.at(&["spec", "minReadySeconds"]), 0);
        SEEN_AFTER + ready.unwrap_or(start) + lasts
    }

    /// The containers that run on, with the path to each: those of the pod, then its sidecars.
    pub(crate) fn lasting(&self) -> impl Iterator<Item = (Vec<String>, &Value)> {
        let all = self.containers().into_iter();
        all.filter(|(path, it)| path[3] == "containers" || is_sidecar(it))
    }

    /// All containers, with the path to each: those of the pod, then the init containers.
    #[must_use]
    pub(crate) fn containers(&self) -> Vec<(Vec<String>, &Value)> {
        let of = |list: &'static str| {
            let items = self.pod()[list].as_array().into_iter().flatten();
            items.enumerate().map(move |(at, it)| {
                let steps = POD.iter().copied().map(str::to_owned);
                let own = [list.to_owned(), at.to_string()];
                (steps.chain(own).collect(), it)
            })
        };
        of("containers").chain(of("initContainers")).collect()
    }

    /// Where the value at `path` stands.
    #[must_use]
    pub(crate) fn place(&self, path: &[&str]) -> Place {
        place(&self.object, path)
    }
}

/// A span of a manifest in seconds, with what counts where none is given.
fn seconds(value: &Value, default: u64) -> Duration {
    Duration::from_secs(value.as_u64().unwrap_or(default)).min(SPAN_MAX)
}

/// The way to the pod's spec.
const POD: [&str; 3] = ["spec", "template", "spec"];

/// Whether an init container runs on beside the others.
#[must_use]
pub(crate) fn is_sidecar(container: &Value) -> bool {
    container["restartPolicy"] == "Always"
}

/// A number of pods, or a percentage of `replicas`; a quarter of them where nothing is given.
fn scaled(given: &Value, replicas: u32, up: bool) -> u32 {
    let percent = match given {
        Value::Number(number) => {
            let number = number.as_u64().unwrap_or_default();
            return u32::try_from(number).unwrap_or(u32::MAX);
        }
        Value::String(text) => text.trim_end_matches('%').parse().unwrap_or(0_u64),
        _ => 25,
    };
    let product = u64::from(replicas) * percent;
    let scaled = if up {
        product.div_ceil(100)
    } else {
        product / 100
    };
    u32::try_from(scaled).unwrap_or(u32::MAX)
}

/// Whether `labels` has each of `wanted`.
fn has_all(labels: &Value, wanted: &Value) -> bool {
    let mut wanted = wanted.as_object().into_iter().flatten();
    wanted.all(|(key, value)| labels.get(key) == Some(value))
}

/// Whether a selector with `matchLabels` and `matchExpressions` selects `labels`.
fn selects(selector: &Value, labels: &Value) -> bool {
    let expressions: Vec<&Value> = match selector["matchExpressions"].as_array() {
        Some(expressions) => expressions.iter().collect(),
        None => Vec::new(),
    };
    let holds = |it: &&Value| {
        let value = it["key"].as_str().and_then(|key| labels.get(key));
        let listed = || {
            let mut values = it["values"].as_array().into_iter().flatten();
            values.any(|listed| Some(listed) == value)
        };
        match it["operator"].as_str() {
            Some("In") => value.is_some() && listed(),
            Some("NotIn") => value.is_none() || !listed(),
            Some("Exists") => value.is_some(),
            Some("DoesNotExist") => value.is_none(),
            _ => false,
        }
    };
    has_all(labels, &selector["matchLabels"]) && expressions.iter().all(holds)
}

/// The objects of kind Node, by name.
#[must_use]
pub(crate) fn nodes(manifests: &Manifests) -> BTreeMap<String, Value> {
    let all = manifests.objects.iter().filter(|it| it.kind() == "Node");
    all.map(|it| (it.name().to_owned(), it.value.clone()))
        .collect()
}
