//! Bodies as text: JSON and YAML into a tree, and which fields stand twice in them.
//!
//! A field that stands twice keeps its last value, as in Go's decoders. It is reported with its path, in the words of
//! `sigs.k8s.io/json` (`internal/golang/encoding/json/kubernetes_patch.go`, `saveStrictError`).

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::field_path::FieldPath;

/// A tree, and what a strict decoder says of its text.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) tree: Value,
    pub(super) problems: Vec<String>,
}

/// Reads JSON. The error is the parser's.
pub(super) fn json(text: &[u8]) -> Result<Parsed, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let problems = RefCell::new(Vec::new());
    let tree = At::top(&problems)
        .deserialize(&mut deserializer)
        .map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(Parsed {
        tree,
        problems: problems.into_inner(),
    })
}

/// Reads one YAML document, of which JSON is a part. The error is the parser's.
pub(super) fn yaml(text: &[u8]) -> Result<Parsed, String> {
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    let options = serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
    };
    let problems = RefCell::new(Vec::new());
    let tree = serde_saphyr::with_deserializer_from_str_with_options(text, options, |it| {
        At::top(&problems).deserialize(it)
    })
    .map_err(|error| error.to_string())?;
    Ok(Parsed {
        tree,
        problems: problems.into_inner(),
    })
}

/// A value at a path.
struct At<'a> {
    path: &'a FieldPath<'a>,
    problems: &'a RefCell<Vec<String>>,
}

impl<'a> At<'a> {
    fn top(problems: &'a RefCell<Vec<String>>) -> Self {
        let path = &FieldPath::Top;
        Self { path, problems }
    }

    fn at<'b>(&'b self, path: &'b FieldPath<'b>) -> At<'b> {
        At {
            path,
            problems: self.problems,
        }
    }
}

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("JSON has no number for infinity, and none for NaN"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        loop {
            let path = FieldPath::Element(self.path, all.len());
            match elements.next_element_seed(self.at(&path))? {
                Some(element) => all.push(element),
                None => return Ok(all.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let path = FieldPath::Field(self.path, &name);
            let value = members.next_value_seed(self.at(&path))?;
            if all.contains_key(&name) {
                let problem = format!("duplicate field {:?}", path.to_string());
                self.problems.borrow_mut().push(problem);
            }
            all.insert(name, value);
        }
        Ok(all.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn fields_that_stand_twice_are_named_with_their_paths() {
        let text = br#"{"a": 1, "b": [{"c": 1, "c": 2, "d": 1.5}], "a": {"x": null}}"#;
        let parsed = super::json(text).expect("JSON");
        let tree = json!({"a": {"x": null}, "b": [{"c": 2, "d": 1.5}]});
        assert_eq!(parsed.tree, tree);
        let problems = ["duplicate field \"b[0].c\"", "duplicate field \"a\""];
        assert_eq!(parsed.problems, problems);
        assert_eq!(super::yaml(text).expect("YAML").problems, problems);
    }

    #[test]
    fn yaml_is_read_as_json_is() {
        let text = b"kind: Pod\nspec:\n  replicas: 3\n  on: true\n  name: \"3\"\n  list:\n  - a: ~\n  - 1.5\n";
        let parsed = super::yaml(text).expect("YAML");
        let spec = json!({"replicas": 3, "on": true, "name": "3", "list": [{"a": null}, 1.5]});
        assert_eq!(parsed.tree, json!({"kind": "Pod", "spec": spec}));
        assert!(parsed.problems.is_empty());
        for bad in [&b"a: [1"[..], b"\xff\xfe", b"a: .inf"] {
            super::yaml(bad).expect_err("no document");
        }
        for bad in [&b"{\"a\": 1} x"[..], b"{\"a\"", b""] {
            super::json(bad).expect_err("no JSON");
        }
    }
}
