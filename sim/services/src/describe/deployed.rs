//! What the manifests say of the services.

use std::collections::BTreeMap;
use std::ops::Range;

use k8s_openapi::api::core::v1::{Container, Probe};
use sim::time::Micros;

use super::app::{Service, Spread};
use super::quantity::{Share, megabytes};
use super::store::SchemaNeed;
use crate::manifests::{Manifests, Object, Workload, WorkloadKind};
use crate::mistake::Mistakes;

/// Pods of all workloads together, at most.
const PODS_MOST: u32 = 5_000;

/// Labels of pods that say which service they are of: what stands first counts.
const LABELS: [&str; 2] = ["app", "app.kubernetes.io/name"];

/// A service as its manifest has it, with what is assumed of the rest.
pub(super) fn service(
    m: &mut Mistakes,
    place: &Range<usize>,
    manifests: &Manifests,
    object: &Object,
    workload: &Workload,
) -> Option<Service> {
    let (kind, template) = (workload.kind, &workload.template);
    let labels = template
        .metadata
        .as_ref()?
        .labels
        .clone()
        .unwrap_or_default();
    let container = serving(&template.spec.as_ref()?.containers)?;
    let app = LABELS.iter().find_map(|key| labels.get(*key)).cloned();
    let selects = |it: &&Object| {
        let selector = it.at(&["spec", "selector"]).as_object();
        it.kind() == "Service"
            && it.namespace() == object.namespace()
            && selector.is_some_and(|selector| {
                !selector.is_empty()
                    && selector
                        .iter()
                        .all(|(key, value)| labels.get(key).map(String::as_str) == value.as_str())
            })
    };
    if kind == WorkloadKind::StatefulSet {
        stateful(m, place, manifests, object);
    }
    let replicas = u32::try_from(workload.replicas).unwrap_or(0);
    if replicas > PODS_MOST {
        let (line, column) = object.line_and_column(&["spec", "replicas"]);
        m.add(
            place.clone(),
            format!(
                "{}:{line}:{column}: the {kind} `{}` has {replicas} pods",
                object.document.name,
                object.name()
            ),
            format!("at most {PODS_MOST} pods can be simulated"),
            "drill a part of the application: fewer replicas, and fewer requests of its clients",
        );
    }
    // A headless Service gives pods their names; who asks the service goes by another one if there is one.
    let headless = |it: &&Object| it.at(&["spec", "clusterIP"]) == "None";
    let selecting = manifests.objects.iter().filter(selects);
    let address = selecting.min_by_key(headless);
    let path = |probe: &Option<Probe>| probe.as_ref()?.http_get.as_ref()?.path.clone();
    let limits = container
        .resources
        .as_ref()
        .and_then(|it| it.limits.as_ref());
    let limit = limits
        .and_then(|it| it.get("memory"))
        .map_or(0, |it| megabytes(&it.0));
    let live = path(&container.liveness_probe);
    let min_ready = object.at(&["spec", "minReadySeconds"]);
    Some(Service {
        name: object.name().to_owned(),
        kind,
        app: app.unwrap_or_else(|| object.name().to_owned()),
        container: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        replicas,
        min_ready: Micros::from_secs(min_ready.as_u64().unwrap_or(0)),
        address: address.map(|it| it.name().to_owned()),
        live_path: live.filter(|it| Some(it) != path(&container.readiness_probe).as_ref()),
        start: Spread::of(Micros::from_secs(2), Micros::from_secs(6)),
        request: Spread::of(Micros::from_millis(5), Micros::from_millis(40)),
        concurrency: 16,
        queue: 100,
        shutdown: Micros::from_secs(5),
        errors: Share(0),
        full_after: None,
        memory_mb: (0, limit),
        calls: Vec::new(),
        needs_env: Vec::new(),
        needs: Vec::new(),
        schema: SchemaNeed::default(),
    })
}

/// The container that serves, of those of a pod: the first that declares a port, and where none does, the first.
fn serving(containers: &[Container]) -> Option<&Container> {
    let declares = |it: &&Container| it.ports.as_ref().is_some_and(|ports| !ports.is_empty());
    containers.iter().find(declares).or(containers.first())
}

/// What a StatefulSet must satisfy besides: a rollout replaces its pods, and its pods have names.
fn stateful(m: &mut Mistakes, place: &Range<usize>, manifests: &Manifests, object: &Object) {
    let mut wrong = |path: &[&str], message: &str, label: &str, help: &str| {
        let (line, column) = object.line_and_column(path);
        let message = format!(
            "{}:{line}:{column}: the StatefulSet `{}` {message}",
            object.document.name,
            object.name()
        );
        m.add(place.clone(), message, label, help);
    };
    let strategy = ["spec", "updateStrategy", "type"];
    if object.at(&strategy) == "OnDelete" {
        wrong(
            &strategy,
            "has the update strategy OnDelete",
            "no rollout and no undo replaces its pods",
            "write `type: RollingUpdate`, or leave the strategy out",
        );
    }
    let called = object.at(&["spec", "serviceName"]).as_str().unwrap_or("");
    let namespace = object.namespace().unwrap_or_default();
    if !called.is_empty() && manifests.get("Service", namespace, called).is_none() {
        wrong(
            &["spec", "serviceName"],
            &format!("names the Service `{called}`, which is not in the manifests"),
            "its pods have no names in DNS",
            "add that Service with `clusterIP: None`, or name the one that there is",
        );
    }
}

/// Services whose pods have the same label are told apart by the names of their workloads.
pub(super) fn tell_apart(services: &mut [Service]) {
    loop {
        let all: Vec<String> = services.iter().map(|it| it.app.clone()).collect();
        let shared = |it: &&mut Service| {
            it.app != it.name && all.iter().filter(|other| **other == it.app).count() > 1
        };
        let mut renamed = false;
        for service in services.iter_mut().filter(shared) {
            service.app.clone_from(&service.name);
            renamed = true;
        }
        // A name that one has got may be the label of another one.
        if !renamed {
            return;
        }
    }
}

/// What the workloads must satisfy together: they can be told apart, and there are not too many pods.
pub(super) fn all(m: &mut Mistakes, place: &Range<usize>, services: &[Service]) {
    let mut kinds: BTreeMap<&str, WorkloadKind> = BTreeMap::new();
    for service in services {
        if kinds.insert(&service.name, service.kind).is_some() {
            m.add(
                place.clone(),
                format!(
                    "a Deployment and a StatefulSet are both called `{}`",
                    service.name
                ),
                "services are named after them",
                "give one of them another name",
            );
        }
    }
    let pods: u64 = services.iter().map(|it| u64::from(it.replicas)).sum();
    let alone = services.iter().any(|it| it.replicas > PODS_MOST);
    if pods > u64::from(PODS_MOST) && !alone {
        m.add(
            place.clone(),
            format!("the services have {pods} pods together"),
            format!("at most {PODS_MOST} pods can be simulated"),
            "drill a part of the application: fewer replicas, and fewer requests of its clients",
        );
    }
}
