//! What a release may change of a pod template: fields that there are, of containers that there are.

use std::ops::Range;

use serde_json::{Value, json};
use sim::cluster::Kind;

use super::app::App;
use crate::manifests::{WorkloadKind, look};
use crate::mistake::Mistakes;
use crate::suggest;

/// Fields of a StatefulSet that nobody can change once it is there.
const FIXED: [&str; 3] = ["volumeClaimTemplates", "serviceName", "podManagementPolicy"];
/// Lists of a pod's containers, each of which has a name.
const CONTAINERS: [&str; 2] = ["containers", "initContainers"];

/// Checks the change `patch` of the pods of the service `at`, whose key in the description is at `key`.
pub(super) fn check(m: &mut Mistakes, app: &App, at: usize, key: &Range<usize>, patch: &Value) {
    let Some(service) = app.services.get(at) else {
        return;
    };
    let text = &app.bundle.app.text;
    let plain = without_directives(patch);
    // The pods of a StatefulSet have the same template.
    let mut around = json!({"spec": {"template": plain}});
    let looked = look(Kind::Deployment, &mut around);
    let in_template = |path: &[String]| path.get(2..).unwrap_or_default().to_vec();
    for (path, why) in &looked.unreadable {
        let path = in_template(path);
        m.add(
            place(text, key, &path),
            format!("`template.{}.{}`: {why}", service.name, path.join(".")),
            "the API server refuses this",
            "`kubectl explain pod` says what belongs here",
        );
    }
    for path in &looked.unknown {
        let path = in_template(path);
        let (why, help) = explained(service.kind, path.last().map_or("", String::as_str));
        m.add(
            place(text, key, &path),
            format!("`template.{}.{}`: {why}", service.name, path.join(".")),
            "the API server refuses this",
            help,
        );
    }
    let manifest = app.manifests.workloads();
    let mut manifest = manifest.filter(|(object, _)| object.name() == service.name);
    let Some((object, _)) = manifest.next() else {
        return;
    };
    for list in CONTAINERS {
        let there = object.at(&["spec", "template", "spec", list]);
        let names = |list: &Value| -> Vec<String> {
            let items = list.as_array().into_iter().flatten();
            let named = items.filter_map(|it| it["name"].as_str());
            named.map(str::to_owned).collect()
        };
        let known = names(there);
        let changed = plain["spec"][list].as_array().into_iter().flatten();
        for container in changed {
            let name = container["name"].as_str().unwrap_or_default();
            // One that brings its own image is a new one.
            if known.iter().any(|it| it == name)
                || container["image"].is_string() && !name.is_empty()
            {
                continue;
            }
            let path = ["spec".to_owned(), list.to_owned(), name.to_owned()];
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let (message, help) = if name.is_empty() {
                (
                    "has no name".to_owned(),
                    format!("name the container: {}", suggest::listed(known)),
                )
            } else {
                (
                    format!("there is no container `{name}`, and a new one needs an image"),
                    suggest::help(name, &known),
                )
            };
            m.add(
                place(text, key, &path),
                format!("`template.{}.spec.{list}`: {message}", service.name),
                "not in the manifest",
                help,
            );
        }
    }
}

/// What is wrong with a field that no pod template has, and what to do about it.
fn explained(kind: WorkloadKind, field: &str) -> (String, String) {
    let fixed = field == "selector" || kind == WorkloadKind::StatefulSet && FIXED.contains(&field);
    if fixed {
        return (
            format!("`{field}` of a {kind} can't be changed once it is there (forbidden)"),
            format!(
                "leave it out: a release changes the pod template; change `{field}` in the manifests"
            ),
        );
    }
    (
        format!("a pod template has no field `{field}`"),
        "look for a misspelt name: `kubectl explain pod.spec` lists the fields".to_owned(),
    )
}

/// The change without what only tells how it is merged: directives, and the nulls that remove a field.
fn without_directives(patch: &Value) -> Value {
    match patch {
        Value::Object(fields) => {
            let kept = fields
                .iter()
                .filter(|(key, value)| !key.starts_with('$') && !value.is_null());
            kept.map(|(key, value)| (key.clone(), without_directives(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(without_directives).collect(),
        other => other.clone(),
    }
}

/// Where the words of `path` stand in the description, one after the other from `key` on; as far as they are found.
fn place(text: &str, key: &Range<usize>, path: &[String]) -> Range<usize> {
    let mut found = key.clone();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    for word in path
        .iter()
        .filter(|it| it.parse::<usize>().is_err() && !it.is_empty())
    {
        let mut from = found.end;
        found = loop {
            let Some(at) = text.get(from..).and_then(|rest| rest.find(word.as_str())) else {
                return found;
            };
            let (start, end) = (from + at, from + at + word.len());
            let before = text[..start].chars().next_back().is_some_and(is_part);
            let after = text[end..].chars().next().is_some_and(is_part);
            if !before && !after {
                break start..end;
            }
            from = end;
        };
    }
    found
}
