//! Validation: the rules that a rollback can run into. Every cause is named, not only the first, in the order in which
//! a server finds them (`pkg/apis/apps/validation`, `pkg/apis/core/validation`, `apimachinery/pkg/api/validation`).

use super::field_errors::{Errors, regex_error};
use super::kind_rules;
use super::pod_spec::pod_spec;
use super::status::ApiError;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::value::{at, int, members, name, text};

const NEGATIVE: &str = "must be greater than or equal to 0";
/// Longest label, or name of one (`LabelValueMaxLength`), characters.
const LABEL_MAX: usize = 63;

fn alphanumeric_at_its_ends(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(text.chars().next()) && edge(text.chars().last())
}

/// `IsDNS1123Subdomain`, without the rule for each of its parts.
fn valid_name(name: &str) -> bool {
    name.len() <= 253
        && alphanumeric_at_its_ends(name)
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'))
}

/// `qualifiedNameFmt`.
fn qualified(text: &str) -> bool {
    alphanumeric_at_its_ends(text)
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Checks an object that is to be created.
pub(crate) fn create(kind: Kind, object: &Value) -> Result<(), ApiError> {
    let called = name(object);
    let mut errors = Errors::default();
    if !valid_name(called) {
        errors.invalid(
            "metadata.name",
            &called.into(),
            &regex_error(
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
                &["example.com"],
                r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
            ),
        );
    }
    content(kind, object, &mut errors);
    errors.into_result(kind, called)
}

/// Checks an object that is to replace `old`.
pub(crate) fn update(kind: Kind, old: &Value, new: &Value) -> Result<(), ApiError> {
    let mut errors = Errors::default();
    content(kind, new, &mut errors);
    match kind {
        Kind::Pod if strip_mutable(old) != strip_mutable(new) => {
            errors.forbidden(
                "spec",
                "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
            );
        }
        Kind::ConfigMap | Kind::Secret => {
            let immutable = old.get("immutable").and_then(Value::as_bool) == Some(true);
            if immutable && old.get("data") != new.get("data") {
                errors.forbidden("data", "field is immutable when `immutable` is set");
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
    labels(object, "metadata.labels", errors);
    match kind {
        Kind::Deployment => {
            workload(object, errors);
            deployment(object, errors);
        }
        Kind::ReplicaSet => workload(object, errors),
        Kind::Pod => {
            let spec = at(object, &["spec"]).unwrap_or(&Value::Null);
            pod_spec(spec, "spec", errors);
        }
        Kind::Lease => lease(object, errors),
        Kind::ConfigMap => size(object, errors),
        _ => kind_rules::content(kind, object, errors),
    }
}

/// `ValidateLabels`.
pub(super) fn labels(object: &Value, field: &str, errors: &mut Errors) {
    let too_long = format!("must be no more than {LABEL_MAX} characters");
    let regex = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
    let must = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    for (key, value) in members(object, &["metadata", "labels"]) {
        let called = key.rsplit('/').next().unwrap_or(key);
        if called.is_empty() {
            errors.invalid(field, &key.into(), "name part must be non-empty");
        } else if called.len() > LABEL_MAX {
            errors.invalid(field, &key.into(), &format!("name part {too_long}"));
        }
        if !qualified(called) {
            let why = regex_error(must, &["MyName", "my.name", "123-abc"], regex);
            errors.invalid(field, &key.into(), &format!("name part {why}"));
        }
        let text = value.as_str().unwrap_or("");
        if text.len() > LABEL_MAX {
            errors.invalid(field, value, &too_long);
        }
        if !text.is_empty() && !qualified(text) {
            let why = regex_error(
                &format!(
                    "a valid label must be an empty string or {}",
                    &must["must ".len()..]
                ),
                &["MyValue", "my_value", "12345"],
                &format!("({regex})?"),
            );
            errors.invalid(field, value, &why);
        }
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
    kind_rules::keeps_pods(object, "deployment", errors);
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
        other => errors.not_supported("spec.strategy", other, &["Recreate", "RollingUpdate"]),
    }
}

/// `ValidateRollingUpdateDeployment`.
fn rolling_update(rolling: &Value, errors: &mut Errors) {
    let shown = |field: &str| format!("spec.strategy.rollingUpdate.{field}");
    let of = |field: &str| rolling.get(field).cloned().unwrap_or(Value::Null);
    let digits = |s: &str| {
        let digits = s.strip_suffix('%')?;
        let all = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        // A percentage beyond what a number can hold is more than 100, too.
        all.then(|| digits.parse().unwrap_or(u64::MAX))
    };
    for field in ["maxUnavailable", "maxSurge"] {
        let value = of(field);
        match (value.as_str(), value.as_i64()) {
            (Some(s), _) if digits(s).is_none() => errors.invalid(
                &shown(field),
                &value,
                &regex_error(
                    "a valid percent string must be a numeric string followed by an ending '%'",
                    &["1%", "93%"],
                    "[0-9]+%",
                ),
            ),
            (_, Some(n)) if n < 0 => errors.invalid(&shown(field), &value, NEGATIVE),
            _ => {}
        }
    }
    let none = |field: &str| match of(field) {
        Value::String(s) => digits(&s).unwrap_or(0) == 0,
        number => number.as_i64().unwrap_or(0) == 0,
    };
    let unavailable = of("maxUnavailable");
    if none("maxSurge") && none("maxUnavailable") {
        let why = "may not be 0 when `maxSurge` is 0";
        errors.invalid(&shown("maxUnavailable"), &unavailable, why);
    }
    if unavailable
        .as_str()
        .and_then(digits)
        .is_some_and(|p| p > 100)
    {
        let why = "must not be greater than 100%";
        errors.invalid(&shown("maxUnavailable"), &unavailable, why);
    }
}

/// What a ConfigMap holds, in bytes (`ValidateConfigMap`; the limit is `MaxSecretSize`). The data of `binaryData` is
/// counted as it is, and not as base64 writes it.
fn size(object: &Value, errors: &mut Errors) {
    const MOST: usize = 1_048_576;
    let sum = |field: &str, length: &dyn Fn(&str) -> usize| -> usize {
        members(object, &[field])
            .map(|(_, v)| length(v.as_str().unwrap_or("")))
            .sum()
    };
    let data = sum("data", &str::len);
    let binary = sum("binaryData", &|v| v.trim_end_matches('=').len() * 3 / 4);
    if data + binary > MOST {
        // The whole object is meant: a path without a name.
        errors.too_long("[]", MOST);
    }
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
