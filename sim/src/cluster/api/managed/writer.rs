//! Who writes, and which fields it owns after an update.

use std::borrow::Cow;

use super::compare::compare;
use super::entries::{Entry, Operation, Owner, bare, entries_of, stripped, write};
use super::field_set::FieldSet;
use super::shape::Type;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::objects::Part;
use crate::cluster::value::{self, items, text, timestamp};
use crate::time::Micros;

/// Whoever writes an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Writer {
    pub(super) manager: Cow<'static, str>,
    /// The subresource that is written through; `None` for the one that the write itself tells, which is `status` or
    /// none.
    pub(super) subresource: Option<&'static str>,
    /// Whether the fields of what it creates are tracked.
    creates: bool,
    /// Whether the object has its entries already.
    applied: bool,
}

impl Writer {
    /// A component of the cluster. What it creates has no entries.
    pub(crate) const fn component(name: &'static str) -> Self {
        Self {
            manager: Cow::Borrowed(name),
            subresource: None,
            creates: false,
            applied: false,
        }
    }

    /// A client that names itself by `fieldManager` or by the beginning of its `User-Agent`
    /// (`handlers/create.go` managerOrUserAgent). What a client creates that does neither has no entries.
    pub(crate) fn client(manager: Option<&str>, user_agent: Option<&str>) -> Self {
        let agent = user_agent.and_then(|it| it.split('/').next());
        let name = manager.or(agent).filter(|it| !it.is_empty());
        Self {
            manager: Cow::Owned(name.unwrap_or("unknown").to_owned()),
            subresource: None,
            creates: name.is_some(),
            applied: false,
        }
    }

    /// The same through a subresource.
    pub(crate) fn through(mut self, subresource: &'static str) -> Self {
        self.subresource = Some(subresource);
        self
    }

    /// The same with an object that has its entries already.
    pub(crate) fn applied(mut self) -> Self {
        self.applied = true;
        self
    }

    pub(super) fn owner(&self, operation: Operation, part: Part) -> Owner {
        let of_part = match part {
            Part::Main => "",
            Part::Status => "status",
        };
        Owner {
            operation,
            manager: self.manager.to_string(),
            subresource: self.subresource.unwrap_or(of_part).to_owned(),
        }
    }
}

/// The fields that a write to this part can't change (`GetResetFields` of the strategies).
pub(super) fn writable(kind: Kind, part: Part, fields: FieldSet) -> FieldSet {
    let mut fields = stripped(fields);
    match part {
        Part::Main if kind.has_status() => fields.cut(&["f:status"]),
        Part::Main => {}
        Part::Status => fields.cut(&["f:spec"]),
    }
    fields
}

/// Enters into a new version of an object who owns its fields. `old` is `None` for an object that is created.
pub(crate) fn track(
    writer: &Writer,
    now: Micros,
    kind: Kind,
    old: Option<&Value>,
    new: &mut Value,
    part: Part,
) {
    if writer.applied {
        return;
    }
    let asked = items(new, &["metadata", "managedFields"]);
    // An empty entry alone resets them.
    let reset = asked.len() == 1 && asked[0].as_object().is_some_and(|it| it.is_empty());
    let may_set = old.is_some() && part == Part::Main && writer.subresource.is_none();
    let mut entries = if may_set { entries_of(new) } else { Vec::new() };
    if let Some(old) = old.filter(|_| entries.is_empty() && !reset) {
        entries = entries_of(old);
    }
    let tracked = match old {
        None => writer.creates,
        Some(_) => !entries.is_empty(),
    };
    value::remove(new, &["metadata", "managedFields"]);
    if !tracked {
        return;
    }
    let of_type = Type::of(kind);
    let old = old.map_or_else(|| of_type.zero(), bare);
    let comparison = compare(of_type, &old, new);
    let (changed, removed) = (comparison.changed(), comparison.removed);
    for entry in &mut entries {
        entry.fields = entry.fields.difference(&changed).difference(&removed);
    }
    let fields = writable(kind, part, changed);
    if !fields.is_empty() {
        let owner = writer.owner(Operation::Update, part);
        let api_version = text(new, &["apiVersion"]).to_owned();
        own(&mut entries, owner, api_version, &fields, now);
    }
    write(new, entries);
}

/// Gives fields to an owner.
pub(super) fn own(
    entries: &mut Vec<Entry>,
    owner: Owner,
    api_version: String,
    fields: &FieldSet,
    now: Micros,
) {
    let time = timestamp(now);
    let known = entries.iter_mut().find(|it| it.owner == owner);
    match known {
        Some(entry) => {
            entry.fields = entry.fields.union(fields);
            entry.time = time;
        }
        None => entries.push(Entry {
            owner,
            api_version,
            time,
            fields: fields.clone(),
        }),
    }
}
