//! Which nodes a pod may run on, and why it may not on the others, in the words of the scheduler's plugins.
//!
//! As in the scheduler, a node's first plugin that objects is the one that counts
//! (`pkg/scheduler/apis/config/v1/default_plugins.go` has their order).

use super::api::quantity;
use super::api::selectors::LabelSelector;
use super::value::{self, at, items, text};
use crate::cluster::json::{Value, json};

/// What pods ask of a node, besides a place.
const RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// Where a pod says on which nodes it can be at all.
pub(super) const REQUIRED_NODES: [&str; 4] = [
    "spec",
    "affinity",
    "nodeAffinity",
    "requiredDuringSchedulingIgnoredDuringExecution",
];

/// Why a pod may not be put on a node with these pods and so many free places; empty if it may.
pub(super) fn refusals(node: &Value, pod: &Value, there: &[&Value], free: usize) -> Vec<String> {
    let unwilling = unwilling(node, pod).or_else(|| taken(pod, there));
    unwilling.map_or_else(|| lacks(node, pod, there, free), |why| vec![why])
}

/// Why a pod may not be put beside these: another one has a port of the node that it wants (plugin NodePorts). Ports
/// clash whatever address they are bound to, which is stricter than the scheduler is.
fn taken(pod: &Value, there: &[&Value]) -> Option<String> {
    let wanted = host_ports(pod);
    if wanted.is_empty() {
        return None;
    }
    let mut taken = there.iter().flat_map(|other| host_ports(other));
    let why = "node(s) didn't have free ports for the requested pod ports";
    taken
        .any(|port| wanted.contains(&port))
        .then(|| why.to_owned())
}

/// The ports of the node that a pod's containers take, with their protocols.
fn host_ports(pod: &Value) -> Vec<(i64, &str)> {
    let containers = items(pod, &["spec", "containers"]).iter();
    let ports = containers.flat_map(|container| items(container, &["ports"]));
    ports
        .filter_map(|port| Some((value::int(port, &["hostPort"])?, text(port, &["protocol"]))))
        .filter(|(number, _)| *number != 0)
        .collect()
}

/// Why a pod may not be put on a node, however much room there is: it is cordoned, or has a taint that the pod does not
/// tolerate, or is not what the pod selects (plugins NodeUnschedulable, TaintToleration and NodeAffinity).
fn unwilling(node: &Value, pod: &Value) -> Option<String> {
    const CORDONED: &str = "node.kubernetes.io/unschedulable";
    let tolerates = |taint: &Value| {
        let tolerations = items(pod, &["spec", "tolerations"]);
        tolerations.iter().any(|t| tolerated(t, taint))
    };
    let cordon = json!({"key": CORDONED, "effect": "NoSchedule"});
    if value::flag(node, &["spec", "unschedulable"]) && !tolerates(&cordon) {
        return Some("node(s) were unschedulable".to_owned());
    }
    let taint = items(node, &["spec", "taints"]).iter().find(|taint| {
        matches!(text(taint, &["effect"]), "NoSchedule" | "NoExecute") && !tolerates(taint)
    });
    if let Some(taint) = taint {
        return Some(format!(
            "node(s) had untolerated taint {{{}: {}}}",
            text(taint, &["key"]),
            text(taint, &["value"])
        ));
    }
    let wrong = "node(s) didn't match Pod's node affinity/selector";
    (!selected(node, pod)).then(|| wrong.to_owned())
}

/// `spec.nodeSelector`, and the terms that `spec.affinity.nodeAffinity` requires: of them one must hold, with all its
/// expressions (`component-helpers/scheduling/corev1/nodeaffinity`).
fn selected(node: &Value, pod: &Value) -> bool {
    let labels = at(node, &["metadata", "labels"]);
    let matches = |term: &Value| {
        let fields = items(term, &["matchFields"]);
        let by_labels = LabelSelector::of_object(term);
        !(by_labels.is_empty() && fields.is_empty())
            && by_labels.matches_labels(labels)
            && fields.iter().all(|field| named(node, field))
    };
    let by_affinity = at(pod, &REQUIRED_NODES)
        .is_none_or(|required| items(required, &["nodeSelectorTerms"]).iter().any(matches));
    LabelSelector::of_map(at(pod, &["spec", "nodeSelector"])).matches_labels(labels) && by_affinity
}

/// Whether a node has a name that a term's field asks for; there is no other field.
fn named(node: &Value, field: &Value) -> bool {
    let listed = items(field, &["values"])
        .iter()
        .any(|v| v == value::name(node));
    match (text(field, &["key"]), text(field, &["operator"])) {
        ("metadata.name", "In") => listed,
        ("metadata.name", "NotIn") => !listed,
        _ => false,
    }
}

/// Whether a DaemonSet's pod should run on a node, and whether one that runs there may go on
/// (`pkg/controller/daemon/daemon_controller.go` NodeShouldRunDaemonPod).
pub(super) fn daemon_fits(node: &Value, pod: &Value) -> (bool, bool) {
    let wanted = text(pod, &["spec", "nodeName"]);
    if !(wanted.is_empty() || wanted == value::name(node)) || !selected(node, pod) {
        return (false, false);
    }
    let untolerated = |effects: &[&str]| {
        let tolerations = items(pod, &["spec", "tolerations"]);
        items(node, &["spec", "taints"]).iter().any(|taint| {
            effects.contains(&text(taint, &["effect"]))
                && !tolerations.iter().any(|t| tolerated(t, taint))
        })
    };
    let runs = !untolerated(&["NoSchedule", "NoExecute"]);
    (runs, runs || !untolerated(&["NoExecute"]))
}

/// What a node has too little of (`framework/plugins/noderesources/fit.go` fitsRequest). A node that does not say how
/// much it has of something has enough.
fn lacks(node: &Value, pod: &Value, there: &[&Value], free: usize) -> Vec<String> {
    let mut lacking = Vec::new();
    if free == 0 {
        lacking.push("Too many pods".to_owned());
    }
    for resource in RESOURCES {
        let asked = requested(pod, resource);
        let has = text(node, &["status", "allocatable", resource]);
        let Some(has) = quantity::nanos(has).filter(|_| asked > 0) else {
            continue;
        };
        let used: i128 = there.iter().map(|p| requested(p, resource)).sum();
        if used + asked > has {
            lacking.push(format!("Insufficient {resource}"));
        }
    }
    lacking
}

/// What a pod asks of a resource, in billionths: all its containers and sidecars together, or what an init container
/// needs with the sidecars before it, if that is more (`component-helpers/resource/helpers.go` PodRequests).
pub(super) fn requested(pod: &Value, resource: &str) -> i128 {
    let of = |container: &Value| {
        // Where only a limit is given, the API server makes it the request, too.
        let given = ["requests", "limits"]
            .iter()
            .find_map(|field| at(container, &["resources", field, resource]));
        let given = given.map(|given| match given.as_str() {
            Some(text) => quantity::nanos(text),
            None => quantity::nanos(&given.to_string()),
        });
        given.flatten().unwrap_or(0)
    };
    let (mut sidecars, mut most) = (0, 0);
    for init in items(pod, &["spec", "initContainers"]) {
        if value::is_sidecar(init) {
            sidecars += of(init);
            most = most.max(sidecars);
        } else {
            most = most.max(sidecars + of(init));
        }
    }
    let containers: i128 = items(pod, &["spec", "containers"]).iter().map(of).sum();
    most.max(containers + sidecars)
}

/// `Toleration.ToleratesTaint` (`api/core/v1/toleration.go`).
fn tolerated(toleration: &Value, taint: &Value) -> bool {
    let (of, on) = (
        |f: &str| text(toleration, &[f]),
        |f: &str| text(taint, &[f]),
    );
    let any_or_same = |f: &str| of(f).is_empty() || of(f) == on(f);
    any_or_same("effect")
        && any_or_same("key")
        && match of("operator") {
            "" | "Equal" => of("value") == on("value"),
            operator => operator == "Exists",
        }
}
