//! Sets of fields, in the form of `managedFields` (`structured-merge-diff/fieldpath/set.go`, `serialize.go`).

use std::collections::BTreeMap;

use crate::cluster::json::{Map, Value, json};

/// A set of the fields below a field. A field is `f:NAME`, an element of a keyed list `k:KEYS`, and one of a set
/// `v:VALUE`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSet {
    /// Whether the field itself is in the set.
    pub(super) owned: bool,
    below: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    pub(super) fn is_empty(&self) -> bool {
        !self.owned && self.below.values().all(Self::is_empty)
    }

    /// What is below a field, made if it is absent.
    pub(super) fn below(&mut self, element: &str) -> &mut Self {
        self.below.entry(element.to_owned()).or_default()
    }

    /// What is below a field, if anything is.
    pub(super) fn get(&self, element: &str) -> Option<&Self> {
        self.below.get(element).filter(|it| !it.is_empty())
    }

    /// Adds the field at a path.
    pub(super) fn insert(&mut self, path: &[String]) {
        let field = path.iter().fold(self, |set, element| set.below(element));
        field.owned = true;
    }

    /// Removes a field with everything below it.
    pub(super) fn cut(&mut self, path: &[&str]) {
        match path {
            [] => {}
            [last] => {
                self.below.remove(*last);
            }
            [first, rest @ ..] => {
                if let Some(below) = self.below.get_mut(*first) {
                    below.cut(rest);
                }
            }
        }
    }

    fn combined(&self, other: &Self, owned: fn(bool, bool) -> bool) -> Self {
        let none = Self::default();
        let names = self.below.keys().chain(other.below.keys());
        let mut below = BTreeMap::new();
        for name in names {
            let (a, b) = (self.below.get(name), other.below.get(name));
            let both = a.unwrap_or(&none).combined(b.unwrap_or(&none), owned);
            if !both.is_empty() {
                below.insert(name.clone(), both);
            }
        }
        Self {
            owned: owned(self.owned, other.owned),
            below,
        }
    }

    /// The fields of either.
    pub(super) fn union(&self, other: &Self) -> Self {
        self.combined(other, |a, b| a || b)
    }

    /// The fields of both.
    pub(super) fn intersection(&self, other: &Self) -> Self {
        self.combined(other, |a, b| a && b)
    }

    /// The fields that are not in the other set.
    pub(super) fn difference(&self, other: &Self) -> Self {
        self.combined(other, |a, b| a && !b)
    }

    /// The fields of this set that `kept` has neither itself nor anything below them. Of each branch only the uppermost
    /// one is named.
    pub(super) fn abandoned(&self, kept: &Self) -> Self {
        let mut abandoned = Self::default();
        for (element, below) in &self.below {
            match kept.get(element) {
                None => abandoned.below(element).owned = true,
                Some(kept) => {
                    let deeper = below.abandoned(kept);
                    if !deeper.is_empty() {
                        *abandoned.below(element) = deeper;
                    }
                }
            }
        }
        abandoned
    }

    /// The paths of all fields, as messages show them: `.spec.containers[name="app"].image`.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.add_paths("", &mut found);
        found
    }

    fn add_paths(&self, at: &str, found: &mut Vec<String>) {
        let path = |element: &str| format!("{at}{}", shown(element));
        for (element, below) in &self.below {
            if below.owned {
                found.push(path(element));
            }
        }
        for (element, below) in &self.below {
            below.add_paths(&path(element), found);
        }
    }

    /// The JSON of `fieldsV1`.
    pub(super) fn to_json(&self) -> Value {
        let mut members = Map::default();
        if self.owned && !self.below.is_empty() {
            members.insert(".", json!({}));
        }
        for (element, below) in &self.below {
            members.insert(element, below.to_json());
        }
        members.into()
    }

    /// Reads `fieldsV1`. The whole object is never in a set.
    pub(super) fn of_json(fields: &Value) -> Self {
        let mut set = Self::read(fields);
        set.owned = false;
        set
    }

    fn read(fields: &Value) -> Self {
        let mut set = Self::default();
        for (element, below) in fields.members() {
            if element == "." {
                set.owned = true;
            } else {
                *set.below(element) = Self::read(below);
            }
        }
        set.owned |= set.below.is_empty();
        set
    }
}

/// An element of a path, as messages show it (`fieldpath/element.go`).
pub(super) fn shown(element: &str) -> String {
    match element.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("k", keys)) => {
            let keys: Value = serde_json::from_str(keys).unwrap_or_default();
            let keys = keys.members();
            let keys: Vec<String> = keys
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            format!("[{}]", keys.join(","))
        }
        Some(("v", value)) => format!("[={value}]"),
        _ => format!("[{element}]"),
    }
}
