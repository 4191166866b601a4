//! Validation of a pod's containers (`pkg/apis/core/validation/validation.go`: ValidatePodSpec, validateContainers,
//! validateInitContainers).

use super::field_errors::Errors;
use crate::cluster::json::Value;
use crate::cluster::value::{at, int, is_sidecar, items, members, text};

/// What only containers that run on may have.
const OF_LASTING: [&str; 4] = [
    "lifecycle",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
];

/// The containers of a pod.
pub(super) fn pod_spec(spec: &Value, shown: &str, errors: &mut Errors) {
    let grace_s = int(spec, &["terminationGracePeriodSeconds"]);
    let all = items(spec, &["containers"]);
    if all.is_empty() {
        errors.required(&format!("{shown}.containers"));
    }
    for (i, c) in all.iter().enumerate() {
        let shown = format!("{shown}.containers[{i}]");
        any_container(c, &shown, errors);
        unique(c, &all[..i], &[], &shown, errors);
        lasting(c, grace_s, &shown, errors);
    }
    let inits = items(spec, &["initContainers"]);
    for (i, c) in inits.iter().enumerate() {
        let shown = format!("{shown}.initContainers[{i}]");
        any_container(c, &shown, errors);
        match text(c, &["restartPolicy"]) {
            "" | "Always" => {}
            policy => {
                errors.not_supported(&format!("{shown}.restartPolicy"), policy, &["Always"]);
            }
        }
        unique(c, &inits[..i], all, &shown, errors);
        if is_sidecar(c) {
            lasting(c, grace_s, &shown, errors);
            continue;
        }
        for field in OF_LASTING.into_iter().filter(|f| c.get(f).is_some()) {
            errors.forbidden(
                &format!("{shown}.{field}"),
                "may not be set for init containers without restartPolicy=Always",
            );
        }
    }
    let policies = ["Always", "OnFailure", "Never"];
    match text(spec, &["restartPolicy"]) {
        "" => errors.required(&format!("{shown}.restartPolicy")),
        policy if policies.contains(&policy) => {}
        policy => errors.not_supported(&format!("{shown}.restartPolicy"), policy, &policies),
    }
}

/// `validateContainerCommon`.
fn any_container(c: &Value, shown: &str, errors: &mut Errors) {
    for field in ["name", "image"] {
        if text(c, &[field]).is_empty() {
            errors.required(&format!("{shown}.{field}"));
        }
    }
    for (n, variable) in items(c, &["env"]).iter().enumerate() {
        environment(variable, &format!("{shown}.env[{n}]"), errors);
    }
}

/// No container before it may have its name.
fn unique(c: &Value, before: &[Value], others: &[Value], shown: &str, errors: &mut Errors) {
    let called = text(c, &["name"]);
    let mut named = before.iter().chain(others);
    if named.any(|other| text(other, &["name"]) == called) {
        errors.duplicate(&format!("{shown}.name"), called);
    }
}

/// Hooks and probes of a container that is not expected to end.
fn lasting(c: &Value, grace_s: Option<i64>, shown: &str, errors: &mut Errors) {
    for hook in ["postStart", "preStop"] {
        if let Some(handler) = at(c, &["lifecycle", hook]) {
            let shown = format!("{shown}.lifecycle.{hook}");
            one_handler(handler, grace_s, &shown, errors);
        }
    }
    for field in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let path = [field, "terminationGracePeriodSeconds"];
        let Some(own_s) = int(c, &path) else {
            continue;
        };
        let shown = format!("{shown}.{}", path.join("."));
        if own_s <= 0 {
            errors.invalid(&shown, &own_s.into(), "must be greater than 0");
        }
        if field == "readinessProbe" {
            errors.invalid(&shown, &own_s.into(), "must not be set for readinessProbes");
        }
    }
}

/// `validateHandler`, for hooks.
fn one_handler(handler: &Value, grace_s: Option<i64>, shown: &str, errors: &mut Errors) {
    let kinds = ["exec", "httpGet", "tcpSocket", "sleep"];
    let mut given = kinds.into_iter().filter(|kind| handler.get(kind).is_some());
    let Some(kind) = given.next() else {
        return errors.requires(shown, "must specify a handler type");
    };
    if kind == "exec" && items(handler, &["exec", "command"]).is_empty() {
        errors.required(&format!("{shown}.exec.command"));
    }
    let seconds = int(handler, &["sleep", "seconds"]).unwrap_or(0);
    if let Some(grace_s) = grace_s.filter(|_| kind == "sleep")
        && !(0..=grace_s).contains(&seconds)
    {
        let why =
            format!("must be non-negative and less than terminationGracePeriodSeconds ({grace_s})");
        errors.invalid(&format!("{shown}.sleep"), &seconds.into(), &why);
    }
    for more in given {
        let shown = format!("{shown}.{more}");
        errors.forbidden(&shown, "may not specify more than 1 handler type");
    }
}

/// `ValidateEnv`.
fn environment(variable: &Value, shown: &str, errors: &mut Errors) {
    if text(variable, &["name"]).is_empty() {
        errors.required(&format!("{shown}.name"));
    }
    let Some(from) = variable.get("valueFrom") else {
        return;
    };
    let sources = members(from, &[]).count();
    let why = if sources == 0 {
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
    } else if !text(variable, &["value"]).is_empty() {
        "may not be specified when `value` is not empty"
    } else if sources > 1 {
        "may not have more than one field specified at a time"
    } else {
        return;
    };
    errors.invalid(&format!("{shown}.valueFrom"), &"".into(), why);
}
