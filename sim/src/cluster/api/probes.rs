//! Validation of probes and hooks (`pkg/apis/core/validation/validation.go` validateProbe, validateHandler).

use super::field_errors::Errors;
use super::field_path::FieldPath;
use super::names;
use super::validate::NEGATIVE;
use crate::cluster::json::Value;
use crate::cluster::value::{at, int, items, text};

/// Numbers of a probe that can't be negative. A zero is as good as none: the default comes in its place.
const NOT_NEGATIVE: [&str; 5] = [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
];

/// Hooks and probes of a container that is not expected to end.
pub(super) fn lasting(c: &Value, grace_s: Option<i64>, shown: &FieldPath<'_>, errors: &mut Errors) {
    let lifecycle = shown.child("lifecycle");
    for hook in ["postStart", "preStop"] {
        if let Some(it) = at(c, &["lifecycle", hook]) {
            let kinds = ["exec", "httpGet", "tcpSocket", "sleep"];
            handler(it, &kinds, grace_s, &lifecycle.child(hook), errors);
        }
    }
    for field in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(it) = c.get(field) {
            probe(it, field, grace_s, &shown.child(field), errors);
        }
    }
}

fn probe(
    probe: &Value,
    called: &str,
    grace_s: Option<i64>,
    shown: &FieldPath<'_>,
    errors: &mut Errors,
) {
    let kinds = ["exec", "httpGet", "tcpSocket", "grpc"];
    handler(probe, &kinds, grace_s, shown, errors);
    for field in NOT_NEGATIVE {
        if let Some(n) = int(probe, &[field]).filter(|n| *n < 0) {
            errors.invalid(&shown.child(field), &n.into(), NEGATIVE);
        }
    }
    let own = "terminationGracePeriodSeconds";
    let own_s = int(probe, &[own]);
    if let Some(own_s) = own_s.filter(|s| *s <= 0) {
        errors.invalid(&shown.child(own), &own_s.into(), "must be greater than 0");
    }
    if called == "readinessProbe" {
        if let Some(own_s) = own_s {
            let why = "must not be set for readinessProbes";
            errors.invalid(&shown.child(own), &own_s.into(), why);
        }
    } else if let Some(n) = int(probe, &["successThreshold"]).filter(|n| *n != 1) {
        errors.invalid(&shown.child("successThreshold"), &n.into(), "must be 1");
    }
}

/// `validateHandler`, for the kinds of handlers that there can be.
fn handler(
    handler: &Value,
    kinds: &[&str],
    grace_s: Option<i64>,
    shown: &FieldPath<'_>,
    errors: &mut Errors,
) {
    let mut given = kinds
        .iter()
        .filter_map(|&kind| Some((kind, handler.get(kind)?)));
    let Some((kind, it)) = given.next() else {
        return errors.requires(shown, "must specify a handler type");
    };
    let here = shown.child(kind);
    match kind {
        "exec" if items(it, &["command"]).is_empty() => errors.required(&here.child("command")),
        "httpGet" => http_get(it, &here, errors),
        "tcpSocket" => port(it.get("port"), &here.child("port"), errors),
        "grpc" => {
            let number = int(it, &["port"]).unwrap_or(0);
            let wrong = names::port_number(number);
            errors.each_invalid(&here.child("port"), &number.into(), &wrong);
        }
        "sleep" => {
            let seconds = int(it, &["seconds"]).unwrap_or(0);
            if let Some(grace_s) = grace_s.filter(|most| !(0..=*most).contains(&seconds)) {
                let why = format!(
                    "must be non-negative and less than terminationGracePeriodSeconds ({grace_s})"
                );
                errors.invalid(&here, &seconds.into(), &why);
            }
        }
        _ => {}
    }
    for (more, _) in given {
        let why = "may not specify more than 1 handler type";
        errors.forbidden(&shown.child(more), why);
    }
}

/// `validateHTTPGetAction`.
fn http_get(get: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    if text(get, &["path"]).is_empty() {
        errors.required(&shown.child("path"));
    }
    port(get.get("port"), &shown.child("port"), errors);
    match text(get, &["scheme"]) {
        "HTTP" | "HTTPS" => {}
        other => errors.not_supported(&shown.child("scheme"), other, &["HTTP", "HTTPS"]),
    }
    for header in items(get, &["httpHeaders"]) {
        let name = text(header, &["name"]);
        let wrong = names::header(name);
        errors.each_invalid(&shown.child("httpHeaders"), &name.to_owned().into(), &wrong);
    }
}

/// `ValidatePortNumOrName`.
pub(super) fn port(port: Option<&Value>, shown: &FieldPath<'_>, errors: &mut Errors) {
    let zero = 0.into();
    let port = port.unwrap_or(&zero);
    let wrong = match port.as_str() {
        Some(name) => names::port_name(name),
        None => names::port_number(port.as_i64().unwrap_or(0)),
    };
    errors.each_invalid(shown, port, &wrong);
}
