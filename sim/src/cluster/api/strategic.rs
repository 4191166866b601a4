//! Strategic merge patch (`apimachinery/pkg/util/strategicpatch`). How lists are merged is in the OpenAPI schemas.

use serde_json::{Map, Value};

use super::managed::{PatchedList, Type};

/// Applies `patch` to `target`.
pub(super) fn merge(of_type: Type<'_>, target: &mut Value, patch: &Value) {
    match (target.as_object_mut(), patch.as_object()) {
        (Some(t), Some(p)) => merge_object(of_type, t, p),
        _ => *target = stripped(patch),
    }
}

fn merge_object(of_type: Type<'_>, target: &mut Map<String, Value>, patch: &Map<String, Value>) {
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
                merge(of_type.member(field), slot, new);
            }
            Value::Array(elements) => {
                match (of_type.member(field).patched_list(), target.get_mut(field)) {
                    (PatchedList::Keyed(key, of_elements), Some(Value::Array(old))) => {
                        merge_list(of_elements, old, elements, key);
                    }
                    (PatchedList::Added, Some(Value::Array(old))) => {
                        for element in elements {
                            if !old.contains(element) {
                                old.push(element.clone());
                            }
                        }
                    }
                    _ => {
                        target.insert(field.clone(), stripped(new));
                    }
                }
            }
            _ => {
                target.insert(field.clone(), new.clone());
            }
        }
    }
    directives(of_type, target, patch);
}

/// `$deleteFromPrimitiveList/…`, `$setElementOrder/…` and `$retainKeys`.
fn directives(of_type: Type<'_>, target: &mut Map<String, Value>, patch: &Map<String, Value>) {
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
                let key = match of_type.member(field).patched_list() {
                    PatchedList::Keyed(key, _) => Some(key),
                    _ => None,
                };
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

fn merge_list(of_elements: Type<'_>, old: &mut Vec<Value>, elements: &[Value], key: &str) {
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
            (_, Some(i)) => merge(of_elements, &mut old[i], new),
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
    use serde_json::{Value, json};

    use super::super::managed::Type;
    use crate::cluster::kinds::Kind;

    fn merge(target: &mut Value, patch: &Value) {
        super::merge(Type::of(Kind::Pod).member("spec"), target, patch);
    }

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
