//! Validation: the rules that a rollback can run into (`pkg/apis/*/validation`).

use super::selectors::LabelSelector;
use super::status::ApiError;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::value::{at, int, items, name, text};

const INVALID: &str = "FieldValueInvalid";
const REQUIRED: &str = "FieldValueRequired";
const FORBIDDEN: &str = "FieldValueForbidden";

fn valid_name(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.len() <= 253
        && edge(name.chars().next())
        && edge(name.chars().last())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'))
}

/// Checks an object that is to be created.
pub(crate) fn create(kind: Kind, object: &Value) -> Result<(), ApiError> {
    let called = name(object);
    if !valid_name(called) {
        return Err(ApiError::invalid(
            kind,
            called,
            "metadata.name",
            INVALID,
            &format!(
                "Invalid value: \"{called}\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
            ),
        ));
    }
    content(kind, object)
}

/// Checks an object that is to replace `old`.
pub(crate) fn update(kind: Kind, old: &Value, new: &Value) -> Result<(), ApiError> {
    let refuse = |field: &str, reason, why: &str| {
        Err(ApiError::invalid(kind, name(new), field, reason, why))
    };
    match kind {
        Kind::Deployment | Kind::ReplicaSet => {
            let selector = &["spec", "selector"][..];
            if at(old, selector) != at(new, selector) {
                let value = at(new, selector).cloned().unwrap_or(Value::Null);
                return refuse(
                    "spec.selector",
                    INVALID,
                    &format!("Invalid value: {value}: field is immutable"),
                );
            }
        }
        Kind::Pod if strip_mutable(old) != strip_mutable(new) => {
            return refuse(
                "spec",
                FORBIDDEN,
                "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
            );
        }
        Kind::ConfigMap | Kind::Secret => {
            let immutable = old.get("immutable").and_then(Value::as_bool) == Some(true);
            if immutable && old.get("data") != new.get("data") {
                return refuse(
                    "data",
                    FORBIDDEN,
                    "Forbidden: field is immutable when `immutable` is set",
                );
            }
        }
        _ => {}
    }
    content(kind, new)
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

fn content(kind: Kind, object: &Value) -> Result<(), ApiError> {
    match kind {
        Kind::Deployment => {
            workload(kind, object)?;
            deployment(object)
        }
        Kind::ReplicaSet => workload(kind, object),
        Kind::Pod => containers(kind, object, &["spec"], "spec"),
        Kind::Lease => lease(object),
        _ => Ok(()),
    }
}

/// Replicas, selector and template of Deployments and ReplicaSets.
fn workload(kind: Kind, object: &Value) -> Result<(), ApiError> {
    let refuse = |field: &str, reason, why: String| {
        Err(ApiError::invalid(kind, name(object), field, reason, &why))
    };
    let replicas = int(object, &["spec", "replicas"]).unwrap_or(1);
    if replicas < 0 {
        return refuse(
            "spec.replicas",
            INVALID,
            format!("Invalid value: {replicas}: must be greater than or equal to 0"),
        );
    }
    let Some(selector) = at(object, &["spec", "selector"]) else {
        return refuse("spec.selector", REQUIRED, "Required value".to_owned());
    };
    let labels = at(object, &["spec", "template", "metadata", "labels"]);
    let parsed = LabelSelector::of_object(selector);
    if parsed.is_empty() {
        return refuse(
            "spec.selector",
            INVALID,
            format!("Invalid value: {selector}: empty selector is invalid for deployment"),
        );
    }
    if !parsed.matches_labels(labels) {
        return refuse(
            "spec.template.metadata.labels",
            INVALID,
            format!(
                "Invalid value: {}: `selector` does not match template `labels`",
                labels.cloned().unwrap_or(Value::Null)
            ),
        );
    }
    containers(
        kind,
        object,
        &["spec", "template", "spec"],
        "spec.template.spec",
    )
}

fn containers(kind: Kind, object: &Value, path: &[&str], shown: &str) -> Result<(), ApiError> {
    let spec = at(object, path).unwrap_or(&Value::Null);
    let all = items(spec, &["containers"]);
    if all.is_empty() {
        return Err(ApiError::invalid(
            kind,
            name(object),
            &format!("{shown}.containers"),
            REQUIRED,
            "Required value",
        ));
    }
    for (i, c) in all.iter().enumerate() {
        for field in ["name", "image"] {
            if text(c, &[field]).is_empty() {
                return Err(ApiError::invalid(
                    kind,
                    name(object),
                    &format!("{shown}.containers[{i}].{field}"),
                    REQUIRED,
                    "Required value",
                ));
            }
        }
    }
    Ok(())
}

/// An `IntOrString`: the number, or the percentage.
fn zero(v: Option<&Value>) -> bool {
    match v {
        Some(Value::String(s)) => s == "0%",
        Some(v) => v.as_i64() == Some(0),
        None => false,
    }
}

fn deployment(object: &Value) -> Result<(), ApiError> {
    let refuse = |field: &str, reason, why: String| {
        Err(ApiError::invalid(
            Kind::Deployment,
            name(object),
            field,
            reason,
            &why,
        ))
    };
    let deadline = int(object, &["spec", "progressDeadlineSeconds"]).unwrap_or(600);
    let ready = int(object, &["spec", "minReadySeconds"]).unwrap_or(0);
    if deadline <= ready {
        return refuse(
            "spec.progressDeadlineSeconds",
            INVALID,
            format!("Invalid value: {deadline}: must be greater than minReadySeconds"),
        );
    }
    let rolling = at(object, &["spec", "strategy", "rollingUpdate"]);
    match text(object, &["spec", "strategy", "type"]) {
        "Recreate" if rolling.is_some() => refuse(
            "spec.strategy.rollingUpdate",
            FORBIDDEN,
            "Forbidden: may not be specified when strategy `type` is 'Recreate'".to_owned(),
        ),
        "Recreate" => Ok(()),
        "RollingUpdate" => {
            let field = |f: &str| rolling.and_then(|r| r.get(f));
            for f in ["maxSurge", "maxUnavailable"] {
                if let Some(Value::String(s)) = field(f)
                    && s.strip_suffix('%')
                        .and_then(|n| n.parse::<u32>().ok())
                        .is_none()
                {
                    return refuse(
                        &format!("spec.strategy.rollingUpdate.{f}"),
                        INVALID,
                        format!(
                            "Invalid value: \"{s}\": must be an integer or percentage (e.g '5%')"
                        ),
                    );
                }
            }
            if zero(field("maxSurge")) && zero(field("maxUnavailable")) {
                return refuse(
                    "spec.strategy.rollingUpdate.maxUnavailable",
                    INVALID,
                    format!(
                        "Invalid value: {}: may not be 0 when `maxSurge` is 0",
                        field("maxUnavailable").cloned().unwrap_or(Value::Null)
                    ),
                );
            }
            Ok(())
        }
        other => refuse(
            "spec.strategy.type",
            "FieldValueNotSupported",
            format!(
                "Unsupported value: \"{other}\": supported values: \"Recreate\", \"RollingUpdate\""
            ),
        ),
    }
}

fn lease(object: &Value) -> Result<(), ApiError> {
    for (field, least) in [("leaseDurationSeconds", 1), ("leaseTransitions", 0)] {
        if let Some(v) = int(object, &["spec", field]).filter(|v| *v < least) {
            let why = if least == 1 {
                "must be greater than 0"
            } else {
                "must be greater than or equal to 0"
            };
            return Err(ApiError::invalid(
                Kind::Lease,
                name(object),
                &format!("spec.{field}"),
                INVALID,
                &format!("Invalid value: {v}: {why}"),
            ));
        }
    }
    Ok(())
}
