//! Validation of an Ingress (`pkg/apis/networking/validation/validation.go` ValidateIngressCreate).

use super::dns::is_address;
use super::field_errors::Errors;
use super::field_path::FieldPath;
use super::names;
use crate::cluster::json::Value;
use crate::cluster::value::{annotation, at, int, items, text};

/// What no path that is exact or a prefix may contain.
const INSIDE: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
/// What no such path may end with.
const AT_END: [&str; 2] = ["/..", "/."];
/// The annotation that was there before `ingressClassName`.
const CLASS: &str = "kubernetes.io/ingress.class";

/// Checks what an Ingress holds.
pub(super) fn ingress(object: &Value, errors: &mut Errors) {
    let shown = FieldPath::At("spec");
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let rules = items(spec, &["rules"]);
    let backend = spec.get("defaultBackend");
    if rules.is_empty() && backend.is_none() {
        let why = "either `defaultBackend` or `rules` must be specified";
        errors.invalid(&shown, &Vec::new().into(), why);
    }
    if let Some(it) = backend {
        one_backend(it, &shown.child("defaultBackend"), errors);
    }
    let list = shown.child("rules");
    for (nth, rule) in rules.iter().enumerate() {
        one_rule(rule, &list.index(nth), errors);
    }
    let list = shown.child("tls");
    for (nth, tls) in items(spec, &["tls"]).iter().enumerate() {
        let shown = list.index(nth);
        let hosts = shown.child("hosts");
        for (nth, host) in items(tls, &["hosts"]).iter().enumerate() {
            let wrong = host_name(host.as_str().unwrap_or(""));
            errors.each_invalid(&hosts.index(nth), host, &wrong);
        }
        let secret = text(tls, &["secretName"]);
        if !secret.is_empty() {
            let wrong = names::subdomain(secret);
            errors.each_invalid(&shown.child("secretName"), &secret.into(), &wrong);
        }
    }
    if let Some(class) = spec.get("ingressClassName") {
        let name = class.as_str().unwrap_or("");
        let wrong = names::subdomain(name);
        errors.each_invalid(&shown.child("ingressClassName"), class, &wrong);
        if let Some(other) = annotation(object, CLASS).filter(|it| *it != name) {
            let why = "must match `ingressClassName` when both are specified";
            // Upstream writes it without `metadata`.
            errors.invalid(&format!("annotations.{CLASS}"), &other.into(), why);
        }
    }
}

/// The name of a host, which may begin with `*.` for all names below another.
fn host_name(host: &str) -> Vec<String> {
    if host.contains('*') {
        names::wildcard(host)
    } else {
        names::subdomain(host)
    }
}

fn one_rule(rule: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let host = text(rule, &["host"]);
    if !host.is_empty() {
        let field = shown.child("host");
        if is_address(host) {
            let why = "must be a DNS name, not an IP address";
            errors.invalid(&field, &host.into(), why);
        }
        errors.each_invalid(&field, &host.into(), &host_name(host));
    }
    let Some(http) = rule.get("http") else {
        return;
    };
    let shown = shown.child("http");
    let list = shown.child("paths");
    let paths = items(http, &["paths"]);
    if paths.is_empty() {
        errors.required(&list);
    }
    for (nth, path) in paths.iter().enumerate() {
        one_path(path, &list.index(nth), errors);
    }
}

/// `validateHTTPIngressPath`.
fn one_path(path: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let field = shown.child("path");
    let it = text(path, &["path"]);
    let relative = !it.starts_with('/');
    const ABSOLUTE: &str = "must be an absolute path";
    match text(path, &["pathType"]) {
        "" => return errors.requires(&shown.child("pathType"), "pathType must be specified"),
        "Exact" | "Prefix" => {
            if relative {
                errors.invalid(&field, &it.into(), ABSOLUTE);
            }
            for part in INSIDE.into_iter().filter(|part| it.contains(part)) {
                let why = format!("must not contain '{part}'");
                errors.invalid(&field, &it.into(), &why);
            }
            for end in AT_END.into_iter().filter(|end| it.ends_with(end)) {
                let why = format!("cannot end with '{end}'");
                errors.invalid(&field, &it.into(), &why);
            }
        }
        "ImplementationSpecific" => {
            if relative && !it.is_empty() {
                errors.invalid(&field, &it.into(), ABSOLUTE);
            }
        }
        other => {
            let supported = ["Exact", "ImplementationSpecific", "Prefix"];
            errors.not_supported(&shown.child("pathType"), other, &supported);
        }
    }
    let backend = path.get("backend").unwrap_or(&Value::Null);
    one_backend(backend, &shown.child("backend"), errors);
}

/// `validateIngressBackend`.
fn one_backend(backend: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    match (backend.get("resource"), backend.get("service")) {
        (Some(_), Some(_)) => {
            let why = "cannot set both resource and service backends";
            errors.invalid(shown, &"".into(), why);
        }
        (Some(resource), None) => one_resource(resource, &shown.child("resource"), errors),
        (None, Some(service)) => one_service(service, shown, errors),
        (None, None) => {
            let why = "resource or service backend is required";
            errors.invalid(shown, &"".into(), why);
        }
    }
}

/// A Service with its port. What is wrong with the port as a whole is told of the backend.
fn one_service(service: &Value, backend: &FieldPath<'_>, errors: &mut Errors) {
    let shown = backend.child("service");
    let name = text(service, &["name"]);
    let field = shown.child("name");
    if name.is_empty() {
        errors.required(&field);
    } else {
        let wrong = names::label_that_begins_with_a_letter(name);
        errors.each_invalid(&field, &name.into(), &wrong);
    }
    let port = at(service, &["port"]).unwrap_or(&Value::Null);
    let (name, number) = (text(port, &["name"]), int(port, &["number"]).unwrap_or(0));
    let shown = shown.child("port");
    match (name, number) {
        ("", 0) => errors.requires(backend, "port name or number is required"),
        ("", number) => {
            let wrong = names::port_number(number);
            errors.each_invalid(&shown.child("number"), &number.into(), &wrong);
        }
        (name, 0) => {
            errors.each_invalid(&shown.child("name"), &name.into(), &names::port_name(name));
        }
        _ => {
            let why = "cannot set both port name & port number";
            errors.invalid(backend, &"".into(), why);
        }
    }
}

/// `validateIngressTypedLocalObjectReference`.
fn one_resource(resource: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    if let Some(group) = resource.get("apiGroup") {
        let wrong = names::subdomain(group.as_str().unwrap_or(""));
        errors.each_invalid(&shown.child("apiGroup"), group, &wrong);
    }
    for field in ["kind", "name"] {
        let word = text(resource, &[field]);
        if word.is_empty() {
            errors.required(&shown.child(field));
        } else {
            let wrong = names::path_segment(word);
            errors.each_invalid(&shown.child(field), &word.into(), &wrong);
        }
    }
}
