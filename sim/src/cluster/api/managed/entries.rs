//! The entries of `metadata.managedFields` (`managedfields/internal/managedfields.go`, `fields.go`).

use super::field_set::FieldSet;
use crate::cluster::json::{Value, json};
use crate::cluster::value::{at, items, remove, set, text};

/// How an owner got its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

/// Who owns fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) operation: Operation,
    pub(super) manager: String,
    /// The subresource that it writes through, empty for the object itself.
    pub(super) subresource: String,
}

/// An owner and its fields.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) owner: Owner,
    pub(super) api_version: String,
    /// When it got the last of them; empty if it never changed anything.
    pub(super) time: String,
    pub(super) fields: FieldSet,
}

/// The fields of an object's metadata that nobody owns (`managedfields/internal/stripmeta.go`).
const NOBODYS: [&str; 9] = [
    "f:clusterName",
    "f:creationTimestamp",
    "f:generation",
    "f:managedFields",
    "f:name",
    "f:namespace",
    "f:resourceVersion",
    "f:selfLink",
    "f:uid",
];

/// A set without what nobody owns.
pub(super) fn stripped(mut fields: FieldSet) -> FieldSet {
    for top in ["f:apiVersion", "f:kind"] {
        fields.cut(&[top]);
    }
    fields.below("f:metadata").owned = false;
    for name in NOBODYS {
        fields.cut(&["f:metadata", name]);
    }
    if fields.get("f:metadata").is_none() {
        fields.cut(&["f:metadata"]);
    }
    fields
}

/// The entries of an object; none if they can't be read.
pub(super) fn entries_of(object: &Value) -> Vec<Entry> {
    let all = items(object, &["metadata", "managedFields"]);
    let read = all.iter().map(|entry| {
        let operation = match text(entry, &["operation"]) {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        Some(Entry {
            owner: Owner {
                operation,
                manager: text(entry, &["manager"]).to_owned(),
                subresource: text(entry, &["subresource"]).to_owned(),
            },
            api_version: text(entry, &["apiVersion"]).to_owned(),
            time: text(entry, &["time"]).to_owned(),
            fields: FieldSet::of_json(at(entry, &["fieldsV1"]).unwrap_or(&Value::Null)),
        })
    });
    read.collect::<Option<Vec<Entry>>>().unwrap_or_default()
}

/// An object without its entries.
pub(super) fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    remove(&mut object, &["metadata", "managedFields"]);
    object
}

/// Writes the entries that own anything into an object, in upstream's order.
pub(super) fn write(object: &mut Value, mut entries: Vec<Entry>) {
    remove(object, &["metadata", "managedFields"]);
    entries.retain(|entry| !entry.fields.is_empty());
    if entries.is_empty() {
        return;
    }
    entries.sort_by(|a, b| {
        let key = |entry: &Entry| {
            let Owner {
                operation,
                manager,
                subresource,
            } = entry.owner.clone();
            let (time, version) = (entry.time.clone(), entry.api_version.clone());
            (operation, time, manager, version, subresource)
        };
        key(a).cmp(&key(b))
    });
    let all: Vec<Value> = entries.iter().map(Entry::to_json).collect();
    set(object, &["metadata", "managedFields"], all);
}

impl Entry {
    fn to_json(&self) -> Value {
        let operation = match self.owner.operation {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        };
        let mut entry = json!({
            "manager": self.owner.manager, "operation": operation, "apiVersion": self.api_version,
            "fieldsType": "FieldsV1", "fieldsV1": self.fields.to_json(),
        });
        for (name, value) in [
            ("time", &self.time),
            ("subresource", &self.owner.subresource),
        ] {
            if !value.is_empty() {
                entry[name] = value.as_str().into();
            }
        }
        entry
    }

    /// How a conflict names the owner (`managedfields/internal/conflict.go` printManager).
    pub(super) fn shown(&self) -> String {
        let mut name = format!("{:?}", self.owner.manager);
        if !self.owner.subresource.is_empty() {
            name.push_str(&format!(" with subresource {:?}", self.owner.subresource));
        }
        if self.owner.operation == Operation::Update {
            name.push_str(&format!(" using {}", self.api_version));
        }
        name
    }
}
