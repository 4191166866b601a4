//! What a pod needs besides its images.

use std::collections::BTreeSet;

use serde_json::Value;
use sim::cluster::quantity_nanos;

use super::look::{Look, text};

pub(super) const ALL: &[fn(&mut Look<'_>)] = &[configuration, volumes, nodes];

/// ConfigMaps and Secrets that the pods name: an undo brings the name back, and not what was in it.
fn configuration(look: &mut Look<'_>) {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    references(look, &mut |path, kind, name| {
        if seen.insert((kind, name.to_owned())) {
            found.push((path, kind, name.to_owned()));
        }
    });
    for (path, kind, name) in found {
        let namespace = look.workload.object.namespace().unwrap_or("default");
        let object = look.known.manifests.get(kind, namespace, &name);
        let immutable = object.is_some_and(|it| *it.at(&["immutable"]) == true);
        if immutable || has_version(&name) {
            continue;
        }
        // What is not deployed with the release does not change with it.
        if object.is_none() && kind == "Secret" {
            continue;
        }
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        look.warn(
            "config-not-versioned",
            &path,
            format!(
                "the pods take the {kind} {name} by a name that stays: an undo starts the prior release with what is \
                 in it now"
            ),
            format!(
                "give it a name with a version ({name}-v2, or a generator's hash) and immutable: true, \
                 or restore it with the release"
            ),
        );
    }
}

/// Whether a name ends in a version or a hash: `-v2`, `-7`, `-5f4dcc3b`, or a generator's `-b2k85mtt4h`.
fn has_version(name: &str) -> bool {
    let Some((_, last)) = name.rsplit_once('-') else {
        return false;
    };
    let digits = last.chars().any(|c| c.is_ascii_digit());
    let version = last.strip_prefix('v').unwrap_or(last);
    let all_digits = !version.is_empty() && version.chars().all(|c| c.is_ascii_digit() || c == '.');
    all_digits || (digits && last.len() >= 6)
}

/// Calls `found` with the path, the kind and the name of everything that the pods take their configuration from.
fn references(look: &Look<'_>, found: &mut dyn FnMut(Vec<String>, &'static str, &str)) {
    let steps = |base: &[String], rest: &[&str]| -> Vec<String> {
        let rest = rest.iter().map(|it| (*it).to_owned());
        base.iter().cloned().chain(rest).collect()
    };
    let mut note = |path: Vec<String>, kind, name: &Value| {
        if let Some(name) = name.as_str() {
            found(path, kind, name);
        }
    };
    for (path, container) in look.workload.containers() {
        for (at, from) in items(&container["envFrom"]) {
            for (field, kind) in [("configMapRef", "ConfigMap"), ("secretRef", "Secret")] {
                let own = steps(&path, &["envFrom", &at, field, "name"]);
                note(own, kind, &from[field]["name"]);
            }
        }
        for (at, variable) in items(&container["env"]) {
            for (field, kind) in [("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")] {
                let own = steps(&path, &["env", &at, "valueFrom", field, "name"]);
                note(own, kind, &variable["valueFrom"][field]["name"]);
            }
        }
    }
    let pod: Vec<String> = ["spec", "template", "spec"].map(str::to_owned).to_vec();
    for (at, volume) in items(&look.workload.pod()["volumes"]) {
        for (field, name, kind) in [
            ("configMap", "name", "ConfigMap"),
            ("secret", "secretName", "Secret"),
        ] {
            let own = steps(&pod, &["volumes", &at, field, name]);
            note(own, kind, &volume[field][name]);
        }
    }
}

/// The elements of a list with their positions.
fn items(list: &Value) -> impl Iterator<Item = (String, &Value)> {
    let items = list.as_array().into_iter().flatten();
    items.enumerate().map(|(at, it)| (at.to_string(), it))
}

/// A claim that one node at a time can mount.
fn volumes(look: &mut Look<'_>) {
    let namespace = look
        .workload
        .object
        .namespace()
        .unwrap_or("default")
        .to_owned();
    for (at, volume) in items(&look.workload.pod()["volumes"]) {
        let claim = text(&volume["persistentVolumeClaim"]["claimName"]);
        let object = look
            .known
            .manifests
            .get("PersistentVolumeClaim", &namespace, claim);
        let modes = object.map(|it| it.at(&["spec", "accessModes"]));
        let shared = modes.is_none_or(|modes| {
            let mut modes = modes.as_array().into_iter().flatten();
            modes.any(|it| matches!(text(it), "ReadWriteMany" | "ReadOnlyMany"))
        });
        let ends_first = look.workload.recreates() || look.workload.is_stateful();
        if claim.is_empty() || shared || ends_first {
            continue;
        }
        let path = ["spec", "template", "spec", "volumes", &at];
        look.warn(
            "volume-of-one-node",
            &path,
            format!(
                "one node at a time can mount the claim {claim}: a new pod on another node waits for the pod that has it, \
                 which a rolling update does not stop before the new one is ready"
            ),
            "use Recreate or a StatefulSet, or a claim that many nodes can mount (ReadWriteMany)",
        );
    }
}

/// A pod that asks for more than any node has.
fn nodes(look: &mut Look<'_>) {
    let nodes = crate::forecast::workload::nodes(look.known.manifests);
    let most = |resource: &str| {
        let amounts = nodes
            .values()
            .filter_map(|node| amount(text(&node["status"]["allocatable"][resource])));
        amounts.fold(None, |most: Option<f64>, it| {
            Some(most.map_or(it, |m| m.max(it)))
        })
    };
    for resource in ["cpu", "memory"] {
        let asked: f64 = look
            .lasting()
            .iter()
            .filter_map(|(_, container)| {
                let resources = &container["resources"];
                let given = [&resources["requests"], &resources["limits"]];
                let given = given.into_iter().find(|it| !it[resource].is_null())?;
                amount(text(&given[resource]))
            })
            .sum();
        if let Some(most) = most(resource).filter(|most| asked > *most) {
            let path = ["spec", "template", "spec", "containers"];
            look.warn(
                "node-fits-none",
                &path,
                format!("a pod asks for {asked} of {resource}, and the largest node has {most}: it runs nowhere"),
                format!("lower resources.requests.{resource}, or add a larger node"),
            );
        }
    }
}

/// A quantity of Kubernetes as a number.
fn amount(text: &str) -> Option<f64> {
    quantity_nanos(text).map(|it| it as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::{amount, has_version};

    #[test]
    fn names_with_a_version_are_recognised() {
        for (name, versioned) in [
            ("front-config", false),
            ("front-config-v2", true),
            ("front-config-7", true),
            ("front-b2k85mtt4h", true),
            ("front-5f4dcc3b", true),
            ("config", false),
            ("front-settings", false),
        ] {
            assert_eq!(has_version(name), versioned, "{name}");
        }
    }

    #[test]
    fn quantities_are_numbers() {
        for (text, value) in [
            ("500m", 0.5),
            ("2", 2.0),
            ("1Gi", 1_073_741_824.0),
            ("1.5G", 1.5e9),
        ] {
            assert_eq!(amount(text), Some(value), "{text}");
        }
        assert_eq!(amount("much"), None);
    }
}
