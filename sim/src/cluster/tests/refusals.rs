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
    for (kind, object, row) in rows() {
        let path = match kind {
            Kind::Deployment => apps("deployments"),
            Kind::StatefulSet => apps("statefulsets"),
            Kind::Service => core("services"),
            _ => continue,
        };
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
