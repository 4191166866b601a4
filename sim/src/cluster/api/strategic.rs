//! Strategic merge patch for the kinds that are served
//! (`apimachinery/pkg/util/strategicpatch`; merge keys from the types' `patchMergeKey` tags).

use serde_json::{Map, Value};

/// The merge key of a list field, if its elements are merged rather than replaced.
fn merge_key(field: &str, sample: &[Value]) -> Option<&'static str> {
    match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets" => Some("name"),
        "ports" if sample.iter().any(|p| p.get("containerPort").is_some()) => Some("containerPort"),
        "ports" => Some("port"),
        "volumeMounts" => Some("mountPath"),
        "volumeDevices" => Some("devicePath"),
        "conditions" => Some("type"),
        "ownerReferences" => Some("uid"),
        "topologySpreadConstraints" => Some("topologyKey"),
        "hostAliases" => Some("ip"),
        _ => None,
    }
}

/// Applies `patch` to `target`.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    match (target.as_object_mut(), patch.as_object()) {
        (Some(t), Some(p)) => merge_object(t, p),
        _ => *target = stripped(patch),
    }
}

fn merge_object(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            target.clear();
            if let Value::Object(new) = stripped(&Value::Object(patch.clone())) {
                *target = new;
            }
            return;
        }
        Some("delete") => {
            target.clear();
            return;
        }
        _ => {}
    }
    for (field, new) in patch.iter().filter(|(f, _)| !f.starts_with('$')) {
        match new {
            Value::Null => {
                target.remove(field);
            }
            Value::Object(_) => {
                let slot = target
                    .entry(field.clone())
                    .or_insert_with(|| Value::Object(Map::new()));
                merge(slot, new);
            }
            Value::Array(elements) => match (merge_key(field, elements), target.get_mut(field)) {
                (Some(key), Some(Value::Array(old))) => merge_list(old, elements, key),
                (None, Some(Value::Array(old))) if field == "finalizers" => {
                    for e in elements
                        .iter()
                        .filter(|e| !old.contains(e))
                        .cloned()
                        .collect::<Vec<_>>()
                    {
                        old.push(e);
                    }
                }
                _ => {
                    target.insert(field.clone(), stripped(new));
                }
            },
            _ => {
                target.insert(field.clone(), new.clone());
            }
        }
    }
    directives(target, patch);
}

/// `$deleteFromPrimitiveList/…`, `$setElementOrder/…` and `$retainKeys`.
fn directives(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (directive, argument) in patch {
        let Some(argument) = argument.as_array() else {
            continue;
        };
        if let Some(field) = directive.strip_prefix("$deleteFromPrimitiveList/") {
            if let Some(Value::Array(old)) = target.get_mut(field) {
                old.retain(|e| !argument.contains(e));
            }
        } else if let Some(field) = directive.strip_prefix("$setElementOrder/") {
            if let Some(Value::Array(old)) = target.get_mut(field) {
                let key = merge_key(field, old);
                let position = |e: &Value| {
                    let same = |o: &Value| key.map_or(o == e, |k| o.get(k) == e.get(k));
                    argument.iter().position(same).unwrap_or(usize::MAX)
                };
                old.sort_by_key(position);
            }
        } else if directive == "$retainKeys" {
            target.retain(|k, _| argument.iter().any(|a| a.as_str() == Some(k)));
        }
    }
}

fn merge_list(old: &mut Vec<Value>, elements: &[Value], key: &str) {
    let directive = |e: &Value| e.get("$patch").and_then(Value::as_str).map(str::to_owned);
    if elements
        .iter()
        .any(|e| directive(e).as_deref() == Some("replace"))
    {
        *old = elements
            .iter()
            .filter(|e| directive(e).is_none())
            .map(stripped)
            .collect();
        return;
    }
    for new in elements {
        let place = old.iter().position(|o| o.get(key) == new.get(key));
        match (directive(new).as_deref(), place) {
            (Some("delete"), Some(i)) => {
                old.remove(i);
            }
            (Some("delete"), None) => {}
            (_, Some(i)) => merge(&mut old[i], new),
            (_, None) => old.push(stripped(new)),
        }
    }
}

/// A patch as plain content: without directives and nulls.
fn stripped(patch: &Value) -> Value {
    match patch {
        Value::Object(m) => Value::Object(
            m.iter()
                .filter(|(k, v)| !k.starts_with('$') && !v.is_null())
                .map(|(k, v)| (k.clone(), stripped(v)))
                .collect(),
        ),
        Value::Array(a) => Value::Array(a.iter().map(stripped).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::merge;
    use serde_json::json;

    #[test]
    fn containers_merge_by_name_and_environment_too() {
        let mut pod = json!({"containers": [
            {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
            {"name": "b", "image": "b:1"},
        ]});
        merge(
            &mut pod,
            &json!({
                "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
                "containers": [{"name": "a", "image": "a:2", "env": [{"name": "X", "$patch": "delete"}, {"name": "Y", "value": "3"}]}],
            }),
        );
        assert_eq!(
            pod,
            json!({"containers": [
                {"name": "b", "image": "b:1"},
                {"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "3"}]},
            ]})
        );
    }

    #[test]
    fn unkeyed_lists_are_replaced_and_nulls_delete() {
        let mut v = json!({"args": ["a", "b"], "labels": {"x": "1", "y": "2"}});
        merge(&mut v, &json!({"args": ["c"], "labels": {"x": null}}));
        assert_eq!(v, json!({"args": ["c"], "labels": {"y": "2"}}));
        merge(&mut v, &json!({"labels": {"$patch": "replace", "z": "3"}}));
        assert_eq!(v["labels"], json!({"z": "3"}));
    }
}
