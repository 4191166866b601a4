//! What an object of a known kind must satisfy: its fields have the right types, and there are no others.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::object::Object;
use super::values;
use crate::mistake::Mistake;

/// Everything that is wrong with the fields of `object`. A kind that is not known here has no mistakes.
pub(super) fn check(object: &Object) -> Vec<Mistake> {
    match (object.api_version(), object.kind()) {
        ("apps/v1", "Deployment") => fields::<Deployment>(object),
        ("apps/v1", "StatefulSet") => fields::<StatefulSet>(object),
        ("autoscaling/v2", "HorizontalPodAutoscaler") => fields::<HorizontalPodAutoscaler>(object),
        ("v1", "ConfigMap") => fields::<ConfigMap>(object),
        ("v1", "Secret") => fields::<Secret>(object),
        ("v1", "Service") => fields::<Service>(object),
        ("policy/v1", "PodDisruptionBudget") => fields::<PodDisruptionBudget>(object),
        _ => Vec::new(),
    }
}

/// The paths of all fields of `value` that the type does not have.
///
/// # Errors
/// The path of a value of another type than it should be, and what is wrong with it.
pub(crate) fn strict<T: DeserializeOwned + Serialize>(
    value: &Value,
) -> Result<Vec<Vec<String>>, (Vec<String>, String)> {
    match serde_path_to_error::deserialize::<_, T>(value) {
        Ok(typed) => {
            let mut found = Vec::new();
            if let Ok(known) = serde_json::to_value(typed) {
                unknown(value, &known, &mut Vec::new(), &mut found);
            }
            Ok(found)
        }
        Err(error) => {
            let path = error.path().to_string();
            let path = path.split(['.', '[', ']']).filter(|s| !s.is_empty());
            let path = path.map(str::to_owned).collect();
            Err((path, error.inner().to_string()))
        }
    }
}

fn fields<T: DeserializeOwned + Serialize>(object: &Object) -> Vec<Mistake> {
    match strict::<T>(&object.value) {
        Ok(unknown) => {
            let unknown = unknown.iter().map(|path| no_such_field(object, path));
            unknown.chain(values::check(object)).collect()
        }
        Err((path, inner)) => {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            vec![object.mistake(
                &path,
                format!("{} {}: {inner}", object.kind(), object.name()),
                "the API server refuses this",
                remedy(object, &path, &inner),
            )]
        }
    }
}

/// What would be right in place of what `error` is about.
fn remedy(object: &Object, path: &[&str], error: &str) -> String {
    let text_expected = error.starts_with("invalid type") && error.contains("expected a string");
    if text_expected && !error.contains("map") && !error.contains("sequence") {
        return "put it in quotes: the field holds text".to_owned();
    }
    format!(
        "`kubectl explain {}` says what belongs here",
        explained(object, path)
    )
}

/// The path as `kubectl explain` takes it: without positions in lists.
fn explained(object: &Object, path: &[&str]) -> String {
    let mut words = vec![object.kind().to_lowercase()];
    let named = path.iter().filter(|it| it.parse::<usize>().is_err());
    words.extend(named.map(|it| (*it).to_owned()));
    words.join(".")
}

fn no_such_field(object: &Object, path: &[String]) -> Mistake {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let around = path.get(..path.len() - 1).unwrap_or_default();
    Mistake::new(
        object.tree.key_place(&path),
        format!("unknown field `{}`", path.join(".")),
        format!("{} has no such field", object.kind()),
        format!(
            "look for a misspelt name: `kubectl explain {}` lists the fields",
            explained(object, around)
        ),
    )
}

/// Paths of fields that are in `value` and not in `known`, which was read from it and written again.
fn unknown(value: &Value, known: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match (value, known) {
        (Value::Object(fields), Value::Object(others)) => {
            for (key, field) in fields {
                path.push(key.clone());
                match others.get(key) {
                    Some(other) => unknown(field, other, path, found),
                    None if field.is_null() => {}
                    None => found.push(path.clone()),
                }
                path.pop();
            }
        }
        (Value::Array(items), Value::Array(others)) => {
            for (at, (item, other)) in items.iter().zip(others).enumerate() {
                path.push(at.to_string());
                unknown(item, other, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}
