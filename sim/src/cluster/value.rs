//! Small accessors for objects kept as JSON trees.

use crate::cluster::json::Value;
use crate::time::{EPOCH_SECOND, Micros};

/// The value at `path`, if every step exists.
pub(crate) fn at<'a>(v: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(v, |v, step| v.get(step))
}

/// The string at `path`, empty if absent.
pub(crate) fn text<'a>(v: &'a Value, path: &[&str]) -> &'a str {
    at(v, path).and_then(Value::as_str).unwrap_or("")
}

/// The integer at `path`.
pub(crate) fn int(v: &Value, path: &[&str]) -> Option<i64> {
    at(v, path).and_then(Value::as_i64)
}

/// The boolean at `path`, false if absent.
pub(crate) fn flag(v: &Value, path: &[&str]) -> bool {
    at(v, path).and_then(Value::as_bool).unwrap_or(false)
}

/// The elements of the array at `path`.
pub(crate) fn items<'a>(v: &'a Value, path: &[&str]) -> &'a [Value] {
    at(v, path)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Writes `new` at `path`, creating the objects on the way.
pub(crate) fn set(v: &mut Value, path: &[&str], new: impl Into<Value>) {
    let mut here = v;
    for step in path {
        if !here.is_object() {
            *here = Value::Null;
        }
        here = &mut here[*step];
    }
    *here = new.into();
}

/// The members of an object at `path`; none if there is no object.
pub(crate) fn members<'a>(
    v: &'a Value,
    path: &[&str],
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    at(v, path).into_iter().flat_map(Value::members)
}

/// A copy of an object with `new` as its member `name`.
pub(crate) fn with(v: &Value, name: &str, new: Value) -> Value {
    let mut copy = v.clone();
    copy[name] = new;
    copy
}

/// Removes the member at `path`; true if it was there.
pub(crate) fn remove(v: &mut Value, path: &[&str]) -> bool {
    let Some((last, parents)) = path.split_last() else {
        return false;
    };
    let mut here = v;
    for step in parents {
        match here.get_mut(step) {
            Some(next) => here = next,
            None => return false,
        }
    }
    here.as_object_mut().is_some_and(|m| m.remove(last))
}

/// Makes the member at `path` as it is in `from`: absent if it is absent there.
pub(crate) fn keep(v: &mut Value, path: &[&str], from: &Value) {
    set_or_remove(v, path, at(from, path).cloned());
}

/// Writes `new` at `path`, or removes the member if `new` is `None`.
pub(crate) fn set_or_remove(v: &mut Value, path: &[&str], new: Option<Value>) {
    match new {
        Some(new) => set(v, path, new),
        None => {
            remove(v, path);
        }
    }
}

pub(crate) fn name(v: &Value) -> &str {
    text(v, &["metadata", "name"])
}

pub(crate) fn namespace(v: &Value) -> &str {
    text(v, &["metadata", "namespace"])
}

pub(crate) fn uid(v: &Value) -> &str {
    text(v, &["metadata", "uid"])
}

pub(crate) fn label<'a>(v: &'a Value, key: &str) -> &'a str {
    text(v, &["metadata", "labels", key])
}

pub(crate) fn annotation<'a>(v: &'a Value, key: &str) -> Option<&'a str> {
    at(v, &["metadata", "annotations", key]).and_then(Value::as_str)
}

/// The key under which an object is stored: `namespace/name`, or `/name`.
pub(crate) fn key(namespace: &str, name: &str) -> String {
    let mut key = String::with_capacity(namespace.len() + name.len() + 1);
    key.push_str(namespace);
    key.push('/');
    key.push_str(name);
    key
}

/// Splits a key into namespace and name.
pub(crate) fn split_key(key: &str) -> (&str, &str) {
    key.split_once('/').unwrap_or(("", key))
}

pub(crate) fn key_of(v: &Value) -> String {
    key(namespace(v), name(v))
}

pub(crate) fn deleting(v: &Value) -> bool {
    at(v, &["metadata", "deletionTimestamp"]).is_some()
}

/// Whether a pod has run to its end, well or not.
pub(crate) fn is_ended(pod: &Value) -> bool {
    matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed")
}

/// The owner reference with `controller: true`.
pub(crate) fn controller_of(v: &Value) -> Option<&Value> {
    items(v, &["metadata", "ownerReferences"])
        .iter()
        .find(|o| flag(o, &["controller"]))
}

/// UID of the controlling owner, empty if there is none.
pub(crate) fn controller_uid(v: &Value) -> &str {
    controller_of(v).map_or("", |o| text(o, &["uid"]))
}

/// The name of the Deployment, StatefulSet or other workload that a pod is of; the pod's own if it is of none.
#[must_use]
pub fn workload_of(pod: &Value) -> &str {
    let Some(owner) = controller_of(pod) else {
        return name(pod);
    };
    let set = text(owner, &["name"]);
    // A Deployment's ReplicaSet is called after it, and after the template's hash.
    let hash = label(pod, "pod-template-hash");
    let of_deployment = set
        .strip_suffix(hash)
        .and_then(|rest| rest.strip_suffix('-'));
    match of_deployment {
        Some(deployment) if text(owner, &["kind"]) == "ReplicaSet" && !hash.is_empty() => {
            deployment
        }
        _ => set,
    }
}

/// Whether an init container is a sidecar, which runs as long as its pod.
pub(crate) fn is_sidecar(container: &Value) -> bool {
    text(container, &["restartPolicy"]) == "Always"
}

/// The containers of a pod that run as long as it does: all but the init containers that are no sidecars.
pub(crate) fn lasting_containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let inits = items(pod, &["spec", "initContainers"]).iter();
    let containers = items(pod, &["spec", "containers"]).iter();
    containers.chain(inits.filter(|c| is_sidecar(c)))
}

/// The condition of this type in `status.conditions`.
pub(crate) fn condition<'a>(v: &'a Value, of_type: &str) -> Option<&'a Value> {
    find_condition(items(v, &["status", "conditions"]), of_type)
}

/// The condition of this type.
pub(crate) fn find_condition<'a>(conditions: &'a [Value], of_type: &str) -> Option<&'a Value> {
    conditions.iter().find(|c| text(c, &["type"]) == of_type)
}

/// Whether the condition of this type is `True`.
pub(crate) fn condition_true(v: &Value, of_type: &str) -> bool {
    condition(v, of_type).is_some_and(|c| text(c, &["status"]) == "True")
}

/// RFC 3339 with whole seconds, as Kubernetes writes times; the last one that there is for what comes later.
pub(crate) fn timestamp(at: Micros) -> String {
    let second = EPOCH_SECOND + (at.0 / 1_000_000) as i64;
    jiff::Timestamp::from_second(second)
        .unwrap_or(jiff::Timestamp::MAX)
        .to_string()
}

/// The instant of an RFC 3339 time; times before the drill count as its beginning.
pub(crate) fn parse_timestamp(text: &str) -> Option<Micros> {
    let t: jiff::Timestamp = text.parse().ok()?;
    let micros = t.as_microsecond() - EPOCH_SECOND * 1_000_000;
    Some(Micros(u64::try_from(micros).unwrap_or(0)))
}

/// Creation time, with the resolution of the object.
pub(crate) fn created(v: &Value) -> Micros {
    parse_timestamp(text(v, &["metadata", "creationTimestamp"])).unwrap_or(Micros::ZERO)
}

/// A text in the characters that names are made of (`apimachinery/pkg/util/rand` SafeEncodeString).
pub(crate) fn safe_encoded(text: &str) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    text.bytes()
        .map(|c| char::from(ALPHABET[usize::from(c) % ALPHABET.len()]))
        .collect()
}
