//! What a body says of an answer.

use serde_json::Value;

/// Holds a value against what must be in it: objects may have more fields than are named, arrays have as many items as
/// are named, and a field that is named as `null` must be absent.
///
/// # Errors
/// The first place that differs, with both values.
pub fn same(got: &Value, wanted: &Value) -> Result<(), String> {
    differs(got, wanted, &mut Vec::new())
}

fn differs(got: &Value, wanted: &Value, path: &mut Vec<String>) -> Result<(), String> {
    match (got, wanted) {
        (Value::Object(has), Value::Object(fields)) => {
            for (key, wanted) in fields {
                path.push(key.clone());
                differs(has.get(key).unwrap_or(&Value::Null), wanted, path)?;
                path.pop();
            }
            Ok(())
        }
        (Value::Array(has), Value::Array(items)) if has.len() == items.len() => {
            for (nth, (got, wanted)) in has.iter().zip(items).enumerate() {
                path.push(nth.to_string());
                differs(got, wanted, path)?;
                path.pop();
            }
            Ok(())
        }
        _ if got == wanted => Ok(()),
        _ => Err(format!("{}: {got} and not {wanted}", path.join("."))),
    }
}

/// Fails with `what` and what was found instead, unless it holds.
pub(super) fn holds(it_does: bool, what: &str, found: &Value) -> Result<(), String> {
    if it_does {
        return Ok(());
    }
    Err(format!("{what}; found {found}"))
}

/// Lays a JSON merge patch over a value (RFC 7386).
pub(super) fn with(mut base: Value, patch: Value) -> Value {
    lay(&mut base, patch);
    base
}

fn lay(base: &mut Value, patch: Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    base.remove(&key);
                } else {
                    lay(base.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (base, patch) => *base = patch,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{same, with};

    #[test]
    fn fields_may_be_more_and_items_may_not() {
        let got = json!({"a": {"b": 1, "c": [1, {"d": 2, "e": 3}]}});
        assert_eq!(same(&got, &json!({"a": {"c": [1, {"d": 2}]}})), Ok(()));
        assert_eq!(same(&got, &json!({"a": {"x": null}})), Ok(()));
        for wrong in [
            json!({"a": {"b": 2}}),
            json!({"a": {"c": [1]}}),
            json!({"a": {"b": null}}),
            json!({"x": 1}),
        ] {
            assert!(same(&got, &wrong).is_err(), "{wrong}");
        }
        let why = same(&got, &json!({"a": {"c": [1, {"d": 3}]}}));
        assert_eq!(why, Err("a.c.1.d: 2 and not 3".to_owned()));
    }

    #[test]
    fn a_patch_adds_and_removes() {
        let base = json!({"a": {"b": 1, "c": 2}});
        let patched = with(base, json!({"a": {"b": null, "d": {"e": 3}}}));
        assert_eq!(patched, json!({"a": {"c": 2, "d": {"e": 3}}}));
    }
}
