//! Rules of the kinds beside Deployments, ReplicaSets and pods, as far as a chart is likely to run into them
//! (`pkg/apis/*/validation`).

use super::field_errors::Errors;
use super::pod_spec::pod_spec;
use super::selectors::LabelSelector;
use super::validate::{labels, not_negative};
use crate::cluster::custom::{self, Violation};
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::value::{annotation, at, flag, int, items, name, remove, text};

const IMMUTABLE: &str = "field is immutable";

/// Checks what an object of a kind holds.
pub(super) fn content(kind: Kind, object: &Value, errors: &mut Errors) {
    match kind {
        Kind::Secret => secret(object, errors),
        Kind::StatefulSet => stateful_set(object, errors),
        Kind::DaemonSet => daemon_set(object, errors),
        Kind::Job => job(object, errors),
        Kind::CronJob if text(object, &["spec", "schedule"]).is_empty() => {
            errors.required("spec.schedule");
        }
        Kind::HorizontalPodAutoscaler => autoscaler(object, errors),
        Kind::PersistentVolumeClaim => {
            if items(object, &["spec", "accessModes"]).is_empty() {
                errors.requires("spec.accessModes", "at least 1 access mode is required");
            }
            if at(object, &["spec", "resources", "requests", "storage"]).is_none() {
                errors.required("spec.resources[storage]");
            }
        }
        Kind::StorageClass if text(object, &["provisioner"]).is_empty() => {
            errors.required("provisioner");
        }
        Kind::Ingress => ingress(object, errors),
        Kind::RoleBinding | Kind::ClusterRoleBinding => {
            for field in ["kind", "name"] {
                if text(object, &["roleRef", field]).is_empty() {
                    errors.required(&format!("roleRef.{field}"));
                }
            }
        }
        Kind::CustomResourceDefinition => definition(object, errors),
        Kind::Custom(of) => {
            for violation in custom::violations(of.schema(), &object.into()) {
                match violation {
                    Violation::Missing(field) => errors.required(&field),
                    Violation::Type(field, is, wanted) => {
                        let why = format!("{field} in body must be of type {wanted}: {is:?}");
                        errors.invalid(&field, &is.into(), &why);
                    }
                    Violation::NotAllowed(field, value, allowed) => {
                        let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
                        errors.not_supported(&field, &value, &allowed);
                    }
                }
            }
        }
        _ => {}
    }
}

/// Checks what may not change.
pub(super) fn update(kind: Kind, old: &Value, new: &Value, errors: &mut Errors) {
    let mut keeps = |paths: &[&[&str]], why: &str| {
        for path in paths.iter().filter(|path| at(old, path) != at(new, path)) {
            let value = at(new, path).cloned().unwrap_or(Value::Null);
            errors.invalid(&path.join("."), &value, why);
        }
    };
    match kind {
        Kind::Secret => keeps(&[&["type"]], IMMUTABLE),
        Kind::Deployment | Kind::ReplicaSet | Kind::DaemonSet => {
            keeps(&[&["spec", "selector"]], IMMUTABLE);
        }
        Kind::Job => {
            // A suspended Job that has not begun may be changed, which is not served here.
            let fixed: &[&[&str]] = &[
                &["spec", "completions"],
                &["spec", "selector"],
                &["spec", "template"],
                &["spec", "completionMode"],
            ];
            keeps(fixed, IMMUTABLE);
        }
        Kind::ControllerRevision => keeps(&[&["data"]], IMMUTABLE),
        Kind::RoleBinding | Kind::ClusterRoleBinding => {
            keeps(&[&["roleRef"]], "cannot change roleRef");
        }
        Kind::StorageClass => {
            for field in [
                "parameters",
                "provisioner",
                "reclaimPolicy",
                "volumeBindingMode",
            ] {
                if old.get(field) != new.get(field) {
                    errors.forbidden(field, &format!("updates to {field} are forbidden."));
                }
            }
        }
        Kind::CustomResourceDefinition => {
            keeps(
                &[
                    &["spec", "group"],
                    &["spec", "scope"],
                    &["spec", "names", "plural"],
                ],
                IMMUTABLE,
            );
        }
        Kind::StatefulSet => {
            const FREE: [&str; 7] = [
                "replicas",
                "template",
                "updateStrategy",
                "minReadySeconds",
                "ordinals",
                "revisionHistoryLimit",
                "persistentVolumeClaimRetentionPolicy",
            ];
            if fixed(old, &FREE) != fixed(new, &FREE) {
                errors.forbidden(
                    "spec",
                    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
                );
            }
        }
        Kind::PersistentVolumeClaim => {
            const FREE: [&str; 3] = ["resources", "volumeAttributesClassName", "volumeName"];
            if fixed(old, &FREE) != fixed(new, &FREE) {
                errors.forbidden(
                    "spec",
                    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
                );
            }
        }
        _ => {}
    }
}

/// The spec without the fields that may change.
fn fixed(object: &Value, free: &[&str]) -> Value {
    let mut spec = object.get("spec").cloned().unwrap_or(Value::Null);
    for field in free {
        remove(&mut spec, &[field]);
    }
    spec
}

/// `ValidateSecret`.
fn secret(object: &Value, errors: &mut Errors) {
    let has = |key: &str| at(object, &["data", key]).is_some();
    let keys: &[&str] = match text(object, &["type"]) {
        "kubernetes.io/service-account-token" => {
            const ACCOUNT: &str = "kubernetes.io/service-account.name";
            if annotation(object, ACCOUNT).is_none_or(str::is_empty) {
                errors.required(&format!("metadata.annotations[{ACCOUNT}]"));
            }
            &[]
        }
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/basic-auth" => {
            if !has("username") && !has("password") {
                errors.required("data[username]");
                errors.required("data[password]");
            }
            &[]
        }
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        _ => &[],
    };
    for key in keys.iter().filter(|key| !has(key)) {
        errors.required(&format!("data[{key}]"));
    }
}

/// Selector and template of what keeps pods of its own.
pub(super) fn keeps_pods(object: &Value, what: &str, errors: &mut Errors) {
    let in_template = at(object, &["spec", "template", "metadata", "labels"]);
    match at(object, &["spec", "selector"]) {
        None => errors.required("spec.selector"),
        Some(selector) => {
            let parsed = LabelSelector::of_object(selector);
            if parsed.is_empty() {
                let why = format!("empty selector is invalid for {what}");
                errors.invalid("spec.selector", selector, &why);
            } else if !parsed.matches_labels(in_template) {
                let labels = in_template.unwrap_or(&Value::Null);
                let why = "`selector` does not match template `labels`";
                errors.invalid("spec.template.metadata.labels", labels, why);
            }
        }
    }
    pod_template(object, errors);
}

fn pod_template(object: &Value, errors: &mut Errors) {
    let template = at(object, &["spec", "template"]).unwrap_or(&Value::Null);
    labels(template, "spec.template.labels", errors);
    let spec = at(template, &["spec"]).unwrap_or(&Value::Null);
    pod_spec(spec, "spec.template.spec", errors);
}

pub(super) fn runs_for_ever(object: &Value, what: &str, errors: &mut Errors) {
    let spec = at(object, &["spec", "template", "spec"]).unwrap_or(&Value::Null);
    let policy = text(spec, &["restartPolicy"]);
    if policy != "Always" {
        errors.not_supported("spec.template.spec.restartPolicy", policy, &["Always"]);
    }
    if at(spec, &["activeDeadlineSeconds"]).is_some() {
        let why = format!("activeDeadlineSeconds in {what} is not Supported");
        errors.forbidden("spec.template.spec.activeDeadlineSeconds", &why);
    }
}

/// `ValidateStatefulSetSpec`.
fn stateful_set(object: &Value, errors: &mut Errors) {
    let spec = |path: &[&str]| text(object, &[&["spec"][..], path].concat()).to_owned();
    let policy = spec(&["podManagementPolicy"]);
    if !matches!(policy.as_str(), "OrderedReady" | "Parallel") {
        let why = "must be 'OrderedReady' or 'Parallel'";
        errors.invalid("spec.podManagementPolicy", &policy.into(), why);
    }
    let strategy = at(object, &["spec", "updateStrategy"]).unwrap_or(&Value::Null);
    let rolling = strategy.get("rollingUpdate");
    match (text(strategy, &["type"]), rolling) {
        ("OnDelete", Some(rolling)) => errors.invalid(
            "spec.updateStrategy.rollingUpdate",
            rolling,
            "only allowed for updateStrategy 'RollingUpdate'",
        ),
        ("OnDelete", None) => {}
        ("RollingUpdate", _) => {
            let path = ["spec", "updateStrategy", "rollingUpdate", "partition"];
            not_negative(object, &path, errors);
        }
        _ => errors.invalid(
            "spec.updateStrategy",
            strategy,
            "must be 'RollingUpdate' or 'OnDelete'",
        ),
    }
    for path in [
        &["spec", "replicas"][..],
        &["spec", "minReadySeconds"],
        &["spec", "ordinals", "start"],
    ] {
        not_negative(object, path, errors);
    }
    keeps_pods(object, "statefulset", errors);
    runs_for_ever(object, "StatefulSet", errors);
}

/// `ValidateDaemonSetSpec`.
fn daemon_set(object: &Value, errors: &mut Errors) {
    keeps_pods(object, "daemonset", errors);
    runs_for_ever(object, "DaemonSet", errors);
    not_negative(object, &["spec", "minReadySeconds"], errors);
    let strategy = at(object, &["spec", "updateStrategy"]).unwrap_or(&Value::Null);
    match text(strategy, &["type"]) {
        "OnDelete" => {}
        "RollingUpdate" => {
            let none = |field: &str| match at(strategy, &["rollingUpdate", field]) {
                None => true,
                Some(Value::String(percent)) => percent.trim_end_matches('%') == "0",
                Some(number) => number.as_i64() == Some(0),
            };
            let shown = |field: &str| format!("spec.updateStrategy.rollingUpdate.{field}");
            match (none("maxUnavailable"), none("maxSurge")) {
                (true, true) => {
                    let why = "cannot be 0 when maxSurge is 0";
                    errors.requires(&shown("maxUnavailable"), why);
                }
                (false, false) => {
                    let surge = at(strategy, &["rollingUpdate", "maxSurge"]);
                    let why = "may not be set when maxUnavailable is non-zero";
                    errors.invalid(&shown("maxSurge"), surge.unwrap_or(&Value::Null), why);
                }
                _ => {}
            }
        }
        other => {
            let supported = ["RollingUpdate", "OnDelete"];
            errors.not_supported("spec.updateStrategy.type", other, &supported);
        }
    }
    not_negative(object, &["spec", "revisionHistoryLimit"], errors);
}

/// `validateJobSpec`.
fn job(object: &Value, errors: &mut Errors) {
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    ] {
        not_negative(object, &["spec", field], errors);
    }
    let mode = text(object, &["spec", "completionMode"]);
    if mode != "NonIndexed" {
        errors.not_supported("spec.completionMode", mode, &["NonIndexed"]);
    }
    pod_template(object, errors);
    let policy = text(object, &["spec", "template", "spec", "restartPolicy"]);
    if matches!(policy, "" | "Always") {
        let what = "valid values: \"OnFailure\", \"Never\"";
        errors.requires("spec.template.spec.restartPolicy", what);
    }
}

fn autoscaler(object: &Value, errors: &mut Errors) {
    let most = int(object, &["spec", "maxReplicas"]).unwrap_or(0);
    let least = int(object, &["spec", "minReplicas"]).unwrap_or(1);
    if least < 1 {
        let why = "must be greater than or equal to 1";
        errors.invalid("spec.minReplicas", &least.into(), why);
    }
    if most < 1 {
        errors.invalid("spec.maxReplicas", &most.into(), "must be greater than 0");
    } else if most < least {
        let why = "must be greater than or equal to `minReplicas`";
        errors.invalid("spec.maxReplicas", &most.into(), why);
    }
    for field in ["kind", "name"] {
        if text(object, &["spec", "scaleTargetRef", field]).is_empty() {
            errors.required(&format!("spec.scaleTargetRef.{field}"));
        }
    }
}

fn ingress(object: &Value, errors: &mut Errors) {
    let rules = items(object, &["spec", "rules"]);
    if rules.is_empty() && at(object, &["spec", "defaultBackend"]).is_none() {
        let why = "either `defaultBackend` or `rules` must be specified";
        errors.invalid("spec", &Vec::new().into(), why);
    }
    for (i, rule) in rules.iter().enumerate() {
        for (j, path) in items(rule, &["http", "paths"]).iter().enumerate() {
            let shown = format!("spec.rules[{i}].http.paths[{j}]");
            match text(path, &["pathType"]) {
                "" => errors.requires(&format!("{shown}.pathType"), "pathType must be specified"),
                "Exact" | "Prefix" => {
                    let at = text(path, &["path"]);
                    if !at.starts_with('/') {
                        let why = "must be an absolute path";
                        errors.invalid(&format!("{shown}.path"), &at.into(), why);
                    }
                }
                "ImplementationSpecific" => {}
                other => {
                    let supported = ["Exact", "ImplementationSpecific", "Prefix"];
                    errors.not_supported(&format!("{shown}.pathType"), other, &supported);
                }
            }
        }
    }
}

fn definition(object: &Value, errors: &mut Errors) {
    let spec = |path: &[&str]| text(object, &[&["spec"][..], path].concat()).to_owned();
    let wanted = format!("{}.{}", spec(&["names", "plural"]), spec(&["group"]));
    if name(object) != wanted {
        let why = "must be spec.names.plural+\".\"+spec.group";
        errors.invalid("metadata.name", &name(object).into(), why);
    }
    for path in [&["group"][..], &["names", "plural"], &["names", "kind"]] {
        if spec(path).is_empty() {
            errors.required(&format!("spec.{}", path.join(".")));
        }
    }
    if !matches!(spec(&["scope"]).as_str(), "Cluster" | "Namespaced") {
        errors.not_supported("spec.scope", &spec(&["scope"]), &["Cluster", "Namespaced"]);
    }
    let versions = items(object, &["spec", "versions"]);
    let stored = versions.iter().filter(|it| flag(it, &["storage"])).count();
    if stored != 1 {
        let why = "must have exactly one version marked as storage version";
        errors.invalid("spec.versions", &versions.to_vec().into(), why);
    }
    for (i, version) in versions.iter().enumerate() {
        if at(version, &["schema", "openAPIV3Schema"]).is_none() {
            let what = "schemas are required";
            errors.requires(&format!("spec.versions[{i}].schema.openAPIV3Schema"), what);
        }
    }
}
