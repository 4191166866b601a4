//! What the API server refuses to create, beside what the validation of Kubernetes 1.34 itself refuses.

use serde_json::Value as Raw;

use super::lab::{Lab, apps, core};
use crate::cluster::{Kind, Refusal, quantities, refusals, unknown_fields};

/// Objects with what is refused of each. `tests/reference/controllers/refusals` writes them.
const REFUSALS: &str = include_str!("refusals.json");

fn rows() -> Vec<(Kind, Raw, Raw)> {
    let rows: Vec<Raw> = serde_json::from_str(REFUSALS).expect("JSON");
    let rows = rows.into_iter().map(|row| {
        let object = row["object"].clone();
        let word = |field: &str| object[field].as_str().expect("a word").to_owned();
        let kind = Kind::of_object(&word("apiVersion"), &word("kind")).expect("a kind");
        (kind, object, row)
    });
    rows.collect()
}

/// What stands at a path.
fn follow<'a>(object: &'a Raw, path: &[String]) -> Option<&'a Raw> {
    path.iter().try_fold(object, |here, step| match here {
        Raw::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })
}

#[test]
fn exactly_what_kubernetes_refuses_is_refused_and_in_its_words() {
    let mut wrong = Vec::new();
    for (kind, object, row) in rows() {
        let read = unknown_fields(kind, &object);
        if let Some(why) = row["unreadable"].as_str() {
            assert_eq!(read, Err(why.to_owned()), "{object}");
            continue;
        }
        assert_eq!(read, Ok(Vec::new()), "{object}");
        let found = refusals(kind, &object);
        let mut found: Vec<String> = found
            .iter()
            .map(|it| format!("{}: {}", it.field, it.why))
            .collect();
        found.sort();
        let expected: Vec<String> = serde_json::from_value(row["refused"].clone()).expect("a list");
        if found != expected {
            wrong.push(format!("found {found:#?}\nexpected {expected:#?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} rows: {}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// A client's request is held against the same rules.
#[test]
fn a_request_with_such_an_object_is_refused() {
    let mut lab = Lab::new(1);
    let other = |group: &str, plural: &str| {
        format!("/apis/{group}/v1/namespaces/{}/{plural}", super::lab::NS)
    };
    for (kind, object, row) in rows() {
        let path = match kind {
            Kind::Deployment => apps("deployments"),
            Kind::StatefulSet => apps("statefulsets"),
            Kind::Service => core("services"),
            Kind::Pod => core("pods"),
            Kind::ConfigMap => core("configmaps"),
            Kind::Secret => core("secrets"),
            Kind::Job => other("batch", "jobs"),
            Kind::CronJob => other("batch", "cronjobs"),
            Kind::Ingress => other("networking.k8s.io", "ingresses"),
            _ => continue,
        };
        // A request says the namespace in its path, too.
        let refused = row["refused"].as_array().into_iter().flatten();
        let of_namespace = |it: &Raw| {
            let told = it.as_str().unwrap_or_default();
            told.starts_with("metadata.namespace")
        };
        if refused.into_iter().any(of_namespace) {
            continue;
        }
        let mut object = object;
        object["metadata"]["namespace"] = super::lab::NS.into();
        let expected = match row["refused"].as_array() {
            Some(refused) if refused.is_empty() => continue,
            Some(_) => 422,
            None => 400,
        };
        let (status, answer) = lab.call("POST", &path, "application/json", &object.clone().into());
        assert_eq!(status, expected, "{object}: {answer}");
    }
}

#[test]
fn a_refusal_leads_to_what_is_meant() {
    let template = ["spec", "template", "spec"].map(str::to_owned);
    let is_there = |object: &Raw| match object["kind"].as_str() {
        Some("Deployment" | "StatefulSet") => follow(object, &template).is_some(),
        Some("ConfigMap" | "Secret") => true,
        _ => object["spec"].is_object(),
    };
    for (kind, object, _) in rows().into_iter().filter(|(_, it, _)| is_there(it)) {
        for Refusal { path, why, .. } in refusals(kind, &object) {
            // What is missing stands nowhere; the rest is there, or what is around it.
            let missing = why.starts_with("Required value");
            let found = follow(&object, &path).is_some();
            let around = path.split_last().map_or(&[][..], |(_, around)| around);
            let written_as_map = path
                .iter()
                .any(|it| it == "volumeMounts" || it == "clusterIPs");
            assert!(
                found || missing || written_as_map || follow(&object, around).is_some(),
                "{path:?}: {why} of {object}"
            );
        }
    }
    let label = serde_json::json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "a", "labels": {"right": "a", "wrong": "a b"}},
    });
    let found = refusals(Kind::ConfigMap, &label);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path, ["metadata", "labels", "wrong"]);
}

/// Upstream's validation does not look at them: the allocator of ports refuses them, after everything else
/// (`pkg/registry/core/service/portallocator/allocator.go` ErrNotInRange).
#[test]
fn ports_that_no_node_gives_to_services_are_refused() {
    let service = |of_type: &str, ports: &Raw| {
        let object = serde_json::json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"type": of_type, "selector": {"app": "web"}, "ports": ports},
        });
        let found = refusals(Kind::Service, &object);
        let told = found
            .into_iter()
            .map(|it| format!("{}: {}", it.field, it.why));
        told.collect::<Vec<String>>()
    };
    let range = "provided port is not in the valid range. The range of valid ports is 30000-32767";
    let two = |a: i64, b: i64| {
        serde_json::json!([
            {"name": "a", "port": 80, "nodePort": a}, {"name": "b", "port": 81, "nodePort": b},
        ])
    };
    for of_type in ["NodePort", "LoadBalancer"] {
        assert_eq!(service(of_type, &two(30_000, 32_767)), [""; 0]);
        let told = format!("spec.ports[1].nodePort: Invalid value: 80: {range}");
        assert_eq!(service(of_type, &two(0, 80)), [told]);
        let told = format!("spec.ports[0].nodePort: Invalid value: 32768: {range}");
        assert_eq!(service(of_type, &two(32_768, 80)), [told]);
    }
    // Nothing is given out where something else is wrong.
    let twice = service("NodePort", &two(80, 80));
    assert_eq!(twice, ["spec.ports[1].nodePort: Duplicate value: 80"]);
}

/// Each pod gets its ports when it is made, as templates have none.
#[test]
fn a_pod_on_the_network_of_its_node_takes_the_node_s_ports() {
    let mut lab = Lab::new(1);
    let pod = |host_network: bool| {
        let name = if host_network {
            "on-node"
        } else {
            "of-its-own"
        };
        serde_json::json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"hostNetwork": host_network, "containers": [
                {"name": "web", "image": "web:1", "ports": [{"containerPort": 8080}]},
            ]},
        })
    };
    for (on_node, port) in [(true, Raw::from(8080)), (false, Raw::Null)] {
        let pod = pod(on_node).into();
        let (status, answer) = lab.call("POST", &core("pods"), "application/json", &pod);
        assert_eq!(status, 201, "{answer}");
        let made: Raw = serde_json::from_str(&answer.to_string()).expect("JSON");
        assert_eq!(made["spec"]["containers"][0]["ports"][0]["hostPort"], port);
    }
}

/// What was copied from another Job has that one's labels.
#[test]
fn a_job_with_the_labels_of_another_is_refused() {
    let mut lab = Lab::new(1);
    let path = format!("/apis/batch/v1/namespaces/{}/jobs", super::lab::NS);
    let job = serde_json::json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "load", "uid": "1"},
        "spec": {
            "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "1"}},
            "template": {
                "metadata": {"labels": {"controller-uid": "1", "batch.kubernetes.io/controller-uid": "1"}},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "load", "image": "load:1"}]},
            },
        },
    });
    let (status, answer) = lab.call("POST", &path, "application/json", &job.into());
    assert_eq!(status, 422, "{answer}");
    assert!(
        answer
            .to_string()
            .contains("controller-uid]: Invalid value"),
        "{answer}"
    );
}

#[test]
fn quantities_are_told_by_their_paths_and_numbers_are_written_as_text() {
    let mut object = serde_json::json!({
        "metadata": {"labels": {"requests": "abc"}},
        "spec": {"containers": [{"resources": {
            "requests": {"cpu": 1, "memory": "64Mi"}, "limits": {"cpu": "abc"},
        }}]},
    });
    let wrong = quantities(&mut object);
    assert_eq!(
        wrong,
        [["spec", "containers", "0", "resources", "limits", "cpu"]]
    );
    assert_eq!(
        object["spec"]["containers"][0]["resources"]["requests"]["cpu"],
        "1"
    );
}
