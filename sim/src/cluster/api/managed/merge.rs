//! Merging what is applied into what there is, and removing fields
//! (`structured-merge-diff/typed/merge.go`, `remove.go`).

use super::compare::of_member;
use super::field_set::FieldSet;
use super::shape::{Shape, Type, elements, member};
use crate::cluster::json::{Map, Value};

/// `old` with what is applied.
pub(super) fn merged(of_type: Type<'_>, old: Option<&Value>, applied: &Value) -> Value {
    let shape = of_type.shape(applied);
    match (&shape, old) {
        (Shape::Struct(_) | Shape::Map(_), Some(Value::Object(old))) => {
            let mut all = Map::clone(old);
            for (name, value) in applied.members() {
                let known = of_member(&shape, name).unwrap_or(of_type);
                all.insert(name, merged(known, old.get(name), value));
            }
            all.into()
        }
        (Shape::Set | Shape::Keyed(..), Some(Value::Array(_))) => {
            let lists = old.map(|old| (elements(&shape, old), elements(&shape, applied)));
            match lists {
                Some((Ok(old), Ok(applied))) => lists_merged(&shape, &old, &applied),
                _ => applied.clone(),
            }
        }
        _ => applied.clone(),
    }
}

type Element<'a> = (String, &'a Value);

/// What is applied keeps its order. What only the old list has keeps its place before what follows it there.
fn lists_merged(shape: &Shape<'_>, old: &[Element<'_>], applied: &[Element<'_>]) -> Value {
    let of = |list: &[Element<'_>], element: &str| -> Option<Value> {
        let found = list.iter().find(|(it, _)| it == element);
        found.map(|(_, value)| (*value).clone())
    };
    let both = |element: &str, applied: &Value| match shape {
        Shape::Keyed(_, of_elements) => merged(*of_elements, of(old, element).as_ref(), applied),
        _ => applied.clone(),
    };
    let shared: Vec<&str> = applied
        .iter()
        .map(|(element, _)| element.as_str())
        .filter(|element| of(old, element).is_some())
        .collect();
    let (mut next_shared, mut out) = (0, Vec::new());
    let (mut left, mut right) = (0, 0);
    while left < old.len() || right < applied.len() {
        if let (Some((l, _)), Some((r, value))) = (old.get(left), applied.get(right)) {
            if l == r {
                out.push(both(r, value));
                left += 1;
                right += 1;
                next_shared += 1;
                continue;
            }
            let wanted = shared.get(next_shared);
            if shared.contains(&l.as_str()) && wanted.is_some_and(|wanted| wanted != l) {
                left += 1;
                continue;
            }
        }
        if let Some((l, value)) = old.get(left) {
            if !shared.contains(&l.as_str()) {
                out.push((*value).clone());
                left += 1;
                continue;
            }
            if applied[..right].iter().any(|(r, _)| r == l) {
                left += 1;
            }
        }
        if let Some((r, value)) = applied.get(right) {
            out.push(both(r, value));
            right += 1;
            if shared.get(next_shared).is_some_and(|wanted| wanted == r) {
                next_shared += 1;
            }
        }
    }
    out.into()
}

/// `value` without these fields. What is empty by that is left out, too.
pub(super) fn without(of_type: Type<'_>, value: &Value, fields: &FieldSet) -> Value {
    let shape = of_type.shape(value);
    match &shape {
        Shape::Whole => value.clone(),
        Shape::Struct(_) | Shape::Map(_) => {
            let mut left = Map::default();
            for (name, value) in value.members() {
                match fields.get(&member(name)) {
                    Some(below) if below.owned => {}
                    Some(below) => {
                        let known = of_member(&shape, name).unwrap_or(of_type);
                        let rest = without(known, value, below);
                        if !rest.is_null() {
                            left.insert(name, rest);
                        }
                    }
                    None => left.insert(name, value.clone()),
                }
            }
            if left.is_empty() {
                Value::Null
            } else {
                left.into()
            }
        }
        Shape::Set | Shape::Keyed(..) => {
            let mut left = Vec::new();
            for (element, value) in elements(&shape, value).unwrap_or_default() {
                match (fields.get(&element), &shape) {
                    (Some(below), _) if below.owned => {}
                    (Some(below), Shape::Keyed(_, of_elements)) => {
                        left.push(without(*of_elements, value, below));
                    }
                    _ => left.push(value.clone()),
                }
            }
            if left.is_empty() {
                Value::Null
            } else {
                left.into()
            }
        }
    }
}
