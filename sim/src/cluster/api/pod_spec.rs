//! Validation of a pod's spec and its containers (`pkg/apis/core/validation/validation.go`: ValidatePodSpec,
//! validateContainers, validateInitContainers). Resizing, claims of devices and what Windows alone has are not looked
//! at.

use super::field_errors::Errors;
use super::field_path::FieldPath;
use super::{dns, names, probes, resources, scheduling, security, volumes};
use crate::cluster::json::Value;
use crate::cluster::value::{int, is_sidecar, items, members, text};

/// What only containers that run on may have.
const OF_LASTING: [&str; 4] = [
    "lifecycle",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
];
/// Fields of a pod (`metadata.…`) that a variable may have its value from.
const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Fields of a pod that have a name, and that no variable can have its value from (`ConvertDownwardAPIFieldLabel`).
const FIELDS_OF_NO_VARIABLE: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "spec.restartPolicy",
    "spec.schedulerName",
    "status.phase",
];
/// Resources of a container that a variable may have its value from.
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// What a pod's spec holds. For the pods of a StatefulSet, `claims` are the names of the claims that it makes for them.
pub(super) fn pod_spec(
    spec: &Value,
    claims: Option<&[&str]>,
    shown: &FieldPath<'_>,
    errors: &mut Errors,
) {
    let grace_s = int(spec, &["terminationGracePeriodSeconds"]);
    let volumes = volumes::volumes(spec, claims.unwrap_or_default(), shown, errors);
    let all = items(spec, &["containers"]);
    let list = shown.child("containers");
    if all.is_empty() {
        errors.required(&list);
    }
    for (i, c) in all.iter().enumerate() {
        let shown = list.index(i);
        any_container(c, &volumes, &shown, errors);
        security::of_container(c, spec, &shown, errors);
        unique(c, &all[..i], &[], &shown, errors);
        probes::lasting(c, grace_s, &shown, errors);
        if c.get("restartPolicy").is_some() {
            let why = "may not be set for non-init containers";
            errors.forbidden(&shown.child("restartPolicy"), why);
        }
    }
    host_ports(all, &list, errors);
    let inits = items(spec, &["initContainers"]);
    let list = shown.child("initContainers");
    for (i, c) in inits.iter().enumerate() {
        let shown = list.index(i);
        any_container(c, &volumes, &shown, errors);
        security::of_container(c, spec, &shown, errors);
        match text(c, &["restartPolicy"]) {
            "" | "Always" => {}
            policy => errors.not_supported(&shown.child("restartPolicy"), policy, &["Always"]),
        }
        unique(c, &inits[..i], all, &shown, errors);
        if is_sidecar(c) {
            probes::lasting(c, grace_s, &shown, errors);
            continue;
        }
        for field in OF_LASTING.into_iter().filter(|f| c.get(f).is_some()) {
            errors.forbidden(
                &shown.child(field),
                "may not be set for init containers without restartPolicy=Always",
            );
        }
    }
    security::host_network(spec, shown, errors);
    let words = |field: &str, known: &[&str], errors: &mut Errors| match text(spec, &[field]) {
        "" => errors.required(&shown.child(field)),
        word if known.contains(&word) => {}
        word => errors.not_supported(&shown.child(field), word, known),
    };
    words("restartPolicy", &["Always", "OnFailure", "Never"], errors);
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    words("dnsPolicy", &policies, errors);
    label_map(
        spec,
        &["nodeSelector"],
        &shown.child("nodeSelector"),
        errors,
    );
    security::of_pod(spec, shown, errors);
    scheduling::affinity(spec, shown, errors);
    dns::config(spec, shown, errors);
    scheduling::spread(spec, shown, errors);
    scheduling::tolerations(spec, shown, errors);
    dns::host_aliases(spec, shown, errors);
    for (field, rule) in [
        (
            "serviceAccountName",
            names::subdomain as fn(&str) -> Vec<String>,
        ),
        ("nodeName", names::subdomain),
        ("hostname", names::label),
        ("subdomain", names::label),
        ("priorityClassName", names::subdomain),
    ] {
        // The controller of a StatefulSet writes these two itself.
        let own = claims.is_some() && matches!(field, "hostname" | "subdomain");
        let name = text(spec, &[field]);
        if !name.is_empty() && !own {
            errors.each_invalid(&shown.child(field), &name.to_owned().into(), &rule(name));
        }
    }
    let deadline = int(spec, &["activeDeadlineSeconds"]);
    if let Some(s) = deadline.filter(|s| !(1..=i64::from(i32::MAX)).contains(s)) {
        let why = "must be between 1 and 2147483647, inclusive";
        errors.invalid(&shown.child("activeDeadlineSeconds"), &s.into(), why);
    }
}

/// `ValidateLabels`, for the map at `path`.
pub(super) fn label_map(object: &Value, path: &[&str], shown: &FieldPath<'_>, errors: &mut Errors) {
    for (key, value) in members(object, path) {
        errors.each_invalid_entry(shown, key, &key.into(), &names::qualified(key));
        let wrong = names::label_value(value.as_str().unwrap_or(""));
        errors.each_invalid_entry(shown, key, value, &wrong);
    }
}

/// `ValidateAnnotations`, for those of an object, or of a pod template.
pub(super) fn annotation_map(object: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    /// The most that all of them may hold, in bytes (`TotalAnnotationSizeLimitB`).
    const MOST: usize = 256 * 1024;
    let mut held = 0;
    for (key, value) in members(object, &["metadata", "annotations"]) {
        // The case of letters does not matter here.
        let wrong = names::qualified(&key.to_lowercase());
        errors.each_invalid_entry(shown, key, &key.into(), &wrong);
        held += key.len() + value.as_str().map_or(0, str::len);
    }
    if held > MOST {
        errors.too_long(shown, MOST);
    }
}

/// The name of what is listed: there must be one, and `rule` says what is wrong with it.
pub(super) fn name_of(
    item: &Value,
    rule: fn(&str) -> Vec<String>,
    shown: &FieldPath<'_>,
    errors: &mut Errors,
) {
    let (name, shown) = (text(item, &["name"]), shown.child("name"));
    if name.is_empty() {
        errors.required(&shown);
    } else {
        errors.each_invalid(&shown, &name.to_owned().into(), &rule(name));
    }
}

/// `validateContainerCommon`.
fn any_container(c: &Value, volumes: &[&str], shown: &FieldPath<'_>, errors: &mut Errors) {
    name_of(c, names::label, shown, errors);
    if text(c, &["image"]).is_empty() {
        errors.required(&shown.child("image"));
    }
    let mut words = |field: &str, known: &[&str]| {
        let word = text(c, &[field]);
        // A default stands where nothing is given.
        if !word.is_empty() && !known.contains(&word) {
            errors.not_supported(&shown.child(field), word, known);
        }
    };
    let policies = ["File", "FallbackToLogsOnError"];
    words("terminationMessagePolicy", &policies);
    words("imagePullPolicy", &["Always", "IfNotPresent", "Never"]);
    ports(c, &shown.child("ports"), errors);
    let list = shown.child("env");
    for (n, variable) in items(c, &["env"]).iter().enumerate() {
        environment(variable, &list.index(n), errors);
    }
    env_from(c, &shown.child("envFrom"), errors);
    volumes::mounts(c, volumes, shown, errors);
    if let Some(asked) = c.get("resources") {
        resources::resources(asked, &shown.child("resources"), errors);
    }
}

/// `validateContainerPorts`.
fn ports(c: &Value, list: &FieldPath<'_>, errors: &mut Errors) {
    let ports = items(c, &["ports"]);
    for (n, port) in ports.iter().enumerate() {
        let shown = list.index(n);
        let name = text(port, &["name"]);
        if !name.is_empty() {
            let value = || Value::from(name.to_owned());
            let wrong = names::port_name(name);
            errors.each_invalid(&shown.child("name"), &value(), &wrong);
            let is_same = |other: &Value| text(other, &["name"]) == name;
            if wrong.is_empty() && ports[..n].iter().any(is_same) {
                errors.duplicate(&shown.child("name"), &value());
            }
        }
        for field in ["containerPort", "hostPort"] {
            match int(port, &[field]).unwrap_or(0) {
                0 if field == "hostPort" => {}
                0 => errors.required(&shown.child(field)),
                number => {
                    let wrong = names::port_number(number);
                    errors.each_invalid(&shown.child(field), &number.into(), &wrong);
                }
            }
        }
        protocol(port, &shown, errors);
    }
}

/// The protocol of a container's port, or of a Service's.
pub(super) fn protocol(port: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    match text(port, &["protocol"]) {
        "TCP" | "UDP" | "SCTP" => {}
        "" => errors.required(&shown.child("protocol")),
        other => errors.not_supported(&shown.child("protocol"), other, &["SCTP", "TCP", "UDP"]),
    }
}

/// `checkHostPortConflicts`.
fn host_ports(all: &[Value], list: &FieldPath<'_>, errors: &mut Errors) {
    let mut taken: Vec<String> = Vec::new();
    for (i, c) in all.iter().enumerate() {
        for (n, port) in items(c, &["ports"]).iter().enumerate() {
            let Some(number) = int(port, &["hostPort"]).filter(|n| *n != 0) else {
                continue;
            };
            let (protocol, ip) = (text(port, &["protocol"]), text(port, &["hostIP"]));
            let place = format!("{protocol}/{ip}/{number}");
            if taken.contains(&place) {
                let c = list.index(i);
                let ports = c.child("ports");
                let shown = ports.index(n);
                errors.duplicate(&shown.child("hostPort"), &Value::from(place));
            } else {
                taken.push(place);
            }
        }
    }
}

/// No container before it may have its name.
fn unique(
    c: &Value,
    before: &[Value],
    others: &[Value],
    shown: &FieldPath<'_>,
    errors: &mut Errors,
) {
    let called = text(c, &["name"]);
    let mut named = before.iter().chain(others);
    if named.any(|other| text(other, &["name"]) == called) {
        errors.duplicate(&shown.child("name"), &Value::from(called.to_owned()));
    }
}

/// `ValidateEnv`. Of two variables with one name the later one counts, and nothing is wrong with that.
fn environment(variable: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    name_of(variable, names::variable, shown, errors);
    let Some(from) = variable.get("valueFrom") else {
        return;
    };
    let shown = shown.child("valueFrom");
    for (kind, source) in members(from, &[]) {
        value_from(kind, source, &shown.child(kind), errors);
    }
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
    errors.invalid(&shown, &"".into(), why);
}

/// `validateEnvVarValueFrom`, for one kind of source.
fn value_from(kind: &str, source: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    match kind {
        "configMapKeyRef" | "secretKeyRef" => {
            let (name, key) = (text(source, &["name"]), text(source, &["key"]));
            let wrong = names::subdomain(name);
            errors.each_invalid(&shown.child("name"), &name.to_owned().into(), &wrong);
            if key.is_empty() {
                errors.required(&shown.child("key"));
            } else {
                let wrong = names::config_key(key);
                errors.each_invalid(&shown.child("key"), &key.to_owned().into(), &wrong);
            }
        }
        "fieldRef" => {
            let path = text(source, &["fieldPath"]);
            let shown = shown.child("fieldPath");
            // One label or one annotation may be named in brackets.
            let one =
                path.starts_with("metadata.labels['") || path.starts_with("metadata.annotations['");
            if path.is_empty() {
                errors.required(&shown);
            } else if FIELDS_OF_NO_VARIABLE.contains(&path) {
                errors.not_supported(&shown, path, &FIELDS);
            } else if !FIELDS.contains(&path) && path != "spec.host" && !one {
                let why = format!("error converting fieldPath: field label not supported: {path}");
                errors.invalid(&shown, &path.to_owned().into(), &why);
            }
        }
        "resourceFieldRef" => {
            let resource = text(source, &["resource"]);
            let huge = ["limits.hugepages-", "requests.hugepages-"];
            let shown = shown.child("resource");
            if resource.is_empty() {
                errors.required(&shown);
            } else if !RESOURCES.contains(&resource)
                && !huge.iter().any(|it| resource.starts_with(it))
            {
                errors.not_supported(&shown, resource, &RESOURCES);
            }
        }
        _ => {}
    }
}

/// `ValidateEnvFrom`.
fn env_from(c: &Value, list: &FieldPath<'_>, errors: &mut Errors) {
    for (n, from) in items(c, &["envFrom"]).iter().enumerate() {
        let shown = list.index(n);
        let prefix = text(from, &["prefix"]);
        if !prefix.is_empty() {
            let wrong = names::variable(prefix);
            errors.each_invalid(&shown.child("prefix"), &prefix.to_owned().into(), &wrong);
        }
        let mut sources = 0;
        for kind in ["configMapRef", "secretRef"] {
            if from.get(kind).is_none() {
                continue;
            }
            sources += 1;
            let source = shown.child(kind);
            let (name, shown) = (text(from, &[kind, "name"]), source.child("name"));
            if name.is_empty() {
                errors.required(&shown);
            } else {
                errors.each_invalid(&shown, &name.to_owned().into(), &names::subdomain(name));
            }
        }
        // Upstream names these without the position of their source.
        match sources {
            0 => {
                let why = "must specify one of: `configMapRef` or `secretRef`";
                errors.invalid(list, &"".into(), why);
            }
            1 => {}
            _ => {
                let why = "may not have more than one field specified at a time";
                errors.invalid(list, &"".into(), why);
            }
        }
    }
}
