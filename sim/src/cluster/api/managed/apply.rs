//! Server-side apply (`structured-merge-diff/merge/update.go`, `managedfields/internal/structuredmerge.go`).

use super::super::status::ApiError;
use super::compare::{compare, fields_of, mistakes};
use super::entries::{Entry, Operation, bare, entries_of, write};
use super::field_set::FieldSet;
use super::merge::{merged, without};
use super::shape::Type;
use super::writer::{Writer, own, writable};
use crate::cluster::json::{Value, json};
use crate::cluster::kinds::Kind;
use crate::cluster::objects::Part;
use crate::cluster::value::{at, keep, name, namespace, set, text, timestamp};
use crate::time::Micros;

/// Who owns the fields of an object that was there before anybody applied it.
const BEFORE: &str = "before-first-apply";

/// What is applied, and by whom.
pub(in super::super) struct Applied<'a> {
    pub(in super::super) kind: Kind,
    pub(in super::super) writer: &'a Writer,
    pub(in super::super) part: Part,
    pub(in super::super) now: Micros,
    /// What the applier wants.
    pub(in super::super) config: &'a Value,
    /// Whether it takes over what others own.
    pub(in super::super) force: bool,
}

/// The object that comes of it, with its entries. `live` is `None` if there is none yet.
///
/// # Errors
/// 400 and 500 for a configuration that can't be applied, and 409 for fields that others own.
pub(in super::super) fn applied(live: Option<&Value>, it: &Applied<'_>) -> Result<Value, ApiError> {
    let version = it.kind.api_version();
    let given = text(it.config, &["apiVersion"]);
    if given != version {
        return Err(ApiError::bad_request(format!(
            "Incorrect version specified in apply patch. Specified patch version: {given}, expected: {version}"
        )));
    }
    if at(it.config, &["metadata", "managedFields"]).is_some_and(|fields| !fields.is_null()) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let of_type = Type::of(it.kind);
    check(of_type, it.config)?;
    let mut entries = live.map(entries_of).unwrap_or_default();
    let nothing = || json!({"apiVersion": version, "kind": it.kind.name()});
    let old = live.map_or_else(nothing, bare);
    if live.is_some() && entries.is_empty() {
        let all = compare(of_type, &of_type.zero(), &old).added;
        let owner = Writer::component(BEFORE).owner(Operation::Update, Part::Main);
        let all = writable(it.kind, Part::Main, all);
        own(&mut entries, owner, version.to_owned(), &all, it.now);
    }
    let owner = it.writer.owner(Operation::Apply, it.part);
    let fields = writable(it.kind, it.part, fields_of(of_type, it.config));
    let mut last = FieldSet::default();
    let mut time = String::new();
    entries.retain(|entry| {
        let own = entry.owner == owner;
        if own {
            last = entry.fields.clone();
            time.clone_from(&entry.time);
        }
        !own
    });
    let kept = entries
        .iter()
        .fold(fields.clone(), |all, it| all.union(&it.fields));
    let mut new = merged(of_type, Some(&old), it.config);
    if !last.is_empty() {
        new = without(of_type, &new, &last.abandoned(&kept));
    }
    for field in ["name", "namespace"] {
        keep(
            &mut new,
            &["metadata", field],
            if live.is_some() { &old } else { it.config },
        );
    }
    let comparison = compare(of_type, &old, &new);
    let changed = writable(it.kind, it.part, comparison.changed());
    if !it.force {
        no_conflict(&entries, &changed)?;
    }
    for entry in &mut entries {
        entry.fields = entry
            .fields
            .difference(&changed)
            .difference(&comparison.removed);
    }
    if new != old {
        time = timestamp(it.now);
    }
    entries.push(Entry {
        owner,
        api_version: version.to_owned(),
        time,
        fields,
    });
    set(&mut new, &["apiVersion"], version);
    write(&mut new, entries);
    Ok(new)
}

/// Refuses a configuration that its type can't take. The answer of a server has no reason
/// (`structuredmerge.go` Apply, `responsewriters/status.go`).
fn check(of_type: Type<'_>, config: &Value) -> Result<(), ApiError> {
    let mistakes = mistakes(of_type, config);
    let told = match mistakes.as_slice() {
        [] => return Ok(()),
        [only] => only.clone(),
        several => {
            let lines: Vec<String> = several.iter().map(|it| format!("\n  {it}")).collect();
            format!("errors:{}", lines.concat())
        }
    };
    let (namespace, name) = (namespace(config), name(config));
    Err(ApiError::new(
        500,
        "",
        format!(
            "failed to create typed patch object ({namespace}/{name}; {}, Kind={}): {told}",
            text(config, &["apiVersion"]),
            text(config, &["kind"]),
        ),
    ))
}

/// 409, with a cause for each field that another one owns (`managedfields/internal/conflict.go`).
fn no_conflict(entries: &[Entry], changed: &FieldSet) -> Result<(), ApiError> {
    let mut conflicts: Vec<(String, Vec<String>)> = Vec::new();
    for entry in entries {
        let paths = entry.fields.intersection(changed).paths();
        if !paths.is_empty() {
            conflicts.push((entry.shown(), paths));
        }
    }
    conflicts.sort();
    let count: usize = conflicts.iter().map(|(_, paths)| paths.len()).sum();
    let message = match conflicts.as_slice() {
        [] => return Ok(()),
        [(manager, paths)] if count == 1 => format!(
            "Apply failed with 1 conflict: conflict with {manager}: {}",
            paths.concat()
        ),
        several => {
            let all = several.iter().flat_map(|(manager, paths)| {
                let paths = paths.iter().map(|path| format!("- {path}"));
                std::iter::once(format!("conflicts with {manager}:")).chain(paths)
            });
            let lines: Vec<String> = all.collect();
            format!("Apply failed with {count} conflicts: {}", lines.join("\n"))
        }
    };
    let refusal = ApiError::new(409, "Conflict", message);
    let causes = conflicts.iter().flat_map(|(manager, paths)| {
        paths
            .iter()
            .map(move |path| (format!("conflict with {manager}"), path))
    });
    Err(causes.fold(refusal, |refusal, (message, path)| {
        refusal.with_cause("FieldManagerConflict", &message, path)
    }))
}
