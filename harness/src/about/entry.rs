//! Which service the clients of an application ask first, as far as its manifests show it.

use std::fmt;

use serde_json::Value;
use sim_services::manifests::{Manifests, Object, at};

/// Words in the names of services that clients ask directly.
const ASKED_FIRST: [&str; 8] = [
    "ingress", "gateway", "front", "frontend", "web", "www", "ui", "api",
];
/// Types of Services that can be reached from outside of the cluster.
const EXPOSING: [&str; 2] = ["LoadBalancer", "NodePort"];

/// Why a service was taken for the one that clients ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The Ingress with this name leads to it.
    Ingress(String),
    /// The Service with this name is of the type LoadBalancer or NodePort, and selects its pods.
    Exposed(String),
    /// No other container has its address in its environment or its arguments.
    CalledByNobody,
    /// Nothing shows which one it is: it is the first that can be asked.
    First,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ingress(name) => write!(f, "the Ingress `{name}` leads to it"),
            Self::Exposed(name) => {
                write!(
                    f,
                    "the Service `{name}` shows it to the outside of the cluster"
                )
            }
            Self::CalledByNobody => f.write_str("no other service has its address"),
            Self::First => f.write_str("nothing in the manifests says which one clients ask"),
        }
    }
}

/// The workloads that clients may ask, the most likely one first. There is at least one.
pub(super) fn candidates(manifests: &Manifests) -> Vec<(String, Why)> {
    let workloads: Vec<&Object> = manifests.workloads().map(|(object, _)| object).collect();
    let mut found: Vec<(String, Why)> = Vec::new();
    let mut add = |object: &Object, why: Why| {
        let name = object.name();
        if found.iter().all(|(other, _)| other != name) {
            found.push((name.to_owned(), why));
        }
    };
    for ingress in of_kind(manifests, "Ingress") {
        let mut named = Vec::new();
        backends(ingress.at(&["spec"]), &mut named);
        for name in named {
            let services = of_kind(manifests, "Service").filter(|it| it.name() == name);
            for selected in services.flat_map(|it| selected_by(it, &workloads)) {
                add(selected, Why::Ingress(ingress.name().to_owned()));
            }
        }
    }
    for service in of_kind(manifests, "Service") {
        let of_type = service.at(&["spec", "type"]).as_str();
        if of_type.is_some_and(|it| EXPOSING.contains(&it)) {
            for selected in selected_by(service, &workloads) {
                add(selected, Why::Exposed(service.name().to_owned()));
            }
        }
    }
    let likely = |object: &&&Object| ASKED_FIRST.iter().any(|word| object.name().contains(word));
    let (likely, others): (Vec<&&Object>, Vec<&&Object>) = workloads.iter().partition(likely);
    let by_name: Vec<&Object> = likely.into_iter().chain(others).copied().collect();
    let addressed = |object: &&&Object| !addresses(manifests, object).is_empty();
    let uncalled = by_name.iter().filter(addressed);
    for object in uncalled.filter(|it| !is_called(manifests, it, &workloads)) {
        add(object, Why::CalledByNobody);
    }
    for object in by_name {
        add(object, Why::First);
    }
    if found.is_empty() {
        // Without a workload, what is wrong is said all the same.
        found.push(("front".to_owned(), Why::First));
    }
    found
}

fn of_kind<'a>(manifests: &'a Manifests, kind: &'a str) -> impl Iterator<Item = &'a Object> {
    manifests.objects.iter().filter(move |it| it.kind() == kind)
}

/// The workloads whose pods the Service selects.
fn selected_by<'a>(service: &Object, workloads: &[&'a Object]) -> Vec<&'a Object> {
    let selector = service.at(&["spec", "selector"]).as_object();
    let Some(selector) = selector.filter(|it| !it.is_empty()) else {
        return Vec::new();
    };
    let is_selected = |object: &&&Object| {
        let labels = object.at(&["spec", "template", "metadata", "labels"]);
        object.namespace() == service.namespace()
            && selector
                .iter()
                .all(|(key, value)| at(labels, &[key]) == value)
    };
    workloads.iter().filter(is_selected).copied().collect()
}

/// The names of the Services that lead to the workload.
fn addresses<'a>(manifests: &'a Manifests, object: &Object) -> Vec<&'a str> {
    let leading = of_kind(manifests, "Service");
    let leading = leading.filter(|it| !selected_by(it, &[object]).is_empty());
    leading.map(Object::name).collect()
}

/// Whether a container of another workload has an address of `object`.
fn is_called(manifests: &Manifests, object: &Object, workloads: &[&Object]) -> bool {
    let addresses = addresses(manifests, object);
    let mut others = workloads.iter().filter(|it| it.name() != object.name());
    others.any(|other| {
        let mut texts = Vec::new();
        values(
            other.at(&["spec", "template", "spec", "containers"]),
            &mut texts,
        );
        let mut all = texts.iter();
        all.any(|text| addresses.iter().any(|address| names_host(text, address)))
    })
}

/// The names of the Services that an Ingress leads to.
fn backends<'a>(value: &'a Value, out: &mut Vec<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| backends(item, out)),
        Value::Object(fields) => {
            let named = at(value, &["service", "name"]).as_str();
            out.extend(named.filter(|name| !out.contains(name)));
            fields.values().for_each(|inside| backends(inside, out));
        }
        _ => {}
    }
}

/// Values of environment variables and arguments.
pub(super) fn values<'a>(value: &'a Value, out: &mut Vec<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| values(item, out)),
        Value::Object(fields) => {
            let inside = fields.iter();
            let inside = inside.filter(|(key, _)| matches!(key.as_str(), "env" | "args" | "value"));
            inside.for_each(|(_, value)| values(value, out));
        }
        Value::String(text) => out.push(text),
        _ => {}
    }
}

/// Whether `text` has `host` in it as the first label of a host name.
pub(super) fn names_host(text: &str, host: &str) -> bool {
    let mut words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'));
    words.any(|word| word.split('.').next() == Some(host))
}

#[cfg(test)]
mod tests {
    use sim_services::manifests::{Document, Manifests};

    use super::{Why, candidates, names_host};

    fn workload(name: &str, env: &str) -> String {
        format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}}}, spec: {{selector: {{matchLabels: \
             {{app: {name}}}}}, template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{containers: [{{name: c, \
             image: i, env: [{{name: A, value: '{env}'}}]}}]}}}}}}}}\n---\n"
        )
    }

    fn service(name: &str) -> String {
        format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {{ports: [{{port: 80}}], selector: {{app: {name}}}}}}}\n---\n"
        )
    }

    fn first(text: String) -> (String, Why) {
        let name = "k8s/all.yaml".to_owned();
        let manifests = Manifests::parse(vec![Document { name, text }], "shop");
        let all = candidates(&manifests.expect("they are right"));
        all.into_iter().next().expect("there is one")
    }

    #[test]
    fn what_is_shown_to_the_world_comes_before_what_nobody_calls() {
        // The alphabet would have `accounts`, and `batch` has no Service at all.
        let services = workload("accounts", "x")
            + &service("accounts")
            + &workload("batch", "http://store:80");
        let services = services + &workload("store", "http://accounts/") + &service("store");
        let services = services + &workload("till", "store.shop.svc") + &service("till");
        let uncalled = first(services.clone());
        assert_eq!(uncalled, ("till".to_owned(), Why::CalledByNobody));

        let balanced = services.clone()
            + "{apiVersion: v1, kind: Service, metadata: {name: door}, spec: {type: LoadBalancer, ports: [{port: 80}], selector: {app: store}}}";
        assert_eq!(
            first(balanced),
            ("store".to_owned(), Why::Exposed("door".to_owned()))
        );

        let ingress = services
            + "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: edge}, spec: {rules: [{http: {paths: \
               [{path: /, pathType: Prefix, backend: {service: {name: accounts, port: {number: 80}}}}]}}]}}";
        assert_eq!(
            first(ingress),
            ("accounts".to_owned(), Why::Ingress("edge".to_owned()))
        );
    }

    #[test]
    fn hosts_are_found_and_parts_of_words_are_not() {
        assert!(names_host("http://stock:80/x", "stock"));
        assert!(names_host("stock.shop.svc", "stock"));
        assert!(!names_host("http://livestock", "stock"));
    }
}
