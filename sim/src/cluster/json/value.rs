//! A JSON value whose branches may be shared.

use std::fmt;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Number;
use smol_str::SmolStr;

use super::map::Map;

/// A JSON value.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "serde_json::Value")]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(SmolStr),
    /// A list.
    Array(Arc<Vec<Value>>),
    /// An object.
    Object(Arc<Map>),
}

static NULL: Value = Value::Null;

impl Value {
    /// The member `name`, if this is an object that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.as_object_mut()?.get_mut(name)
    }

    /// The members, if this is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Map> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The members to be changed: copied first if another tree has them too.
    pub(crate) fn as_object_mut(&mut self) -> Option<&mut Map> {
        match self {
            Self::Object(members) => Some(Arc::make_mut(members)),
            _ => None,
        }
    }

    /// The members and their names, by name; none if this is no object.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.as_object().into_iter().flat_map(Map::iter)
    }

    /// The elements, if this is a list.
    #[must_use]
    pub fn as_array(&self) -> Option<&Vec<Self>> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The elements to be changed: copied first if another tree has them too.
    pub(crate) fn as_array_mut(&mut self) -> Option<&mut Vec<Self>> {
        match self {
            Self::Array(elements) => Some(Arc::make_mut(elements)),
            _ => None,
        }
    }

    /// The text, if this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if this is one that fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// The integer, if this is one that fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(holds) => Some(*holds),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => Arc::ptr_eq(a, b) || a == b,
            (Self::Object(a), Self::Object(b)) => Arc::ptr_eq(a, b) || a == b,
            _ => false,
        }
    }
}

impl PartialEq<str> for Value {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == Some(*other)
    }
}

/// A member of an object, `null` if it is absent.
impl Index<&str> for Value {
    type Output = Self;

    fn index(&self, name: &str) -> &Self {
        self.get(name).unwrap_or(&NULL)
    }
}

/// A member of an object, made if it is absent.
///
/// # Panics
///
/// If this is neither an object nor `null`.
impl IndexMut<&str> for Value {
    fn index_mut(&mut self, name: &str) -> &mut Self {
        if self.is_null() {
            *self = Map::default().into();
        }
        let members = self.as_object_mut().expect("only objects have members");
        members.get_or_insert(name, || Self::Null)
    }
}

/// An element of a list, `null` if it is absent.
impl Index<usize> for Value {
    type Output = Self;

    fn index(&self, position: usize) -> &Self {
        let element = self.as_array().and_then(|all| all.get(position));
        element.unwrap_or(&NULL)
    }
}

/// An element of a list.
///
/// # Panics
///
/// If this is no list or has no such element.
impl IndexMut<usize> for Value {
    fn index_mut(&mut self, position: usize) -> &mut Self {
        let elements = self.as_array_mut().expect("only lists have elements");
        &mut elements[position]
    }
}

/// The JSON text.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(holds) => serializer.serialize_bool(*holds),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(elements) => serializer.collect_seq(elements.iter()),
            Self::Object(members) => serializer.collect_map(members.iter()),
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(holds) => Self::Bool(holds),
            serde_json::Value::Number(number) => Self::Number(number),
            serde_json::Value::String(text) => Self::String(text.into()),
            serde_json::Value::Array(elements) => elements.into_iter().map(Self::from).collect(),
            serde_json::Value::Object(members) => members
                .into_iter()
                .map(|(name, value)| (name, Self::from(value)))
                .collect::<Map>()
                .into(),
        }
    }
}

impl From<&Value> for serde_json::Value {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(holds) => Self::Bool(*holds),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::String(text.to_string()),
            Value::Array(elements) => elements.iter().map(Self::from).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (name.to_owned(), Self::from(value)))
                .collect(),
        }
    }
}

impl From<Map> for Value {
    fn from(members: Map) -> Self {
        Self::Object(Arc::new(members))
    }
}

impl From<Vec<Value>> for Value {
    fn from(elements: Vec<Value>) -> Self {
        Self::Array(Arc::new(elements))
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(elements: I) -> Self {
        Vec::from_iter(elements).into()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::cluster::json::{Value, json};

    fn shared(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Object(a), Value::Object(b)) => Arc::ptr_eq(a, b),
            (Value::Array(a), Value::Array(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    #[test]
    fn a_change_of_a_copy_leaves_the_original_and_copies_only_its_own_branch() {
        let original = json!({"spec": {"a": [1, 2]}, "status": {"phase": "Pending", "list": []}});
        let mut copy = original.clone();
        assert!(shared(&copy, &original));
        copy["status"]["phase"] = "Running".into();
        assert_eq!(original["status"]["phase"], "Pending");
        assert_eq!(copy["status"]["phase"], "Running");
        assert!(shared(&copy["spec"], &original["spec"]));
        assert!(shared(&copy["status"]["list"], &original["status"]["list"]));
        assert!(!shared(&copy["status"], &original["status"]));
        assert_ne!(copy, original);
        copy["status"]["phase"] = "Pending".into();
        assert_eq!(copy, original, "equal without being shared");
    }

    #[test]
    fn a_tree_reads_and_writes_as_serde_json_has_it() {
        let text = r#"{"b":[true,null,-7,1.5,{"z":"a name longer than what fits in place"}],"a":{"":"\n\"é"},"c":18446744073709551615}"#;
        let theirs: serde_json::Value = serde_json::from_str(text).unwrap();
        let ours = Value::from(theirs.clone());
        assert_eq!(ours.to_string(), theirs.to_string());
        assert_eq!(serde_json::Value::from(&ours), theirs);
        assert_eq!(ours["b"][2].as_i64(), Some(-7));
        assert_eq!(ours["c"].as_u64(), Some(u64::MAX));
        assert_eq!(ours["c"].as_i64(), None);
        assert!(ours["b"][1].is_null() && ours["no"]["such"][3].is_null());
    }

    #[test]
    fn a_written_tree_has_what_stands_in_it() {
        let (name, none) = ("gateway".to_owned(), None::<&str>);
        let list = vec!["x", "y"];
        let tree = json!({
            "name": name, "none": none, "list": list, "n": list.len() + 5,
            "nested": {"deep": [{"a": null}, [], {}, list.len() > 1, "end",],},
            "own": json!([1]),
        });
        assert_eq!(
            tree.to_string(),
            r#"{"list":["x","y"],"n":7,"name":"gateway","nested":{"deep":[{"a":null},[],{},true,"end"]},"none":null,"own":[1]}"#
        );
    }
}
