//! Validation of whom a pod and its containers run as, and of what they share with their node
//! (`pkg/apis/core/validation/validation.go` validatePodSpecSecurityContext, ValidateSecurityContext). Sysctls,
//! options of Windows and profiles of AppArmor are not looked at.

use super::field_errors::Errors;
use super::field_path::FieldPath;
use super::volumes::below;
use crate::cluster::json::Value;
use crate::cluster::value::{flag, int, items, text};

/// The fields of `core.SecurityContext`, with those of the structs in it, as Go writes them: in this order, and by
/// these names.
const CONTEXT: [(&str, &[&str]); 12] = [
    ("Capabilities", &["Add", "Drop"]),
    ("Privileged", &[]),
    ("SELinuxOptions", &["User", "Role", "Type", "Level"]),
    (
        "WindowsOptions",
        &[
            "GMSACredentialSpecName",
            "GMSACredentialSpec",
            "RunAsUserName",
            "HostProcess",
        ],
    ),
    ("RunAsUser", &[]),
    ("RunAsGroup", &[]),
    ("RunAsNonRoot", &[]),
    ("ReadOnlyRootFilesystem", &[]),
    ("AllowPrivilegeEscalation", &[]),
    ("ProcMount", &[]),
    ("SeccompProfile", &["Type", "LocalhostProfile"]),
    ("AppArmorProfile", &["Type", "LocalhostProfile"]),
];

/// The name of a field in a manifest, by its name in Go.
fn field_name(go: &str) -> String {
    match go {
        "SELinuxOptions" => "seLinuxOptions".to_owned(),
        "GMSACredentialSpecName" => "gmsaCredentialSpecName".to_owned(),
        "GMSACredentialSpec" => "gmsaCredentialSpec".to_owned(),
        _ => {
            let (first, rest) = go.split_at(1);
            first.to_lowercase() + rest
        }
    }
}

/// A struct as Go writes it: all of its fields, whether they are given or not.
fn go_struct(of: &Value, fields: &[(&str, &[&str])]) -> String {
    let fields = fields.iter().map(|(go, inner)| {
        let written = match of.get(&field_name(go)) {
            None if matches!(*go, "User" | "Role" | "Type" | "Level") => "\"\"".to_owned(),
            None => "null".to_owned(),
            Some(value) if inner.is_empty() => value.to_string(),
            Some(value) => {
                let inner: Vec<(&str, &[&str])> =
                    inner.iter().map(|name| (*name, &[][..])).collect();
                go_struct(value, &inner)
            }
        };
        format!("{go:?}:{written}")
    });
    let fields: Vec<String> = fields.collect();
    format!("{{{}}}", fields.join(","))
}

/// Numbers of users and groups (`IsValidUserID`, `IsValidGroupID`).
fn id(number: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let most = i64::from(i32::MAX);
    if !(0..=most).contains(&number.as_i64().unwrap_or(0)) {
        let why = format!("must be between 0 and {most}, inclusive");
        errors.invalid(shown, number, &why);
    }
}

fn ids(context: &Value, fields: &[&str], shown: &FieldPath<'_>, errors: &mut Errors) {
    for field in fields {
        if let Some(number) = context.get(field) {
            id(number, &shown.child(field), errors);
        }
    }
}

/// A word that must be one of these where it is given.
fn word(of: &Value, field: &str, known: &[&str], shown: &FieldPath<'_>, errors: &mut Errors) {
    match of.get(field).and_then(Value::as_str) {
        Some(word) if !known.contains(&word) => {
            errors.not_supported(&shown.child(field), word, known);
        }
        _ => {}
    }
}

/// `validateSeccompProfileField`.
fn seccomp(context: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let Some(profile) = context.get("seccompProfile") else {
        return;
    };
    let shown = shown.child("seccompProfile");
    let of_type = text(profile, &["type"]);
    if of_type.is_empty() {
        let what = "type is required when seccompProfile is set";
        errors.requires(&shown.child("type"), what);
    }
    let types = ["Localhost", "RuntimeDefault", "Unconfined"];
    if !of_type.is_empty() && !types.contains(&of_type) {
        errors.not_supported(&shown.child("type"), of_type, &types);
    }
    let field = "localhostProfile";
    match (of_type, profile.get(field)) {
        ("Localhost", None) => {
            let what = "must be set when seccomp type is Localhost";
            errors.requires(&shown.child(field), what);
        }
        ("Localhost", Some(_)) => {
            below(profile, field, &shown, errors);
        }
        (_, Some(_)) => {
            let of_type = Value::from(of_type);
            let place = profile.get(field).unwrap_or(&Value::Null);
            let written = format!(r#"{{"Type":{of_type},"LocalhostProfile":{place}}}"#);
            let why = "can only be set when seccomp type is Localhost";
            errors.invalid_text(&shown.child(field), &written, why);
        }
        (_, None) => {}
    }
}

/// `validatePodSpecSecurityContext`, for a pod's `spec`, which `shown` leads to.
pub(super) fn of_pod(spec: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let shown = shown.child("securityContext");
    let context = spec.get("securityContext").unwrap_or(&Value::Null);
    let fields = ["fsGroup", "runAsUser", "runAsGroup"];
    ids(context, &fields, &shown, errors);
    let list = shown.child("supplementalGroups");
    for (nth, group) in items(context, &["supplementalGroups"]).iter().enumerate() {
        id(group, &list.index(nth), errors);
    }
    // Upstream has what a pod shares with its node in this struct.
    if flag(spec, &["shareProcessNamespace"]) && flag(spec, &["hostPID"]) {
        let why = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.invalid(&shown.child("shareProcessNamespace"), &true.into(), why);
    }
    let policies = ["Always", "OnRootMismatch"];
    word(context, "fsGroupChangePolicy", &policies, &shown, errors);
    seccomp(context, &shown, errors);
    let policies = ["Merge", "Strict"];
    let field = "supplementalGroupsPolicy";
    word(context, field, &policies, &shown, errors);
}

/// `ValidateSecurityContext`, for a container of a pod's `spec`. The server lets containers be privileged, as those of
/// kubeadm and kind do (`--allow-privileged`).
pub(super) fn of_container(c: &Value, spec: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    let Some(context) = c.get("securityContext") else {
        return;
    };
    let shown = shown.child("securityContext");
    ids(context, &["runAsUser", "runAsGroup"], &shown, errors);
    let mounts = ["Default", "Unmasked"];
    word(context, "procMount", &mounts, &shown, errors);
    let host_users = spec.get("hostUsers").and_then(Value::as_bool) != Some(false);
    if host_users && text(context, &["procMount"]) == "Unmasked" {
        let why = "`hostUsers` must be false to use `Unmasked`";
        errors.invalid(&shown.child("procMount"), &"Unmasked".into(), why);
    }
    seccomp(context, &shown, errors);
    let escalation = context.get("allowPrivilegeEscalation");
    if escalation.and_then(Value::as_bool) != Some(false) {
        return;
    }
    let mut refuse = |what: &str| {
        let why = format!("cannot set `allowPrivilegeEscalation` to false and {what}");
        errors.invalid_text(&shown, &go_struct(context, &CONTEXT), &why);
    };
    if flag(context, &["privileged"]) {
        refuse("`privileged` to true");
    }
    let added = items(context, &["capabilities", "add"]).iter();
    for _ in added.filter(|it| it.as_str() == Some("CAP_SYS_ADMIN")) {
        refuse("`capabilities.Add` CAP_SYS_ADMIN");
    }
}

/// `validatePodHostNetworkDeps`. A port that is not given is filled in when the pod is made.
pub(super) fn host_network(spec: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    if !flag(spec, &["hostNetwork"]) {
        return;
    }
    let list = shown.child("containers");
    for (i, c) in items(spec, &["containers"]).iter().enumerate() {
        let shown = list.index(i);
        let ports = shown.child("ports");
        for (n, port) in items(c, &["ports"]).iter().enumerate() {
            let of = |field: &str| int(port, &[field]).unwrap_or(0);
            let on_host = of("hostPort");
            if on_host != 0 && on_host != of("containerPort") {
                let why = "must match `containerPort` when `hostNetwork` is true";
                let shown = ports.index(n);
                errors.invalid(&shown.child("hostPort"), &on_host.into(), why);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CONTEXT, field_name, go_struct};
    use crate::cluster::json::json;

    #[test]
    fn a_struct_is_written_with_all_of_its_fields() {
        let context = json!({
            "seLinuxOptions": {"level": "s0"}, "runAsNonRoot": true, "capabilities": {"drop": ["ALL"]},
        });
        let written = go_struct(&context, &CONTEXT);
        let begins = r#"{"Capabilities":{"Add":null,"Drop":["ALL"]},"Privileged":null,"SELinuxOptions":{"User":"","Role":"","Type":"","Level":"s0"},"WindowsOptions":null,"#;
        assert!(written.starts_with(begins), "{written}");
        assert!(written.contains(r#""RunAsNonRoot":true"#), "{written}");
        assert_eq!(field_name("GMSACredentialSpec"), "gmsaCredentialSpec");
    }
}
