//! Objects that bodies create. Nothing runs their pods: they ask for a node that no cluster has, so a body sees what
//! the server and the controllers do, and no kubelet takes part.

use serde_json::{Value, json};

/// An image that is never pulled.
pub(super) const IMAGE: &str = "conformance/web:1";

/// A ConfigMap with one key.
pub(super) fn map(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name}, "data": {"key": "value"},
    })
}

/// The spec of a pod that no scheduler places.
pub(super) fn pod_spec() -> Value {
    json!({
        "nodeSelector": {"firedrill.example/no-such-node": "true"},
        "containers": [{"name": "web", "image": IMAGE}],
    })
}

/// A pod that stays pending, with the label `app`.
pub(super) fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}}, "spec": pod_spec(),
    })
}

/// The template of such pods.
fn template(name: &str) -> Value {
    json!({"metadata": {"labels": {"app": name}}, "spec": pod_spec()})
}

/// A workload of `apps/v1` whose pods stay pending.
fn workload(kind: &str, name: &str, replicas: Option<u32>) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template(name)},
    });
    if let Some(replicas) = replicas {
        object["spec"]["replicas"] = replicas.into();
    }
    object
}

pub(super) fn deployment(name: &str, replicas: u32) -> Value {
    workload("Deployment", name, Some(replicas))
}

pub(super) fn replica_set(name: &str, replicas: u32) -> Value {
    workload("ReplicaSet", name, Some(replicas))
}

pub(super) fn stateful_set(name: &str, replicas: u32) -> Value {
    let mut object = workload("StatefulSet", name, Some(replicas));
    object["spec"]["serviceName"] = name.into();
    object
}

pub(super) fn daemon_set(name: &str) -> Value {
    workload("DaemonSet", name, None)
}

/// A patch that gives the first container another image.
pub(super) fn image(image: &str) -> Value {
    json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}})
}

/// A Job whose pods stay pending.
pub(super) fn job(name: &str) -> Value {
    let mut spec = pod_spec();
    spec["restartPolicy"] = "Never".into();
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"template": {"spec": spec}},
    })
}

/// A CronJob that never comes due: on the thirtieth of February.
pub(super) fn cron_job(name: &str) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name},
        "spec": {"schedule": "0 0 30 2 *", "jobTemplate": {"spec": job(name)["spec"]}},
    })
}

/// A Service of port 80 for the pods of `name`.
pub(super) fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
    })
}

pub(super) fn lease(name: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name},
        "spec": {"holderIdentity": "one", "leaseDurationSeconds": 15},
    })
}

/// A budget for the pods of `name`.
pub(super) fn budget(name: &str, spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}},
    });
    if let (Some(fields), Some(more)) = (object["spec"].as_object_mut(), spec.as_object()) {
        fields.extend(more.clone());
    }
    object
}

pub(super) fn autoscaler(name: &str) -> Value {
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "maxReplicas": 3,
        },
    })
}
