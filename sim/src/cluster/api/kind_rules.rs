//! Rules of the kinds beside Deployments, ReplicaSets and pods, as far as a chart is likely to run into them
//! (`pkg/apis/*/validation`).

use super::field_errors::Errors;
use super::field_path::FieldPath;
use super::pod_spec::{annotation_map, label_map, pod_spec};
use super::selectors::LabelSelector;
use super::validate::{at_most_all, count_or_percent, not_negative};
use super::{ingress, jobs, names, services};
use crate::cluster::custom::{self, Violation};
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::value::{at, flag, int, items, name, remove, text};

const IMMUTABLE: &str = "field is immutable";

/// Checks what an object of a kind holds.
pub(super) fn content(kind: Kind, object: &Value, errors: &mut Errors) {
    match kind {
        Kind::StatefulSet => stateful_set(object, errors),
        Kind::DaemonSet => daemon_set(object, errors),
        Kind::Job => jobs::job(object, errors),
        Kind::CronJob => jobs::cron_job(object, errors),
        Kind::HorizontalPodAutoscaler => autoscaler(object, errors),
        Kind::Service => services::service(object, errors),
        Kind::PodDisruptionBudget => budget(object, errors),
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
        Kind::Ingress => ingress::ingress(object, errors),
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
        Kind::Service => services::keeps_addresses(old, new, errors),
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

/// Selector and template of what keeps pods of its own; for a StatefulSet, `claims` are the names
/// of the claims that it makes for them.
pub(super) fn keeps_pods(object: &Value, what: &str, claims: Option<&[&str]>, errors: &mut Errors) {
    let in_template = at(object, &["spec", "template", "metadata", "labels"]);
    let selector = at(object, &["spec", "selector"]);
    let before = errors.count();
    match selector {
        // That of a DaemonSet is not asked for, and matches nothing.
        None if what == "daemonset" => {}
        None => errors.required("spec.selector"),
        Some(selector) => label_selector(selector, &FieldPath::At("spec.selector"), errors),
    }
    let readable = selector.is_none() || errors.count() == before;
    let parsed = selector.map(LabelSelector::of_object);
    if let Some(selector) = selector
        && parsed.as_ref().is_some_and(LabelSelector::is_empty)
    {
        let why = format!("empty selector is invalid for {what}");
        errors.invalid("spec.selector", selector, &why);
    } else if !readable && what != "daemonset" {
        // The pods are not looked at then.
        let why = match what {
            "statefulset" => "",
            _ => "invalid label selector",
        };
        let selector = selector.unwrap_or(&Value::Null);
        errors.invalid_text("spec.selector", &written(selector), why);
        return;
    } else if readable && !parsed.is_some_and(|it| it.matches_labels(in_template)) {
        let labels = in_template.unwrap_or(&Value::Null);
        let why = "`selector` does not match template `labels`";
        errors.invalid("spec.template.metadata.labels", labels, why);
    }
    let template = at(object, &["spec", "template"]).unwrap_or(&Value::Null);
    let shown = FieldPath::At("spec.template");
    pod_template(template, claims, &shown, errors);
    if claims.is_some() {
        // Upstream looks twice (`ValidatePodTemplateSpecForStatefulSet`).
        template_metadata(template, &shown, errors);
    }
}

/// A selector as Go writes it: in the order of the struct's fields.
fn written(selector: &Value) -> String {
    let fields = ["matchLabels", "matchExpressions"].into_iter();
    let given = fields.filter_map(|field| Some((field, selector.get(field)?)));
    let parts: Vec<String> = given.map(|(field, it)| format!("{field:?}:{it}")).collect();
    format!("{{{}}}", parts.join(","))
}

/// `ValidateLabelSelector`.
pub(super) fn label_selector(selector: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    label_map(
        selector,
        &["matchLabels"],
        &shown.child("matchLabels"),
        errors,
    );
    let list = shown.child("matchExpressions");
    for (nth, expression) in items(selector, &["matchExpressions"]).iter().enumerate() {
        let shown = list.index(nth);
        let values = items(expression, &["values"]);
        let in_values = shown.child("values");
        match text(expression, &["operator"]) {
            "In" | "NotIn" => {
                if values.is_empty() {
                    let why = "must be specified when `operator` is 'In' or 'NotIn'";
                    errors.requires(&in_values, why);
                }
            }
            "Exists" | "DoesNotExist" => {
                if !values.is_empty() {
                    let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                    errors.forbidden(&in_values, why);
                }
            }
            other => {
                let value = other.to_owned().into();
                errors.invalid(
                    &shown.child("operator"),
                    &value,
                    "not a valid selector operator",
                );
            }
        }
        let key = text(expression, &["key"]);
        let wrong = names::qualified(key);
        errors.each_invalid(&shown.child("key"), &key.to_owned().into(), &wrong);
        for (nth, value) in values.iter().enumerate() {
            let wrong = names::label_value(value.as_str().unwrap_or(""));
            errors.each_invalid(&in_values.index(nth), value, &wrong);
        }
    }
}

/// `ValidatePodTemplateSpec`; for a StatefulSet, `claims` are the names of the claims that it makes for its pods.
pub(super) fn pod_template(
    template: &Value,
    claims: Option<&[&str]>,
    shown: &FieldPath<'_>,
    errors: &mut Errors,
) {
    template_metadata(template, shown, errors);
    let spec = at(template, &["spec"]).unwrap_or(&Value::Null);
    pod_spec(spec, claims, &shown.child("spec"), errors);
}

/// The labels and annotations of a template, which upstream writes without its `metadata`.
fn template_metadata(template: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let labels = shown.child("labels");
    label_map(template, &["metadata", "labels"], &labels, errors);
    annotation_map(template, &shown.child("annotations"), errors);
}

/// `ValidatePodDisruptionBudgetSpec`.
fn budget(object: &Value, errors: &mut Errors) {
    let spec = at(object, &["spec"]).unwrap_or(&Value::Null);
    let bounds = ["minAvailable", "maxUnavailable"];
    if bounds.iter().all(|it| spec.get(it).is_some()) {
        let why = "minAvailable and maxUnavailable cannot be both set";
        errors.invalid("spec", spec, why);
    }
    for field in bounds {
        if let Some(value) = spec.get(field) {
            let shown = format!("spec.{field}");
            count_or_percent(value, &shown, errors);
            at_most_all(value, &shown, errors);
        }
    }
    if let Some(selector) = spec.get("selector") {
        label_selector(selector, &FieldPath::At("spec.selector"), errors);
    }
    let field = "unhealthyPodEvictionPolicy";
    let policies = ["AlwaysAllow", "IfHealthyBudget"];
    match text(spec, &[field]) {
        "" => {}
        word if policies.contains(&word) => {}
        word => errors.not_supported(&format!("spec.{field}"), word, &policies),
    }
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
        ("OnDelete", Some(rolling)) => {
            // The names are those of Go's struct, which has no others.
            let field = |name: &str| rolling.get(name).unwrap_or(&Value::Null);
            let (partition, most) = (field("partition"), field("maxUnavailable"));
            let written = format!(r#"{{"Partition":{partition},"MaxUnavailable":{most}}}"#);
            let why = "only allowed for updateStrategy 'RollingUpdate'";
            errors.invalid_text("spec.updateStrategy.rollingUpdate", &written, why);
        }
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
    let service = text(object, &["spec", "serviceName"]);
    if !service.is_empty() {
        let wrong = names::label(service);
        errors.each_invalid("spec.serviceName", &service.to_owned().into(), &wrong);
    }
    let claims = items(object, &["spec", "volumeClaimTemplates"]);
    let claims: Vec<&str> = claims.iter().map(name).collect();
    keeps_pods(object, "statefulset", Some(&claims), errors);
    runs_for_ever(object, "StatefulSet", errors);
}

/// `ValidateDaemonSetSpec`.
fn daemon_set(object: &Value, errors: &mut Errors) {
    keeps_pods(object, "daemonset", None, errors);
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
