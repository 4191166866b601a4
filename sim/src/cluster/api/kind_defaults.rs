//! Defaults of the kinds beside Deployments, ReplicaSets, pods and Services (`pkg/apis/*/v1/defaults.go`).

use super::base64;
use super::defaults::{default_to, member, pod_spec, ports};
use crate::cluster::json::{Map, Value, json};
use crate::cluster::kinds::Kind;
use crate::cluster::value::{at, flag, items, members, remove, set, text};

/// Class of the claims that name none.
pub(crate) const STORAGE_CLASS: &str = "standard";

/// Fills in the defaults of a kind.
pub(super) fn apply(kind: Kind, object: &mut Value) {
    match kind {
        Kind::Secret => secret(object),
        Kind::StatefulSet => stateful_set(object),
        Kind::DaemonSet => daemon_set(object),
        Kind::Job => {
            if let Some(spec) = member(object, &["spec"]) {
                job_spec(spec);
            }
            job_labels(object);
        }
        Kind::CronJob => cron_job(object),
        Kind::HorizontalPodAutoscaler => autoscaler(object),
        Kind::PersistentVolumeClaim => claim(object),
        Kind::PersistentVolume => {
            default_phase(object, "Available");
            if let Some(spec) = member(object, &["spec"]) {
                default_to(spec, "persistentVolumeReclaimPolicy", "Retain");
                default_to(spec, "volumeMode", "Filesystem");
            }
        }
        Kind::StorageClass => {
            if let Some(class) = object.as_object_mut() {
                default_to(class, "reclaimPolicy", "Delete");
                default_to(class, "volumeBindingMode", "Immediate");
            }
        }
        Kind::NetworkPolicy => network_policy(object),
        Kind::RoleBinding | Kind::ClusterRoleBinding => binding(object),
        _ => {}
    }
}

/// What is given as text is kept as base64, and wins over what is there under the same name
/// (`pkg/apis/core/v1/conversion.go` Convert_v1_Secret_To_core_Secret).
fn secret(object: &mut Value) {
    if let Some(secret) = object.as_object_mut() {
        default_to(secret, "type", "Opaque");
    }
    let texts: Vec<(String, String)> = members(object, &["stringData"])
        .map(|(key, text)| (key.to_owned(), text.as_str().unwrap_or("").to_owned()))
        .collect();
    for (key, text) in texts {
        set(object, &["data", &key], base64::encoded(text.as_bytes()));
    }
    remove(object, &["stringData"]);
}

fn template(spec: &mut Map) {
    let template = spec.get_mut("template").and_then(|t| t.get_mut("spec"));
    if let Some(template) = template.and_then(Value::as_object_mut) {
        pod_spec(template);
    }
}

fn stateful_set(object: &mut Value) {
    if let Some(spec) = member(object, &["spec"]) {
        default_to(spec, "replicas", 1);
        default_to(spec, "revisionHistoryLimit", 10);
        default_to(spec, "podManagementPolicy", "OrderedReady");
        default_to(spec, "serviceName", "");
        default_to(spec, "updateStrategy", json!({}));
        let retain = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
        default_to(spec, "persistentVolumeClaimRetentionPolicy", retain);
        template(spec);
        let claims = spec.get_mut("volumeClaimTemplates");
        for one in claims.and_then(Value::as_array_mut).into_iter().flatten() {
            set(one, &["apiVersion"], "v1");
            set(one, &["kind"], "PersistentVolumeClaim");
            default_phase(one, "Pending");
            if let Some(spec) = member(one, &["spec"]) {
                default_to(spec, "volumeMode", "Filesystem");
            }
        }
    }
    if let Some(strategy) = member(object, &["spec", "updateStrategy"]) {
        if strategy.get("type").is_none() {
            strategy.insert("type", "RollingUpdate".into());
            default_to(strategy, "rollingUpdate", json!({}));
        }
        let rolling = strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate");
        let rules = strategy.get_mut("rollingUpdate");
        if let Some(rules) = rules.filter(|_| rolling).and_then(Value::as_object_mut) {
            default_to(rules, "partition", 0);
        }
    }
}

fn daemon_set(object: &mut Value) {
    if let Some(spec) = member(object, &["spec"]) {
        default_to(spec, "revisionHistoryLimit", 10);
        default_to(spec, "updateStrategy", json!({}));
        template(spec);
    }
    if let Some(strategy) = member(object, &["spec", "updateStrategy"]) {
        default_to(strategy, "type", "RollingUpdate");
        if strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate") {
            default_to(strategy, "rollingUpdate", json!({}));
        }
    }
    if let Some(rolling) = member(object, &["spec", "updateStrategy", "rollingUpdate"]) {
        default_to(rolling, "maxUnavailable", 1);
        default_to(rolling, "maxSurge", 0);
    }
}

fn job_spec(spec: &mut Map) {
    if spec.get("completions").is_none() && spec.get("parallelism").is_none() {
        default_to(spec, "completions", 1);
    }
    default_to(spec, "parallelism", 1);
    let per_index = spec.get("backoffLimitPerIndex").is_some();
    default_to(spec, "backoffLimit", if per_index { i32::MAX } else { 6 });
    default_to(spec, "completionMode", "NonIndexed");
    default_to(spec, "suspend", false);
    let policy = spec.get("podFailurePolicy").is_some();
    let replaced = if policy {
        "Failed"
    } else {
        "TerminatingOrFailed"
    };
    default_to(spec, "podReplacementPolicy", replaced);
    default_to(spec, "manualSelector", false);
    template(spec);
}

fn job_labels(job: &mut Value) {
    let own = members(job, &["metadata", "labels"]).count();
    let labels = at(job, &["spec", "template", "metadata", "labels"]).cloned();
    if let Some(labels) = labels.filter(|_| own == 0) {
        set(job, &["metadata", "labels"], labels);
    }
}

/// The labels and the selector by which a new Job knows its pods (`pkg/registry/batch/job/strategy.go`
/// generateSelector).
pub(crate) fn job_selector(job: &mut Value) {
    if flag(job, &["spec", "manualSelector"]) {
        return;
    }
    let uid = text(job, &["metadata", "uid"]).to_owned();
    let name = text(job, &["metadata", "name"]).to_owned();
    for (label, value) in [
        ("job-name", &name),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("batch.kubernetes.io/controller-uid", &uid),
    ] {
        let path = ["spec", "template", "metadata", "labels", label];
        if at(job, &path).is_none() {
            set(job, &path, value.as_str());
        }
    }
    let path = [
        "spec",
        "selector",
        "matchLabels",
        "batch.kubernetes.io/controller-uid",
    ];
    if at(job, &path).is_none() {
        set(job, &path, uid);
    }
}

fn cron_job(object: &mut Value) {
    if let Some(spec) = member(object, &["spec"]) {
        default_to(spec, "concurrencyPolicy", "Allow");
        default_to(spec, "suspend", false);
        default_to(spec, "successfulJobsHistoryLimit", 3);
        default_to(spec, "failedJobsHistoryLimit", 1);
    }
    let path = ["spec", "jobTemplate", "spec", "template", "spec"];
    if let Some(template) = member(object, &path) {
        pod_spec(template);
    }
}

fn autoscaler(object: &mut Value) {
    if let Some(spec) = member(object, &["spec"]) {
        default_to(spec, "minReplicas", 1);
        let metrics = spec.get("metrics").and_then(Value::as_array);
        if metrics.is_none_or(Vec::is_empty) {
            let cpu = json!([{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80},
            }}]);
            spec.insert("metrics", cpu);
        }
    }
    let pods = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
    let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    if let Some(behavior) = member(object, &["spec", "behavior"]) {
        default_to(behavior, "scaleUp", json!({}));
        default_to(behavior, "scaleDown", json!({}));
    }
    if let Some(up) = member(object, &["spec", "behavior", "scaleUp"]) {
        default_to(up, "stabilizationWindowSeconds", 0);
        default_to(up, "selectPolicy", "Max");
        default_to(up, "policies", json!([pods, percent]));
    }
    if let Some(down) = member(object, &["spec", "behavior", "scaleDown"]) {
        default_to(down, "selectPolicy", "Max");
        default_to(down, "policies", json!([percent]));
    }
}

fn default_phase(object: &mut Value, phase: &str) {
    if text(object, &["status", "phase"]).is_empty() {
        set(object, &["status", "phase"], phase);
    }
}

fn claim(object: &mut Value) {
    default_phase(object, "Pending");
    if let Some(spec) = member(object, &["spec"]) {
        default_to(spec, "volumeMode", "Filesystem");
        // By the admission plugin DefaultStorageClass.
        default_to(spec, "storageClassName", STORAGE_CLASS);
    }
}

fn network_policy(object: &mut Value) {
    let egress = !items(object, &["spec", "egress"]).is_empty();
    if let Some(spec) = member(object, &["spec"]) {
        let both = json!(["Ingress", "Egress"]);
        let one = json!(["Ingress"]);
        default_to(spec, "policyTypes", if egress { both } else { one });
        for direction in ["ingress", "egress"] {
            let rules = spec.get_mut(direction).and_then(Value::as_array_mut);
            for rule in rules.into_iter().flatten().filter_map(Value::as_object_mut) {
                for port in ports(rule) {
                    default_to(port, "protocol", "TCP");
                }
            }
        }
    }
}

fn binding(object: &mut Value) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let role = text(object, &["roleRef", "apiGroup"]);
    if at(object, &["roleRef"]).is_some() && role.is_empty() {
        set(object, &["roleRef", "apiGroup"], GROUP);
    }
    let Some(binding) = object.as_object_mut() else {
        return;
    };
    let subjects = binding.get_mut("subjects").and_then(Value::as_array_mut);
    for subject in subjects.into_iter().flatten() {
        let of_people = matches!(text(subject, &["kind"]), "User" | "Group");
        if let Some(subject) = subject.as_object_mut().filter(|_| of_people) {
            default_to(subject, "apiGroup", GROUP);
        }
    }
}
