//! A StatefulSet's pods: their names, identity, storage and states (`stateful_set_utils.go`).

use crate::cluster::history::REVISION_HASH;
use crate::cluster::json::{Value, json};
use crate::cluster::pod_template::pod_of;
use crate::cluster::replicaset::is_available;
use crate::cluster::value::{self, at, int, items, label, members, name, set, text};
use crate::time::Micros;

/// Label with a pod's name.
const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
/// Label with a pod's ordinal.
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// The name of the StatefulSet and the ordinal that a pod's name is made of.
pub(super) fn parent_and_ordinal(pod: &str) -> Option<(&str, i64)> {
    let (parent, ordinal) = pod.rsplit_once('-')?;
    let digits = !ordinal.is_empty() && ordinal.bytes().all(|b| b.is_ascii_digit());
    let ordinal = ordinal.parse::<i32>().ok().filter(|_| digits)?;
    Some((parent, i64::from(ordinal)))
}

/// The ordinal of a pod.
pub(super) fn ordinal(pod: &Value) -> Option<i64> {
    parent_and_ordinal(name(pod)).map(|(_, ordinal)| ordinal)
}

/// The first ordinal of a StatefulSet.
pub(super) fn first_ordinal(stateful: &Value) -> i64 {
    int(stateful, &["spec", "ordinals", "start"]).unwrap_or(0)
}

/// The revision that a pod is of.
pub(super) fn revision_of(pod: &Value) -> &str {
    label(pod, REVISION_HASH)
}

pub(super) fn is_ready(pod: &Value) -> bool {
    text(pod, &["status", "phase"]) == "Running" && value::condition_true(pod, "Ready")
}

pub(super) fn is_unavailable(pod: &Value, min_ready_s: i64, now: Micros) -> bool {
    !is_available(pod, min_ready_s, now) || value::deleting(pod)
}

/// The claims of the pod with this ordinal, each with the name of its volume, in the order of their templates.
pub(super) fn claims(stateful: &Value, ordinal: i64) -> Vec<(String, Value)> {
    let labels = at(stateful, &["spec", "selector", "matchLabels"]);
    items(stateful, &["spec", "volumeClaimTemplates"])
        .iter()
        .map(|template| {
            let volume = name(template).to_owned();
            let called = format!("{volume}-{}-{ordinal}", name(stateful));
            let mut claim = template.clone();
            value::remove(&mut claim, &["status"]);
            set(&mut claim, &["metadata", "name"], called);
            for (key, label) in labels.into_iter().flat_map(Value::members) {
                set(&mut claim, &["metadata", "labels", key], label.clone());
            }
            (volume, claim)
        })
        .collect()
}

/// A pod as it is to be created: of this template and revision.
pub(super) fn new_pod(stateful: &Value, template: &Value, revision: &str, ordinal: i64) -> Value {
    let called = format!("{}-{ordinal}", name(stateful));
    let mut pod = pod_of(stateful, template);
    set(&mut pod, &["metadata", "name"], called.as_str());
    set_identity(&mut pod, ordinal);
    set(&mut pod, &["metadata", "labels", REVISION_HASH], revision);
    set(&mut pod, &["spec", "hostname"], called);
    let service = text(stateful, &["spec", "serviceName"]);
    if !service.is_empty() {
        set(&mut pod, &["spec", "subdomain"], service);
    }
    let claims = claims(stateful, ordinal);
    if !claims.is_empty() {
        let own = |volume: &Value| claims.iter().any(|(called, _)| name_of(volume) == called);
        let mut volumes: Vec<Value> = claims
            .iter()
            .map(|(volume, claim)| {
                json!({"name": volume, "persistentVolumeClaim": {"claimName": name(claim)}})
            })
            .collect();
        let others = items(&pod, &["spec", "volumes"]).iter();
        volumes.extend(others.filter(|volume| !own(volume)).cloned());
        set(&mut pod, &["spec", "volumes"], volumes);
    }
    pod
}

fn name_of(volume: &Value) -> &str {
    text(volume, &["name"])
}

fn set_identity(pod: &mut Value, ordinal: i64) {
    let called = name(pod).to_owned();
    set(pod, &["metadata", "labels", POD_NAME], called);
    set(pod, &["metadata", "labels", POD_INDEX], ordinal.to_string());
}

/// The pod with the labels that its place gives it, if it lacks one of them (`identityMatches`, `updateIdentity`).
pub(super) fn with_identity(pod: &Value) -> Option<Value> {
    let ordinal = ordinal(pod)?;
    if label(pod, POD_NAME) == name(pod) {
        return None;
    }
    let mut copy = pod.clone();
    set_identity(&mut copy, ordinal);
    Some(copy)
}

/// Whether a StatefulSet has templates of claims.
pub(super) fn has_claims(stateful: &Value) -> bool {
    members(stateful, &["spec"]).any(|(name, _)| name == "volumeClaimTemplates")
}

#[cfg(test)]
mod tests {
    use super::parent_and_ordinal;

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(parent_and_ordinal("web-0"), Some(("web", 0)));
        assert_eq!(parent_and_ordinal("my-web-12"), Some(("my-web", 12)));
        for other in ["web", "web-", "web-a", "web-+1", "web-99999999999"] {
            assert_eq!(parent_and_ordinal(other), None, "{other}");
        }
    }
}
