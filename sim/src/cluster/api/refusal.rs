//! What an API server says of an object before anybody sends it: for who reads manifests, and wants to tell every
//! mistake with its place. A request is held against the same rules.

use serde_json::Value as Raw;

use super::field_errors::FieldError;
use super::{decode, defaults, field_path, quantity, validate};
use crate::cluster::kinds::Kind;

/// One reason for which a server refuses an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The field as the server writes it: `spec.template.spec.containers[0].image`.
    pub field: String,
    /// The keys and positions that lead to it. Where the server names a map and means one entry, they lead to that.
    pub path: Vec<String>,
    /// What the server says of it: `Required value`.
    pub why: String,
    /// The words that may stand there; none where it is about something else.
    pub supported: Vec<String>,
}

impl From<FieldError> for Refusal {
    fn from(error: FieldError) -> Self {
        let mut path = field_path::steps(&error.field);
        path.extend(error.entry);
        Self {
            path,
            field: error.field,
            why: error.why,
            supported: error.supported,
        }
    }
}

/// The paths of the fields of `object` that its kind does not have.
///
/// # Errors
/// Why the server can't read the object: a value has the wrong type, or a quantity is none.
pub fn unknown_fields(kind: Kind, object: &Raw) -> Result<Vec<Vec<String>>, String> {
    let decoded = decode::canonical(kind, object.clone());
    match decoded {
        Ok(decoded) => Ok(decoded.unknown),
        Err(error) => Err(error.to_string()),
    }
}

/// Everything for which a server does not create `object`, with the defaults that it fills in; in the order in which it
/// finds them (`pkg/apis/*/validation` of Kubernetes 1.34). Nothing for what can't be read: see [`unknown_fields`].
#[must_use]
pub fn refusals(kind: Kind, object: &Raw) -> Vec<Refusal> {
    let Ok(decoded) = decode::canonical(kind, object.clone()) else {
        return Vec::new();
    };
    let mut object = decoded.object;
    defaults::apply(kind, &mut object);
    let found = validate::of_new(kind, &object).into_all();
    found.into_iter().map(Refusal::from).collect()
}

/// Writes the quantities in `object` that are numbers as text, which is what they are in the types of Kubernetes; the
/// paths of those that are no quantities (`apimachinery/pkg/api/resource/quantity.go` ParseQuantity).
pub fn quantities(object: &mut Raw) -> Vec<Vec<String>> {
    let mut wrong = Vec::new();
    decode::quantities(object, &mut Vec::new(), &mut |path, value| {
        let Some(text) = decode::quantity_text(value) else {
            return;
        };
        if quantity::canonical(&text).is_none() {
            wrong.push(path.to_vec());
        }
        if value.is_number() {
            *value = text.into();
        }
    });
    wrong
}
