//! What a workload has that the simulation leaves out, so that a forecast may miss.

use serde_json::Value;

use super::answer::Warning;
use super::workload::Workload;

/// What of `workload` is not simulated, with what that means.
#[must_use]
pub(super) fn not_simulated(workload: &Workload) -> Vec<Warning> {
    let mut found = Vec::new();
    let mut note = |path: &[&str], rule, text: &str, remedy: &str| {
        found.push(Warning {
            place: workload.place(path),
            rule,
            text: text.to_owned(),
            remedy: remedy.to_owned(),
        });
    };
    let pod = |rest: &[&'static str]| -> Vec<&str> {
        ["spec", "template", "spec"]
            .iter()
            .chain(rest)
            .copied()
            .collect()
    };
    for (field, rule, text, remedy) in [
        (
            "readinessGates",
            "readiness-gates",
            "the conditions that another controller must set are taken for set",
            "add what that controller takes",
        ),
        (
            "topologySpreadConstraints",
            "topology-spread",
            "how pods are spread over zones is left out: a pod that may go nowhere is not seen",
            "see that a node of each zone has room for one more pod",
        ),
        (
            "priorityClassName",
            "priority",
            "pods evict no others to get room",
            "see that there is room, or add what an eviction takes",
        ),
    ] {
        let path = pod(&[field]);
        if is_given(workload.at(&path)) {
            note(&path, rule, text, remedy);
        }
    }
    for field in ["podAffinity", "podAntiAffinity"] {
        let required = "requiredDuringSchedulingIgnoredDuringExecution";
        let path = pod(&["affinity", field, required]);
        if is_given(workload.at(&path)) {
            note(
                &path,
                "pod-affinity",
                "what pods require of pods beside them is left out: a pod that may go nowhere is not seen",
                "see that there is a node more than there are pods, as a rollout needs one for a new pod",
            );
        }
    }
    let claims = ["spec", "volumeClaimTemplates"];
    if is_given(workload.at(&claims)) {
        note(
            &claims,
            "volume",
            "attaching and mounting these volumes takes no time here; a disk that moves to another node takes a minute",
            "measure a pod's start with its volumes, and give it with --starts",
        );
    }
    let volumes = pod(&["volumes"]);
    let volumes_of = workload.at(&volumes).as_array().into_iter().flatten();
    for (at, volume) in volumes_of.enumerate() {
        if is_given(&volume["persistentVolumeClaim"]) || is_given(&volume["csi"]) {
            let at = at.to_string();
            let path: Vec<&str> = volumes.iter().copied().chain([at.as_str()]).collect();
            note(
                &path,
                "volume",
                "attaching and mounting this volume takes no time here; a disk that moves to another node takes a minute",
                "measure a pod's start with its volume, and give it with --starts",
            );
        }
    }
    for (path, container) in workload.containers() {
        let own: Vec<&str> = path
            .iter()
            .map(String::as_str)
            .chain(["lifecycle", "postStart"])
            .collect();
        if is_given(&container["lifecycle"]["postStart"]) {
            note(
                &own,
                "post-start",
                "the postStart hook takes no time here; a real container is not ready before its end",
                "give a start that has the hook in it with --starts",
            );
        }
    }
    if let Some(autoscaler) = &workload.autoscaler {
        found.push(Warning {
            place: super::workload::place(autoscaler, &["spec"]),
            rule: "autoscaler",
            text: format!(
                "the number of pods stays at {} here, and the autoscaler may have made it up to {}",
                workload.replicas(),
                autoscaler.at(&["spec", "maxReplicas"])
            ),
            remedy: "forecast the largest number as well: set replicas to it".to_owned(),
        });
    }
    found
}

fn is_given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}
