//! The cells of each kind, in the order of its columns.

use super::{age, custom, pod, settings, workloads};
use crate::cluster::api::selectors::LabelSelector;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::value::{at, flag, int, items, members, name, text};
use crate::time::Micros;

/// Most entries of a list in one cell.
const MOST: usize = 3;

/// The cells of an object, with those that only `-o wide` shows.
pub(super) fn cells(now: Micros, kind: Kind, object: &Value) -> Vec<Value> {
    let age = age::since(now, object, &["metadata", "creationTimestamp"]);
    let name = name(object).to_owned();
    let number = |path: &[&str]| Value::from(int(object, path).unwrap_or(0));
    match kind {
        Kind::Pod => pod::cells(now, object),
        Kind::PodDisruptionBudget => vec![
            name.into(),
            int_or_text(at(object, &["spec", "minAvailable"])).into(),
            int_or_text(at(object, &["spec", "maxUnavailable"])).into(),
            number(&["status", "disruptionsAllowed"]),
            age.into(),
        ],
        Kind::ReplicaSet => {
            let [containers, images, selector] = template(object, &["spec"]);
            vec![
                name.into(),
                number(&["spec", "replicas"]),
                number(&["status", "replicas"]),
                number(&["status", "readyReplicas"]),
                age.into(),
                containers.into(),
                images.into(),
                selector.into(),
            ]
        }
        Kind::Deployment => {
            let [containers, images, selector] = template(object, &["spec"]);
            let of = |path: &[&str]| int(object, path).unwrap_or(0);
            let ready = (of(&["status", "readyReplicas"]), of(&["spec", "replicas"]));
            vec![
                name.into(),
                format!("{}/{}", ready.0, ready.1).into(),
                number(&["status", "updatedReplicas"]),
                number(&["status", "availableReplicas"]),
                age.into(),
                containers.into(),
                images.into(),
                selector.into(),
            ]
        }
        Kind::Service => service(object, name, age),
        Kind::Node => node(object, name, age),
        Kind::Event => event(now, object, name),
        Kind::Namespace => {
            let phase = text(object, &["status", "phase"]).to_owned();
            vec![name.into(), phase.into(), age.into()]
        }
        Kind::Secret => {
            let of_type = text(object, &["type"]).to_owned();
            let entries = members(object, &["data"]).count();
            vec![name.into(), of_type.into(), entries.into(), age.into()]
        }
        Kind::ConfigMap => {
            let entries = members(object, &["data"]).count();
            let binary = members(object, &["binaryData"]).count();
            vec![name.into(), (entries + binary).into(), age.into()]
        }
        Kind::Lease => {
            let holder = text(object, &["spec", "holderIdentity"]).to_owned();
            vec![name.into(), holder.into(), age.into()]
        }
        Kind::EndpointSlice => {
            let of_type = text(object, &["addressType"]).to_owned();
            let ports = items(object, &["ports"]).iter();
            let ports = ports.map(|port| match int(port, &["port"]) {
                Some(port) => port.to_string(),
                None => match text(port, &["name"]) {
                    "" => "*".to_owned(),
                    name => name.to_owned(),
                },
            });
            let endpoints = items(object, &["endpoints"]).iter();
            let addresses = endpoints.flat_map(|it| items(it, &["addresses"]));
            let addresses = addresses.filter_map(|it| it.as_str().map(str::to_owned));
            vec![
                name.into(),
                of_type.into(),
                at_most(&ports.collect::<Vec<_>>()).into(),
                at_most(&addresses.collect::<Vec<_>>()).into(),
                age.into(),
            ]
        }
        Kind::StatefulSet
        | Kind::DaemonSet
        | Kind::ControllerRevision
        | Kind::Job
        | Kind::CronJob
        | Kind::HorizontalPodAutoscaler => workloads::cells(now, kind, object),
        Kind::Custom(of) => custom::cells(now, of, object),
        _ => settings::cells(now, kind, object),
    }
}

/// A list that is cut after some entries (`listWithMoreString`).
fn at_most(entries: &[String]) -> String {
    let shown = entries[..entries.len().min(MOST)].join(",");
    match entries.len() {
        0 => "<unset>".to_owned(),
        all if all > MOST => format!("{shown} + {} more...", all - MOST),
        _ => shown,
    }
}

fn int_or_text(value: Option<&Value>) -> String {
    match value {
        None => "N/A".to_owned(),
        Some(Value::String(text)) => text.to_string(),
        Some(other) => other.to_string(),
    }
}

/// Containers, images and selector of what has a pod template in the member at this path.
pub(super) fn template(object: &Value, path: &[&str]) -> [String; 3] {
    let holder = at(object, path).unwrap_or(&Value::Null);
    let containers = items(holder, &["template", "spec", "containers"]);
    let of = |field: &str| {
        let all: Vec<&str> = containers.iter().map(|it| text(it, &[field])).collect();
        all.join(",")
    };
    let selector = at(holder, &["selector"]).unwrap_or(&Value::Null);
    let selector = match LabelSelector::of_object(selector).text() {
        selector if selector.is_empty() => "<none>".to_owned(),
        selector => selector,
    };
    [of("name"), of("image"), selector]
}

fn service(object: &Value, name: String, age: String) -> Vec<Value> {
    let spec = |field: &str| text(object, &["spec", field]);
    let words = |path: &[&str]| -> Vec<&str> {
        items(object, path)
            .iter()
            .filter_map(Value::as_str)
            .collect()
    };
    let or = |text: String, none: &str| {
        if text.is_empty() {
            none.to_owned()
        } else {
            text
        }
    };
    let own = words(&["spec", "clusterIPs"])
        .first()
        .map(|ip| (*ip).to_owned());
    let external = words(&["spec", "externalIPs"]).join(",");
    let external = match spec("type") {
        "ClusterIP" | "NodePort" => or(external, "<none>"),
        "LoadBalancer" => {
            let ingress = items(object, &["status", "loadBalancer", "ingress"]).iter();
            let mut all: Vec<&str> = ingress
                .map(|it| match text(it, &["ip"]) {
                    "" => text(it, &["hostname"]),
                    ip => ip,
                })
                .filter(|it| !it.is_empty())
                .collect();
            all.sort_unstable();
            all.dedup();
            all.extend(words(&["spec", "externalIPs"]));
            or(all.join(","), "<pending>")
        }
        "ExternalName" => spec("externalName").to_owned(),
        _ => "<unknown>".to_owned(),
    };
    let ports: Vec<String> = items(object, &["spec", "ports"])
        .iter()
        .map(|it| {
            let port = int(it, &["port"]).unwrap_or(0);
            let protocol = text(it, &["protocol"]);
            match int(it, &["nodePort"]).unwrap_or(0) {
                0 => format!("{port}/{protocol}"),
                node => format!("{port}:{node}/{protocol}"),
            }
        })
        .collect();
    let selector: Vec<String> = members(object, &["spec", "selector"])
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))
        .collect();
    vec![
        name.into(),
        spec("type").to_owned().into(),
        own.unwrap_or_else(|| "<none>".to_owned()).into(),
        external.into(),
        or(ports.join(","), "<none>").into(),
        age.into(),
        or(selector.join(","), "<none>").into(),
    ]
}

fn node(object: &Value, name: String, age: String) -> Vec<Value> {
    let conditions = items(object, &["status", "conditions"]).iter();
    let mut status: Vec<&str> = conditions
        .filter(|it| text(it, &["type"]) == "Ready")
        .map(|it| match text(it, &["status"]) {
            "True" => "Ready",
            _ => "NotReady",
        })
        .collect();
    if status.is_empty() {
        status.push("Unknown");
    }
    if flag(object, &["spec", "unschedulable"]) {
        status.push("SchedulingDisabled");
    }
    let roles: Vec<&str> = members(object, &["metadata", "labels"])
        .filter_map(
            |(label, value)| match label.strip_prefix("node-role.kubernetes.io/") {
                Some(role) => Some(role),
                None if label == "kubernetes.io/role" => value.as_str(),
                None => None,
            },
        )
        .filter(|role| !role.is_empty())
        .collect();
    let roles = match roles.join(",") {
        none if none.is_empty() => "<none>".to_owned(),
        roles => roles,
    };
    let address = |of_type: &str| {
        let mut all = items(object, &["status", "addresses"]).iter();
        let found = all.find(|it| text(it, &["type"]) == of_type);
        found
            .map_or("<none>", |it| text(it, &["address"]))
            .to_owned()
    };
    let info = |field: &str| match text(object, &["status", "nodeInfo", field]) {
        "" => "<unknown>".to_owned(),
        known => known.to_owned(),
    };
    vec![
        name.into(),
        status.join(",").into(),
        roles.into(),
        age.into(),
        text(object, &["status", "nodeInfo", "kubeletVersion"])
            .to_owned()
            .into(),
        address("InternalIP").into(),
        address("ExternalIP").into(),
        info("osImage").into(),
        info("kernelVersion").into(),
        info("containerRuntimeVersion").into(),
    ]
}

fn event(now: Micros, object: &Value, name: String) -> Vec<Value> {
    let since = |path: &[&str]| {
        let known = !text(object, path).is_empty();
        known.then(|| age::since(now, object, path))
    };
    let unknown = || "<unknown>".to_owned();
    let first = since(&["firstTimestamp"])
        .or_else(|| since(&["eventTime"]))
        .unwrap_or_else(unknown);
    let (mut last, mut count) = (
        since(&["lastTimestamp"]).unwrap_or_else(|| first.clone()),
        int(object, &["count"]).unwrap_or(0).max(1),
    );
    if at(object, &["series"]).is_some() {
        last = since(&["series", "lastObservedTime"]).unwrap_or_else(unknown);
        count = int(object, &["series", "count"]).unwrap_or(0);
    }
    let kind = text(object, &["involvedObject", "kind"]).to_lowercase();
    let about = match text(object, &["involvedObject", "name"]) {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let or = |one: &[&str], other: &[&str]| match text(object, one) {
        "" => text(object, other).to_owned(),
        found => found.to_owned(),
    };
    let component = or(&["source", "component"], &["reportingComponent"]);
    let source = match or(&["source", "host"], &["reportingInstance"]) {
        host if host.is_empty() => component,
        host => format!("{component}, {host}"),
    };
    let word = |path: &[&str]| text(object, path).trim().to_owned();
    vec![
        last.into(),
        word(&["type"]).into(),
        word(&["reason"]).into(),
        about.into(),
        word(&["involvedObject", "fieldPath"]).into(),
        source.into(),
        word(&["message"]).into(),
        first.into(),
        count.into(),
        name.into(),
    ]
}
