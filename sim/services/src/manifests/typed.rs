//! What an object of a known kind must satisfy: its fields have the right types, and there are no others.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

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
    match T::deserialize(value) {
        Ok(typed) => {
            let mut found = Vec::new();
            if let Ok(known) = serde_json::to_value(typed) {
                unknown(value, &known, &mut Vec::new(), &mut found);
            }
            Ok(found)
        }
        Err(error) => {
            let error = error.to_string();
            let refused =
                |part: &Value| T::deserialize(part).is_err_and(|other| other.to_string() == error);
            Err((blamed(value, &refused), error))
        }
    }
}

/// The path of the innermost value that alone is refused as the whole of `value` is.
///
/// It is looked for from the outside to the inside, which takes a few more readings of an object that is wrong. A
/// deserializer that keeps the path would read each type of Kubernetes by a second, much larger piece of code.
fn blamed(value: &Value, refused: &dyn Fn(&Value) -> bool) -> Vec<String> {
    let mut path = Vec::new();
    let mut within = value;
    loop {
        let empty = match within {
            Value::Object(_) => Value::Object(Map::new()),
            Value::Array(_) => Value::Array(Vec::new()),
            _ => return path,
        };
        // What is refused with nothing in it is not refused for what is in it.
        if refused(&only(value, path.iter().map(String::as_str), &empty)) {
            return path;
        }
        let inner = children(within).into_iter().find(|(key, child)| {
            let longer = path.iter().chain([key]);
            refused(&only(value, longer.map(String::as_str), child))
        });
        let Some((key, child)) = inner else {
            return path;
        };
        path.push(key);
        within = child;
    }
}

/// The fields of an object by name, or the items of a list by position.
fn children(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Object(fields) => fields.iter().map(|(key, it)| (key.clone(), it)).collect(),
        Value::Array(items) => {
            let numbered = items.iter().enumerate();
            numbered.map(|(at, it)| (at.to_string(), it)).collect()
        }
        _ => Vec::new(),
    }
}

/// `value` with nothing in it but `leaf`, at the end of `path`. A list keeps one item only.
fn only<'a>(value: &Value, mut path: impl Iterator<Item = &'a str>, leaf: &Value) -> Value {
    let Some(key) = path.next() else {
        return leaf.clone();
    };
    match value {
        Value::Object(fields) => fields.get(key).map_or(Value::Null, |field| {
            let inner = only(field, path, leaf);
            Value::Object(Map::from_iter([(key.to_owned(), inner)]))
        }),
        Value::Array(items) => {
            let item = key.parse::<usize>().ok().and_then(|at| items.get(at));
            item.map_or(Value::Null, |item| {
                Value::Array(vec![only(item, path, leaf)])
            })
        }
        _ => Value::Null,
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_innermost_value_of_a_wrong_type_is_blamed() {
        let object = json!({
            "metadata": { "name": "web", "labels": { "app": "web" } },
            "spec": {
                "replicas": 2,
                "template": { "spec": { "containers": [
                    { "name": "a", "ports": [{ "containerPort": 8080 }] },
                    { "name": "b", "ports": [{ "containerPort": 8080 }, { "containerPort": "8081" }] },
                ] } },
            },
        });
        let (path, error) = strict::<Deployment>(&object).expect_err("a port in quotes");
        assert_eq!(
            path.join("."),
            "spec.template.spec.containers.1.ports.1.containerPort"
        );
        assert_eq!(error, "invalid type: string \"8081\", expected i32");
    }

    /// Of two mistakes with the same words the first is named, as the deserializer stops there.
    #[test]
    fn the_first_of_two_equal_mistakes_is_blamed() {
        let object = json!({ "data": { "a": "1", "b": 2, "c": 2 } });
        let (path, _) = strict::<ConfigMap>(&object).expect_err("a number");
        assert_eq!(path, ["data", "b"]);
    }

    #[test]
    fn what_is_refused_with_nothing_in_it_is_blamed_itself() {
        #[derive(serde::Deserialize, Serialize)]
        struct Named {
            name: String,
            size: u8,
        }
        let refused = strict::<Vec<Named>>(&json!([{ "name": "a", "size": 1 }, { "size": 2 }]));
        let (path, error) = refused.expect_err("no name");
        assert_eq!(path, ["1"], "{error}");
    }
}
