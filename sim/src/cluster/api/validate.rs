//! Validation: the rules that a rollback can run into. Every cause is named, not only the first, in the order in which
//! a server finds them (`pkg/apis/apps/validation`, `pkg/apis/core/validation`, `apimachinery/pkg/api/validation`).

use super::field_errors::{Errors, regex_error};
use super::field_path::FieldPath;
use super::pod_spec::{annotation_map, label_map, pod_spec};
use super::status::ApiError;
use super::{configuration, kind_rules, metadata, names};
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::value::{at, flag, int, name, namespace, text};

pub(super) const NEGATIVE: &str = "must be greater than or equal to 0";

/// What the name of an object of a kind may look like (`ValidateNameFunc` of its strategy).
fn name_rule(kind: Kind) -> fn(&str) -> Vec<String> {
    match kind {
        Kind::Service => names::label_that_begins_with_a_letter,
        Kind::Namespace | Kind::StatefulSet => names::label,
        Kind::Role | Kind::RoleBinding | Kind::ClusterRole | Kind::ClusterRoleBinding => {
            names::path_segment
        }
        _ => names::subdomain,
    }
}

/// Everything for which an object is not created.
pub(super) fn of_new(kind: Kind, object: &Value) -> Errors {
    let called = name(object);
    let mut errors = Errors::default();
    let wrong = name_rule(kind)(called);
    errors.each_invalid("metadata.name", &called.into(), &wrong);
    let space = namespace(object);
    if kind.namespaced() && !space.is_empty() {
        errors.each_invalid("metadata.namespace", &space.into(), &names::label(space));
    }
    content(kind, object, &mut errors);
    errors
}

/// Checks an object that is to be created.
pub(crate) fn create(kind: Kind, object: &Value) -> Result<(), ApiError> {
    of_new(kind, object).into_result(kind, name(object))
}

/// Checks an object that is to replace `old`.
pub(crate) fn update(kind: Kind, old: &Value, new: &Value) -> Result<(), ApiError> {
    let mut errors = Errors::default();
    metadata::finalizers(old, new, &mut errors);
    content(kind, new, &mut errors);
    match kind {
        Kind::Pod if strip_mutable(old) != strip_mutable(new) => {
            errors.forbidden(
                "spec",
                "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
            );
        }
        Kind::ConfigMap | Kind::Secret => {
            // `ValidateConfigMapUpdate`, `ValidateSecretUpdate`
            const FIXED: [&str; 3] = ["immutable", "data", "binaryData"];
            let changed = |field: &&str| old.get(field) != new.get(field);
            if flag(old, &["immutable"]) {
                for field in FIXED.iter().filter(|field| changed(field)) {
                    errors.forbidden(field, "field is immutable when `immutable` is set");
                }
            }
        }
        _ => {}
    }
    kind_rules::update(kind, old, new, &mut errors);
    errors.into_result(kind, name(new))
}

/// A pod's spec without the fields that may change (and without what the scheduler sets).
fn strip_mutable(pod: &Value) -> Value {
    let mut spec = pod.get("spec").cloned().unwrap_or(Value::Null);
    if let Some(m) = spec.as_object_mut() {
        for field in ["activeDeadlineSeconds", "tolerations", "nodeName"] {
            m.remove(field);
        }
        for list in ["containers", "initContainers"] {
            for c in m
                .get_mut(list)
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                if let Some(c) = c.as_object_mut() {
                    c.remove("image");
                }
            }
        }
    }
    spec
}

fn content(kind: Kind, object: &Value, errors: &mut Errors) {
    let labels = FieldPath::At("metadata.labels");
    label_map(object, &["metadata", "labels"], &labels, errors);
    annotation_map(object, &FieldPath::At("metadata.annotations"), errors);
    metadata::owners(object, errors);
    match kind {
        Kind::Deployment => {
            workload(object, errors);
            deployment(object, errors);
        }
        Kind::ReplicaSet => workload(object, errors),
        Kind::Pod => {
            let spec = at(object, &["spec"]).unwrap_or(&Value::Null);
            pod_spec(spec, None, &FieldPath::At("spec"), errors);
        }
        Kind::Lease => lease(object, errors),
        Kind::ConfigMap => configuration::config_map(object, errors),
        Kind::Secret => configuration::secret(object, errors),
        _ => kind_rules::content(kind, object, errors),
    }
}

pub(super) fn not_negative(object: &Value, path: &[&str], errors: &mut Errors) {
    if let Some(n) = int(object, path).filter(|n| *n < 0) {
        errors.invalid(&path.join("."), &n.into(), NEGATIVE);
    }
}

/// Replicas, selector and template of Deployments and ReplicaSets (`ValidatePodTemplateSpecForReplicaSet`).
fn workload(object: &Value, errors: &mut Errors) {
    not_negative(object, &["spec", "replicas"], errors);
    kind_rules::keeps_pods(object, "deployment", None, errors);
    kind_rules::runs_for_ever(object, "ReplicaSet", errors);
}

/// `ValidateDeploymentSpec`, but for what it shares with a ReplicaSet.
fn deployment(object: &Value, errors: &mut Errors) {
    strategy(object, errors);
    for field in ["minReadySeconds", "revisionHistoryLimit"] {
        not_negative(object, &["spec", field], errors);
    }
    let path = ["spec", "progressDeadlineSeconds"];
    not_negative(object, &path, errors);
    let ready = int(object, &["spec", "minReadySeconds"]).unwrap_or(0);
    if let Some(deadline) = int(object, &path).filter(|d| *d <= ready) {
        errors.invalid(
            &path.join("."),
            &deadline.into(),
            "must be greater than minReadySeconds",
        );
    }
}

/// `ValidateDeploymentStrategy`.
fn strategy(object: &Value, errors: &mut Errors) {
    let strategy = at(object, &["spec", "strategy"]).unwrap_or(&Value::Null);
    let rolling = strategy.get("rollingUpdate");
    match text(strategy, &["type"]) {
        "Recreate" if rolling.is_some() => errors.forbidden(
            "spec.strategy.rollingUpdate",
            "may not be specified when strategy `type` is 'Recreate'",
        ),
        "Recreate" => {}
        "RollingUpdate" => rolling_update(rolling.unwrap_or(&Value::Null), errors),
        other => {
            // The names are those of Go's struct, which has no others.
            let rules = rolling.map_or_else(
                || "null".to_owned(),
                |rules| {
                    let zero = 0.into();
                    let field = |name: &str| rules.get(name).unwrap_or(&zero);
                    let (most, surge) = (field("maxUnavailable"), field("maxSurge"));
                    format!(r#"{{"MaxUnavailable":{most},"MaxSurge":{surge}}}"#)
                },
            );
            let written = format!(r#"{{"Type":{other:?},"RollingUpdate":{rules}}}"#);
            let types = ["Recreate", "RollingUpdate"];
            errors.not_supported_text("spec.strategy", &written, &types);
        }
    }
}

/// `IsValidPercent`: the number of a percentage; nothing where it is none.
fn percent(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('%')?;
    let all = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    // A percentage beyond what a number can hold is more than 100, too.
    all.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// `ValidatePositiveIntOrPercent`.
pub(super) fn count_or_percent(value: &Value, shown: &str, errors: &mut Errors) {
    match (value.as_str(), value.as_i64()) {
        (Some(text), _) if percent(text).is_none() => errors.invalid(
            shown,
            value,
            &regex_error(
                "a valid percent string must be a numeric string followed by an ending '%'",
                &["1%", "93%"],
                "[0-9]+%",
            ),
        ),
        (_, Some(n)) if n < 0 => errors.invalid(shown, value, NEGATIVE),
        _ => {}
    }
}

/// `IsNotMoreThan100Percent`.
pub(super) fn at_most_all(value: &Value, shown: &str, errors: &mut Errors) {
    if value.as_str().and_then(percent).is_some_and(|p| p > 100) {
        errors.invalid(shown, value, "must not be greater than 100%");
    }
}

/// `ValidateRollingUpdateDeployment`.
fn rolling_update(rolling: &Value, errors: &mut Errors) {
    let shown = |field: &str| format!("spec.strategy.rollingUpdate.{field}");
    let of = |field: &str| rolling.get(field).cloned().unwrap_or(Value::Null);
    for field in ["maxUnavailable", "maxSurge"] {
        count_or_percent(&of(field), &shown(field), errors);
    }
    // `getIntOrPercentValue`: text that is no percentage counts as the number that it is, or else as none.
    let none = |field: &str| match of(field) {
        Value::String(s) => percent(&s).or_else(|| s.parse().ok()).unwrap_or(0) == 0,
        number => number.as_i64().unwrap_or(0) == 0,
    };
    let unavailable = of("maxUnavailable");
    if none("maxSurge") && none("maxUnavailable") {
        let why = "may not be 0 when `maxSurge` is 0";
        errors.invalid(&shown("maxUnavailable"), &unavailable, why);
    }
    at_most_all(&unavailable, &shown("maxUnavailable"), errors);
}

fn lease(object: &Value, errors: &mut Errors) {
    for (field, least, why) in [
        ("leaseDurationSeconds", 1, "must be greater than 0"),
        ("leaseTransitions", 0, NEGATIVE),
    ] {
        if let Some(v) = int(object, &["spec", field]).filter(|v| *v < least) {
            errors.invalid(&format!("spec.{field}"), &v.into(), why);
        }
    }
}
