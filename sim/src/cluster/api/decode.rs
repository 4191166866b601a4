//! Bodies into canonical objects: a round trip through the typed struct drops nulls and refuses wrong types, as the API
//! server's decoder does, and what is left is written as Go's encoder writes it, so that a value has one form.

use k8s_openapi::api::{
    apps, autoscaling, batch, coordination, core, discovery, networking, policy, rbac, storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde::de::{DeserializeOwned, Error};
use serde_json::Value as Raw;

use super::quantity;
use crate::cluster::custom::CustomKind;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;

fn round_trip<T: DeserializeOwned + Serialize>(object: &Raw) -> Result<Raw, serde_json::Error> {
    serde_json::to_value(T::deserialize(object)?)
}

/// An object as it is stored, and what a strict decoder says of the fields that its kind does not have.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) object: Value,
    /// The path of each such field.
    pub(crate) unknown: Vec<Vec<String>>,
}

impl Decoded {
    /// In the words of the decoder: `unknown field "spec.containers[0].imge"`.
    pub(crate) fn problems(&self) -> impl Iterator<Item = String> {
        self.unknown.iter().map(|path| {
            let mut written = String::new();
            for step in path {
                let is_position = step.bytes().all(|b| b.is_ascii_digit());
                if is_position {
                    written += &format!("[{step}]");
                } else {
                    let dot = if written.is_empty() { "" } else { "." };
                    written += dot;
                    written += step;
                }
            }
            format!("unknown field {written:?}")
        })
    }
}

/// The canonical form of an object of this kind.
pub(crate) fn canonical(kind: Kind, mut object: Raw) -> Result<Decoded, serde_json::Error> {
    match kind {
        Kind::Custom(of) => return custom(of, &object),
        // A schema's own words look like what is changed below.
        Kind::CustomResourceDefinition => {
            let typed = round_trip::<apiextensions::v1::CustomResourceDefinition>(&object)?;
            return Ok(decoded(&object, typed));
        }
        _ => {}
    }
    let mut wrong = false;
    quantities(&mut object, &mut Vec::new(), &mut |_, v| {
        let Some(text) = quantity_text(v) else {
            return;
        };
        match quantity::canonical(&text) {
            Some(canonical) => *v = canonical.into(),
            None => wrong = true,
        }
    });
    if wrong {
        return Err(serde_json::Error::custom(NO_QUANTITY));
    }
    let typed = match kind {
        Kind::Namespace => round_trip::<core::v1::Namespace>(&object),
        Kind::Node => round_trip::<core::v1::Node>(&object),
        Kind::Pod => round_trip::<core::v1::Pod>(&object),
        Kind::Service => round_trip::<core::v1::Service>(&object),
        Kind::ConfigMap => round_trip::<core::v1::ConfigMap>(&object),
        Kind::Secret => round_trip::<core::v1::Secret>(&object),
        Kind::Event => round_trip::<core::v1::Event>(&object),
        Kind::Deployment => round_trip::<apps::v1::Deployment>(&object),
        Kind::ReplicaSet => round_trip::<apps::v1::ReplicaSet>(&object),
        Kind::EndpointSlice => round_trip::<discovery::v1::EndpointSlice>(&object),
        Kind::Lease => round_trip::<coordination::v1::Lease>(&object),
        Kind::PodDisruptionBudget => round_trip::<policy::v1::PodDisruptionBudget>(&object),
        Kind::ServiceAccount => round_trip::<core::v1::ServiceAccount>(&object),
        Kind::PersistentVolumeClaim => round_trip::<core::v1::PersistentVolumeClaim>(&object),
        Kind::PersistentVolume => round_trip::<core::v1::PersistentVolume>(&object),
        Kind::StatefulSet => round_trip::<apps::v1::StatefulSet>(&object),
        Kind::DaemonSet => round_trip::<apps::v1::DaemonSet>(&object),
        Kind::ControllerRevision => round_trip::<apps::v1::ControllerRevision>(&object),
        Kind::Job => round_trip::<batch::v1::Job>(&object),
        Kind::CronJob => round_trip::<batch::v1::CronJob>(&object),
        Kind::HorizontalPodAutoscaler => {
            round_trip::<autoscaling::v2::HorizontalPodAutoscaler>(&object)
        }
        Kind::Ingress => round_trip::<networking::v1::Ingress>(&object),
        Kind::IngressClass => round_trip::<networking::v1::IngressClass>(&object),
        Kind::NetworkPolicy => round_trip::<networking::v1::NetworkPolicy>(&object),
        Kind::Role => round_trip::<rbac::v1::Role>(&object),
        Kind::RoleBinding => round_trip::<rbac::v1::RoleBinding>(&object),
        Kind::ClusterRole => round_trip::<rbac::v1::ClusterRole>(&object),
        Kind::ClusterRoleBinding => round_trip::<rbac::v1::ClusterRoleBinding>(&object),
        Kind::StorageClass => round_trip::<storage::v1::StorageClass>(&object),
        Kind::CustomResourceDefinition | Kind::Custom(_) => Ok(object.clone()),
    }?;
    let mut typed = typed;
    // In Go a selector that is not given is no empty one.
    if object["spec"]["selector"].is_null()
        && let Some(spec) = typed.get_mut("spec").and_then(Raw::as_object_mut)
    {
        spec.remove("selector");
    }
    let mut unknown = Vec::new();
    missing(&object, &typed, &mut Vec::new(), &mut unknown);
    prune(kind, "", &mut typed);
    Ok(Decoded {
        object: typed.into(),
        unknown,
    })
}

/// An object of a kind that was added: its metadata are typed, the rest is what its schema knows.
fn custom(of: &CustomKind, object: &Raw) -> Result<Decoded, serde_json::Error> {
    let mut kept = crate::cluster::custom::pruned(of.schema(), object);
    if !object["metadata"].is_null() {
        kept["metadata"] = round_trip::<ObjectMeta>(&object["metadata"])?;
    }
    if !kept.is_object() {
        return Err(serde_json::Error::custom("it is no object"));
    }
    Ok(decoded(object, kept))
}

/// What became of an object, without what it has more.
fn decoded(given: &Raw, kept: Raw) -> Decoded {
    let mut unknown = Vec::new();
    missing(given, &kept, &mut Vec::new(), &mut unknown);
    Decoded {
        object: kept.into(),
        unknown,
    }
}

/// The paths of what is in `given`, and not in `kept`.
fn missing(given: &Raw, kept: &Raw, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match (given, kept) {
        (Raw::Object(given), Raw::Object(kept)) => {
            for (name, value) in given.iter().filter(|(_, v)| !v.is_null()) {
                path.push(name.clone());
                match kept.get(name) {
                    Some(kept) => missing(value, kept, path, found),
                    None => found.push(path.clone()),
                }
                path.pop();
            }
        }
        (Raw::Array(given), Raw::Array(kept)) => {
            for (i, (given, kept)) in given.iter().zip(kept).enumerate() {
                path.push(i.to_string());
                missing(given, kept, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

/// Members that hold quantities by name.
const QUANTITIES: [&str; 5] = ["limits", "requests", "overhead", "capacity", "allocatable"];
/// Members that are quantities.
const QUANTITY: [&str; 4] = ["sizeLimit", "divisor", "averageValue", "tolerance"];
/// What an autoscaler holds a metric against; its `value` is a quantity.
const TARGET: [&str; 2] = ["target", "current"];
const NO_QUANTITY: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/// Calls `each` with every quantity and its path.
pub(super) fn quantities(
    v: &mut Raw,
    path: &mut Vec<String>,
    each: &mut dyn FnMut(&[String], &mut Raw),
) {
    match v {
        Raw::Object(m) => {
            for (name, member) in m.iter_mut() {
                path.push(name.clone());
                match member {
                    Raw::Object(by_resource) if QUANTITIES.contains(&name.as_str()) => {
                        for (resource, amount) in by_resource.iter_mut() {
                            path.push(resource.clone());
                            each(path, amount);
                            path.pop();
                        }
                    }
                    // A user's own words, whatever they look like.
                    _ if MAPS.contains(&name.as_str()) => {}
                    _ if QUANTITY.contains(&name.as_str()) => each(path, member),
                    Raw::Object(target) if TARGET.contains(&name.as_str()) => {
                        if let Some(value) = target.get_mut("value") {
                            path.push("value".to_owned());
                            each(path, value);
                            path.pop();
                        }
                        quantities(member, path, each);
                    }
                    _ => quantities(member, path, each),
                }
                path.pop();
            }
        }
        Raw::Array(a) => {
            for (at, item) in a.iter_mut().enumerate() {
                path.push(at.to_string());
                quantities(item, path, each);
                path.pop();
            }
        }
        _ => {}
    }
}

/// What a quantity is written as: a bare number is one, too. Nothing for what can't be one by its type.
pub(super) fn quantity_text(v: &Raw) -> Option<String> {
    match v {
        Raw::String(text) => Some(text.clone()),
        Raw::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Members that are maps with names of the user's choice: their values are left alone, and the empty map left out.
const MAPS: [&str; 14] = [
    "annotations",
    "binaryData",
    "data",
    "disruptedPods",
    "labels",
    "limits",
    "matchLabels",
    "nodeSelector",
    "options",
    "requests",
    "stringData",
    "volumeAttributes",
    "capacity",
    "allocatable",
];

/// Scalars that the Go structs hold by value, with `omitempty`: 0, false and the empty string are the same as nothing.
/// From `api/core/v1/types.go`, `api/apps/v1/types.go` and `apimachinery/pkg/apis/meta/v1/types.go`.
const BY_VALUE: [&str; 67] = [
    "action",
    "availableReplicas",
    "clusterIP",
    "component",
    "containerID",
    "count",
    "dnsPolicy",
    "externalID",
    "externalName",
    "externalTrafficPolicy",
    "failureThreshold",
    "fullyLabeledReplicas",
    "generateName",
    "generation",
    "healthCheckNodePort",
    "host",
    "hostIP",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostPort",
    "imagePullPolicy",
    "initialDelaySeconds",
    "level",
    "loadBalancerIP",
    "medium",
    "minReadySeconds",
    "nodePort",
    "nominatedNodeName",
    "observedGeneration",
    "paused",
    "periodSeconds",
    "phase",
    "podCIDR",
    "podIP",
    "priorityClassName",
    "providerID",
    "publishNotReadyAddresses",
    "qosClass",
    "readyReplicas",
    "resourceVersion",
    "role",
    "schedulerName",
    "scheme",
    "selfLink",
    "serviceAccount",
    "serviceAccountName",
    "sessionAffinity",
    "signal",
    "sizeBytes",
    "stdin",
    "stdinOnce",
    "subPath",
    "subPathExpr",
    "subdomain",
    "successThreshold",
    "targetContainerName",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "timeoutSeconds",
    "tty",
    "uid",
    "unavailableReplicas",
    "unschedulable",
    "updatedReplicas",
    "user",
    "workingDir",
];

/// The values of an `ObjectReference`.
const REFERENCE: [&str; 5] = ["apiVersion", "fieldPath", "kind", "name", "namespace"];

/// Names that stand for a value in one struct and for a pointer, or a field without `omitempty`, in another: the member
/// that holds the struct, and those of its fields that are values.
const BY_VALUE_IN: [(&str, &[&str]); 28] = [
    // The object itself: a Secret, an Event.
    ("", &["message", "reason", "type"]),
    ("involvedObject", &REFERENCE),
    ("related", &REFERENCE),
    ("secrets", &REFERENCE),
    ("claimRef", &REFERENCE),
    // A Service, a CronJob, a StatefulSet, a PersistentVolume, a PersistentVolumeClaim.
    (
        "spec",
        &[
            "type",
            "concurrencyPolicy",
            "podManagementPolicy",
            "persistentVolumeReclaimPolicy",
            "volumeName",
        ],
    ),
    (
        "persistentVolumeClaimRetentionPolicy",
        &["whenDeleted", "whenScaled"],
    ),
    ("updateStrategy", &["type"]),
    ("scaleTargetRef", &["apiVersion"]),
    ("subjects", &["apiGroup", "namespace"]),
    ("taints", &["value"]),
    ("containers", &["image"]),
    ("initContainers", &["image"]),
    ("env", &["value"]),
    ("fieldRef", &["apiVersion"]),
    ("httpGet", &["path"]),
    ("imagePullSecrets", &["name"]),
    ("metadata", &["name", "namespace"]),
    ("ports", &["name", "protocol"]),
    // Of an Ingress: a path, and the port of a Service.
    ("paths", &["path"]),
    ("port", &["name", "number"]),
    ("configMapRef", &["name"]),
    ("resourceFieldRef", &["containerName"]),
    ("secret", &["secretName"]),
    ("secretRef", &["name"]),
    ("strategy", &["type"]),
    ("tolerations", &["key", "operator", "value", "effect"]),
    ("volumeMounts", &["readOnly"]),
];

/// Whether the zero of this scalar is left out of the struct that `holder` names.
fn by_value(kind: Kind, holder: &str, name: &str) -> bool {
    let listed = |(of, names): &(&str, &[&str])| *of == holder && names.contains(&name);
    let slice = kind == Kind::EndpointSlice && holder == "ports";
    match holder {
        "spec" if matches!(name, "hostname" | "nodeName" | "restartPolicy") => true,
        // A claim that asks for no class says so by the empty string.
        "spec" if name == "storageClassName" => kind == Kind::PersistentVolume,
        "conditions" => kind != Kind::PodDisruptionBudget && matches!(name, "message" | "reason"),
        _ => BY_VALUE.contains(&name) || (!slice && BY_VALUE_IN.iter().any(listed)),
    }
}

/// Removes what Go's `omitempty` leaves out: empty lists, empty maps, and the zeros of what is held by value.
fn prune(kind: Kind, holder: &str, v: &mut Raw) {
    match v {
        Raw::Object(m) => {
            // A Service's selector is a map, anybody else's is a struct.
            let map =
                |name: &str| MAPS.contains(&name) || (kind == Kind::Service && name == "selector");
            for (name, member) in m.iter_mut().filter(|(name, _)| !map(name)) {
                prune(kind, name, member);
            }
            m.retain(|name, v| match v {
                Raw::Null => false,
                Raw::Array(a) => !a.is_empty(),
                Raw::Object(o) => !o.is_empty() || !map(name),
                Raw::Bool(false) => !by_value(kind, holder, name),
                Raw::Number(n) => n.as_i64() != Some(0) || !by_value(kind, holder, name),
                Raw::String(s) => !s.is_empty() || !by_value(kind, holder, name),
                Raw::Bool(true) => true,
            });
        }
        Raw::Array(a) => a.iter_mut().for_each(|v| prune(kind, holder, v)),
        _ => {}
    }
}
