//! How a value is merged, by its schema (`structured-merge-diff/schema`, `kube-openapi/pkg/schemaconv`).

use serde_json::{Map, Value as Schema};

use super::super::openapi;
use crate::cluster::json::{self, Value};
use crate::cluster::kinds::Kind;

/// The type of a value: its schema. Without one, the value itself says what it is.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Type<'a>(Option<&'a Schema>);

/// How a strategic merge patch changes a list.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum PatchedList<'a> {
    /// It is replaced.
    Replaced,
    /// What it does not have yet is added.
    Added,
    /// Its elements are merged by the value of this member.
    Keyed(&'a str, Type<'a>),
}

/// How a value is merged.
#[derive(Clone, Debug)]
pub(super) enum Shape<'a> {
    /// As a whole: a scalar, or a list or map that only one can own.
    Whole,
    /// Member by member, with the types of its fields.
    Struct(&'a Map<String, Schema>),
    /// Member by member.
    Map(Type<'a>),
    /// Element by element, by value.
    Set,
    /// Element by element, by the values of these members.
    Keyed(Vec<&'a str>, Type<'a>),
}

/// The schema that a reference leads to.
fn resolved(schema: &Schema) -> &Schema {
    let all_of = schema["allOf"][0]["$ref"].as_str();
    let reference = all_of.or_else(|| schema["$ref"].as_str());
    let name = reference.and_then(|it| it.rsplit('/').next());
    name.and_then(openapi::schema).unwrap_or(schema)
}

impl<'a> Type<'a> {
    /// The type of the objects of a kind.
    pub(in super::super) fn of(kind: Kind) -> Type<'static> {
        Type(openapi::schema_of_kind(kind))
    }

    /// What an object of the type has before anything is said of it: the structs that Go holds by value. Their default
    /// is the empty object.
    pub(super) fn zero(self) -> Value {
        let fields = self
            .0
            .and_then(|schema| resolved(schema)["properties"].as_object());
        let by_value = |schema: &&'a Schema| {
            let default = schema.get("default").and_then(Schema::as_object);
            default.is_some_and(Map::is_empty)
        };
        let fields = fields.into_iter().flatten();
        let structs = fields.filter(|(_, schema)| by_value(schema));
        let zeros = structs.map(|(name, schema)| (name, Type(Some(schema)).zero()));
        zeros.collect::<json::Map>().into()
    }

    /// How this value of the type is merged.
    pub(super) fn shape(self, value: &Value) -> Shape<'a> {
        let Some(outer) = self.0 else {
            return match value {
                Value::Object(_) => Shape::Map(self),
                _ => Shape::Whole,
            };
        };
        let schema = resolved(outer);
        let extension = |name: &str| {
            let own = outer.get(name).or_else(|| schema.get(name));
            own.and_then(Schema::as_str)
        };
        match (schema["type"].as_str(), value) {
            (Some("object"), Value::Object(_) | Value::Null) => {
                if extension("x-kubernetes-map-type") == Some("atomic") {
                    return Shape::Whole;
                }
                if let Some(fields) = schema["properties"].as_object() {
                    return Shape::Struct(fields);
                }
                match schema.get("additionalProperties") {
                    Some(of_members) => Shape::Map(Type(Some(of_members))),
                    None => Shape::Whole,
                }
            }
            (Some("array"), Value::Array(_) | Value::Null) => {
                match extension("x-kubernetes-list-type") {
                    Some("set") => Shape::Set,
                    Some("map") => {
                        let keys = outer
                            .get("x-kubernetes-list-map-keys")
                            .or_else(|| schema.get("x-kubernetes-list-map-keys"));
                        let keys = keys.and_then(Schema::as_array);
                        let keys = keys.into_iter().flatten().filter_map(Schema::as_str);
                        Shape::Keyed(keys.collect(), Type(schema.get("items")))
                    }
                    _ => Shape::Whole,
                }
            }
            _ => Shape::Whole,
        }
    }

    /// The type of a member. Nothing is known of one that the type does not have.
    pub(in super::super) fn member(self, name: &str) -> Self {
        let Some(schema) = self.0.map(resolved) else {
            return self;
        };
        let of_field = schema.get("properties").and_then(|fields| fields.get(name));
        Self(of_field.or_else(|| schema.get("additionalProperties")))
    }

    /// How a strategic merge patch changes a list of this type (`patchStrategy` and `patchMergeKey`).
    pub(in super::super) fn patched_list(self) -> PatchedList<'a> {
        let text = |name: &str| {
            self.0
                .and_then(|schema| schema.get(name))
                .and_then(Schema::as_str)
        };
        let strategy = text("x-kubernetes-patch-strategy").unwrap_or_default();
        if !strategy.split(',').any(|it| it == "merge") {
            return PatchedList::Replaced;
        }
        match text("x-kubernetes-patch-merge-key") {
            Some(key) => {
                let items = self.0.and_then(|schema| schema.get("items"));
                PatchedList::Keyed(key, Self(items))
            }
            None => PatchedList::Added,
        }
    }

    /// The default of a field of this type.
    fn default_of(self, field: &str) -> Option<Value> {
        let properties = self.0.map(|schema| &resolved(schema)["properties"])?;
        let default = properties.get(field)?.get("default")?;
        Some(Value::from(default.clone()))
    }
}

/// The type of a field; `None` if a struct does not have it.
pub(super) fn field<'a>(fields: &'a Map<String, Schema>, name: &str) -> Option<Type<'a>> {
    fields.get(name).map(|schema| Type(Some(schema)))
}

/// The element of a path for a member of this name.
pub(super) fn member(name: &str) -> String {
    format!("f:{name}")
}

/// The elements of a path for the elements of a list that is merged by its elements
/// (`structured-merge-diff/typed/helpers.go` listItemToPathElement).
///
/// # Errors
/// If an element has no key.
pub(super) fn elements<'a>(
    shape: &Shape<'_>,
    list: &'a Value,
) -> Result<Vec<(String, &'a Value)>, String> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    let path_of = |element: &Value| -> Result<String, String> {
        let Shape::Keyed(keys, of_elements) = shape else {
            return Ok(format!("v:{element}"));
        };
        let mut values = json::Map::default();
        for key in keys {
            let value = element
                .get(key)
                .cloned()
                .or_else(|| of_elements.default_of(key));
            if let Some(value) = value.filter(|it| *it != Value::Null) {
                values.insert(key, value);
            }
        }
        if values.is_empty() {
            return Err(format!(
                "associative list with keys has an element that omits all key fields {keys:?} (and doesn't have default values for any key fields)"
            ));
        }
        Ok(format!("k:{}", Value::from(values)))
    };
    list.iter()
        .map(|element| Ok((path_of(element)?, element)))
        .collect()
}
