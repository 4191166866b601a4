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
    pub(crate) unknown: Vec<String>,
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
    quantities(&mut object)?;
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
    let mut unknown = Vec::new();
    missing(&object, &typed, "", &mut unknown);
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
    missing(given, &kept, "", &mut unknown);
    Decoded {
        object: kept.into(),
        unknown,
    }
}

/// What a strict decoder says of what is in `given`, and not in `kept`.
fn missing(given: &Raw, kept: &Raw, path: &str, found: &mut Vec<String>) {
    match (given, kept) {
        (Raw::Object(given), Raw::Object(kept)) => {
            for (name, value) in given.iter().filter(|(_, v)| !v.is_null()) {
                let here = match path {
                    "" => name.clone(),
                    path => format!("{path}.{name}"),
                };
                match kept.get(name) {
                    Some(kept) => missing(value, kept, &here, found),
                    None => found.push(format!("unknown field {here:?}")),
                }
            }
        }
        (Raw::Array(given), Raw::Array(kept)) => {
            for (i, (given, kept)) in given.iter().zip(kept).enumerate() {
                missing(given, kept, &format!("{path}[{i}]"), found);
            }
        }
        _ => {}
    }
}

/// Members that hold quantities by name.
const QUANTITIES: [&str; 4] = ["limits", "requests", "capacity", "allocatable"];

/// Writes every quantity in its canonical form; a bare number is one, too.
fn quantities(v: &mut Raw) -> Result<(), serde_json::Error> {
    match v {
        Raw::Object(m) => {
            for (name, member) in m.iter_mut() {
                match member {
                    Raw::Object(by_resource) if QUANTITIES.contains(&name.as_str()) => {
                        by_resource.values_mut().try_for_each(quantity)?;
                    }
                    // A user's own words, whatever they look like.
                    _ if MAPS.contains(&name.as_str()) => {}
                    _ if matches!(name.as_str(), "sizeLimit" | "divisor") => quantity(member)?,
                    _ => quantities(member)?,
                }
            }
            Ok(())
        }
        Raw::Array(a) => a.iter_mut().try_for_each(quantities),
        _ => Ok(()),
    }
}

fn quantity(v: &mut Raw) -> Result<(), serde_json::Error> {
    let text = match &*v {
        Raw::String(text) => text.clone(),
        Raw::Number(number) => number.to_string(),
        _ => return Ok(()),
    };
    let canonical = quantity::canonical(&text).ok_or_else(|| {
        serde_json::Error::custom(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        )
    })?;
    *v = canonical.into();
    Ok(())
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
const BY_VALUE_IN: [(&str, &[&str]); 19] = [
    // The object itself: a Secret, an Event.
    ("", &["message", "reason", "type"]),
    ("involvedObject", &REFERENCE),
    ("related", &REFERENCE),
    // A Service.
    ("spec", &["type"]),
    ("containers", &["image"]),
    ("initContainers", &["image"]),
    ("env", &["value"]),
    ("fieldRef", &["apiVersion"]),
    ("httpGet", &["path"]),
    ("imagePullSecrets", &["name"]),
    ("metadata", &["name", "namespace"]),
    ("ports", &["name", "protocol"]),
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
