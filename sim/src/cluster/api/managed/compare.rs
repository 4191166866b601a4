//! Which fields a value has, and how two values differ
//! (`structured-merge-diff/typed/tofieldset.go`, `compare.go`, `validate.go`).

use std::collections::BTreeMap;

use super::field_set::{FieldSet, shown};
use super::shape::{Shape, Type, elements, field, member};
use crate::cluster::json::Value;

/// All fields of a value.
pub(super) fn fields_of(of_type: Type<'_>, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    add_fields(of_type, value, &mut set);
    set
}

fn add_fields(of_type: Type<'_>, value: &Value, set: &mut FieldSet) {
    let shape = of_type.shape(value);
    match &shape {
        Shape::Whole => set.owned = true,
        Shape::Struct(_) | Shape::Map(_) => {
            for (name, value) in value.members() {
                let known = of_member(&shape, name);
                let below = set.below(&member(name));
                add_fields(known.unwrap_or(of_type), value, below);
                let empty = value.is_null() || value.as_object().is_some_and(|it| it.is_empty());
                below.owned |= empty || known.is_none() || matches!(shape, Shape::Map(_));
            }
        }
        Shape::Set | Shape::Keyed(..) => {
            for (element, value) in elements(&shape, value).unwrap_or_default() {
                let below = set.below(&element);
                if let Shape::Keyed(_, of_elements) = &shape {
                    add_fields(*of_elements, value, below);
                }
                below.owned = true;
            }
        }
    }
}

/// The type of a member; `None` if a struct does not have it.
pub(super) fn of_member<'a>(shape: &Shape<'a>, name: &str) -> Option<Type<'a>> {
    match shape {
        Shape::Struct(fields) => field(fields, name),
        Shape::Map(of_members) => Some(*of_members),
        _ => None,
    }
}

/// How a new value differs from an old one.
#[derive(Clone, Debug, Default)]
pub(super) struct Comparison {
    pub(super) added: FieldSet,
    pub(super) removed: FieldSet,
    pub(super) modified: FieldSet,
}

/// Compares two objects.
pub(super) fn compare(of_type: Type<'_>, old: &Value, new: &Value) -> Comparison {
    let mut comparison = Comparison::default();
    comparison.walk(of_type, Some(old), Some(new), &mut Vec::new());
    comparison
}

impl Comparison {
    /// What an owner of these fields loses, and a writer gets.
    pub(super) fn changed(&self) -> FieldSet {
        self.added.union(&self.modified)
    }

    /// Enters the field itself.
    fn enter(&mut self, old: Option<&Value>, new: Option<&Value>, path: &[String]) {
        match (old, new) {
            (None, Some(_)) => self.added.insert(path),
            (Some(_), None) => self.removed.insert(path),
            _ => {}
        }
    }

    fn walk(
        &mut self,
        of_type: Type<'_>,
        old: Option<&Value>,
        new: Option<&Value>,
        path: &mut Vec<String>,
    ) {
        let Some(sample) = new.or(old) else {
            return;
        };
        if old == new {
            return;
        }
        let shape = of_type.shape(sample);
        let both_empty = [old, new].into_iter().flatten().all(is_empty);
        let same_kind =
            old.is_none_or(|old| std::mem::discriminant(old) == std::mem::discriminant(sample));
        let by_element = |value: Option<&Value>| -> Vec<(String, Value)> {
            let Some(value) = value else {
                return Vec::new();
            };
            if let Shape::Set | Shape::Keyed(..) = &shape {
                let all = elements(&shape, value).unwrap_or_default().into_iter();
                return all.map(|(element, it)| (element, it.clone())).collect();
            }
            let all = value.members();
            all.map(|(name, it)| (member(name), it.clone())).collect()
        };
        let whole = matches!(shape, Shape::Whole) || both_empty || !same_kind;
        let children = (!whole).then(|| paired(by_element(old), by_element(new)));
        let Some(children) = children else {
            if old.is_some() && new.is_some() {
                self.modified.insert(path);
            } else {
                self.enter(old, new, path);
            }
            return;
        };
        for (element, (old, new)) in &children {
            let of_child = match &shape {
                Shape::Keyed(_, of_elements) => Some(*of_elements),
                Shape::Set => None,
                members => of_member(members, element.strip_prefix("f:").unwrap_or(element)),
            };
            path.push(element.clone());
            match (of_child, &shape) {
                (None, Shape::Set) => self.enter(old.as_ref(), new.as_ref(), path),
                (of_child, _) => {
                    let of_child = of_child.unwrap_or(of_type);
                    self.walk(of_child, old.as_ref(), new.as_ref(), path);
                }
            }
            path.pop();
        }
        self.enter(old, new, path);
    }
}

type Pairs = BTreeMap<String, (Option<Value>, Option<Value>)>;

/// Old and new values under their names.
fn paired(old: Vec<(String, Value)>, new: Vec<(String, Value)>) -> Pairs {
    let mut pairs = Pairs::new();
    for (element, value) in old {
        pairs.entry(element).or_default().0.get_or_insert(value);
    }
    for (element, value) in new {
        pairs.entry(element).or_default().1.get_or_insert(value);
    }
    pairs
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// What is wrong with a value that is applied: fields that its type does not have, and elements that stand twice or
/// have no key.
pub(super) fn mistakes(of_type: Type<'_>, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    add_mistakes(of_type, value, "", &mut found);
    found
}

fn add_mistakes(of_type: Type<'_>, value: &Value, path: &str, found: &mut Vec<String>) {
    let shape = of_type.shape(value);
    match &shape {
        Shape::Whole => {}
        Shape::Struct(_) | Shape::Map(_) => {
            for (name, value) in value.members() {
                let here = format!("{path}.{name}");
                match of_member(&shape, name) {
                    Some(known) => add_mistakes(known, value, &here, found),
                    None => found.push(format!("{here}: field not declared in schema")),
                }
            }
        }
        Shape::Set | Shape::Keyed(..) => match elements(&shape, value) {
            Err(why) => found.push(format!("{path}: {why}")),
            Ok(all) => {
                let mut known: Vec<&str> = Vec::new();
                for (element, value) in &all {
                    let here = format!("{path}{}", shown(element));
                    if known.contains(&element.as_str()) {
                        let entry = shown(element);
                        found.push(format!("{path}: duplicate entries for key {entry}"));
                    }
                    known.push(element);
                    if let Shape::Keyed(_, of_elements) = &shape {
                        add_mistakes(*of_elements, value, &here, found);
                    }
                }
            }
        },
    }
}
