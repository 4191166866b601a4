//! The structural part of a kind's schema: which fields there are, of which types, and which must be there.
//!
//! Formats, patterns, bounds, `oneOf` and rules in CEL are not looked at.

use serde_json::Value as Raw;

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Violation {
    /// It must be there.
    Missing(String),
    /// It has the one type, and should have the other.
    Type(String, &'static str, String),
    /// Its value is none of those.
    NotAllowed(String, String, Vec<String>),
}

fn keeps_unknown(schema: &Raw) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true
}

/// Whether a member of the object at the top is every object's own.
fn is_type_meta(name: &str) -> bool {
    matches!(name, "apiVersion" | "kind" | "metadata")
}

/// The object without the fields that its schema does not know (`pkg/apiserver/schema/pruning/algorithm.go`), and with
/// the defaults of those that are missing (`pkg/apiserver/schema/defaulting/algorithm.go`).
pub(crate) fn pruned(schema: &Raw, object: &Raw) -> Raw {
    let mut object = object.clone();
    if schema.is_object() {
        prune(schema, &mut object, true);
    }
    drop_nulls(&mut object);
    object
}

fn drop_nulls(value: &mut Raw) {
    match value {
        Raw::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Raw::Array(elements) => elements.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn prune(schema: &Raw, value: &mut Raw, top: bool) {
    match value {
        Raw::Object(members) => {
            let known = schema["properties"].as_object();
            let additional = &schema["additionalProperties"];
            if !keeps_unknown(schema) {
                members.retain(|name, _| {
                    (top && is_type_meta(name))
                        || known.is_some_and(|known| known.contains_key(name))
                        || additional.is_object()
                        || *additional == true
                });
            }
            for (name, schema) in known.into_iter().flatten() {
                let default = &schema["default"];
                if !default.is_null() && members.get(name).is_none_or(Raw::is_null) {
                    members.insert(name.clone(), default.clone());
                }
            }
            for (name, member) in members.iter_mut() {
                if top && is_type_meta(name) {
                    continue;
                }
                match known.and_then(|known| known.get(name)) {
                    Some(schema) => prune(schema, member, false),
                    None if additional.is_object() => prune(additional, member, false),
                    None => {}
                }
            }
        }
        Raw::Array(elements) => {
            for element in elements {
                prune(&schema["items"], element, false);
            }
        }
        _ => {}
    }
}

/// What of the object is not as its schema says.
pub(crate) fn violations(schema: &Raw, object: &Raw) -> Vec<Violation> {
    let mut found = Vec::new();
    if schema.is_object() {
        check(schema, object, "", &mut found);
    }
    found
}

/// The type of a value in the words of a schema.
fn type_of(value: &Raw) -> &'static str {
    match value {
        Raw::Null => "null",
        Raw::Bool(_) => "boolean",
        Raw::Number(number) if number.is_f64() => "number",
        Raw::Number(_) => "integer",
        Raw::String(_) => "string",
        Raw::Array(_) => "array",
        Raw::Object(_) => "object",
    }
}

fn check(schema: &Raw, value: &Raw, path: &str, found: &mut Vec<Violation>) {
    let is = type_of(value);
    let wanted = schema["type"].as_str().unwrap_or("");
    let either = schema["x-kubernetes-int-or-string"] == true;
    let fits = wanted.is_empty()
        || is == wanted
        || (wanted == "number" && is == "integer")
        || (either && matches!(is, "integer" | "string"));
    if !fits {
        found.push(Violation::Type(path.to_owned(), is, wanted.to_owned()));
        return;
    }
    if let Some(allowed) = schema["enum"].as_array().filter(|all| !all.contains(value)) {
        let shown = |v: &Raw| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        let allowed = allowed.iter().map(shown).collect();
        found.push(Violation::NotAllowed(
            path.to_owned(),
            shown(value),
            allowed,
        ));
    }
    let below = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match value {
        Raw::Object(members) => {
            for name in schema["required"].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap_or("");
                if !members.contains_key(name) {
                    found.push(Violation::Missing(below(name)));
                }
            }
            for (name, member) in members {
                if path.is_empty() && is_type_meta(name) {
                    continue;
                }
                let schema = match &schema["properties"][name] {
                    Raw::Null => &schema["additionalProperties"],
                    known => known,
                };
                if schema.is_object() {
                    check(schema, member, &below(name), found);
                }
            }
        }
        Raw::Array(elements) if schema["items"].is_object() => {
            for (i, element) in elements.iter().enumerate() {
                check(&schema["items"], element, &format!("{path}[{i}]"), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Violation, pruned, violations};

    #[test]
    fn unknown_fields_go_and_defaults_come() {
        let schema = json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "size": {"type": "integer", "default": 3},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            }},
        }});
        let object = json!({
            "apiVersion": "x/v1", "kind": "X", "metadata": {"name": "a"}, "extra": 1,
            "spec": {"gone": 1, "labels": {"a": "b"}, "free": {"any": {"thing": 1}}, "null": null},
        });
        let expected = json!({
            "apiVersion": "x/v1", "kind": "X", "metadata": {"name": "a"},
            "spec": {"size": 3, "labels": {"a": "b"}, "free": {"any": {"thing": 1}}},
        });
        assert_eq!(pruned(&schema, &object), expected);
        let free = json!({"a": {"b": 1}, "c": null});
        assert_eq!(pruned(&json!(null), &free), json!({"a": {"b": 1}}));
    }

    #[test]
    fn types_and_required_fields_are_checked() {
        let schema = json!({"type": "object", "required": ["spec"], "properties": {
            "spec": {"type": "object", "required": ["size"], "properties": {
                "size": {"type": "integer"},
                "mode": {"type": "string", "enum": ["a", "b"]},
                "port": {"x-kubernetes-int-or-string": true},
                "ratio": {"type": "number"},
                "list": {"type": "array", "items": {"type": "string"}},
            }},
        }});
        let fields = |object: serde_json::Value| -> Vec<String> {
            let found = violations(&schema, &object).into_iter();
            let fields = found.map(|violation| match violation {
                Violation::Missing(field)
                | Violation::Type(field, ..)
                | Violation::NotAllowed(field, ..) => field,
            });
            fields.collect()
        };
        assert_eq!(fields(json!({})), ["spec"]);
        assert_eq!(fields(json!({"spec": {}})), ["spec.size"]);
        let wrong = json!({"spec": {"size": "1", "mode": "c", "port": "http", "ratio": 2, "list": ["a", 1]}});
        assert_eq!(fields(wrong), ["spec.list[1]", "spec.mode", "spec.size"]);
    }
}
