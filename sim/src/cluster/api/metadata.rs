//! Rules of the metadata of every object (`apimachinery/pkg/api/validation/objectmeta.go`), beside names, labels and
//! annotations.

use super::field_errors::Errors;
use crate::cluster::json::Value;
use crate::cluster::value::{deleting, flag, items, text};

/// `ValidateOwnerReferences`: each is whole, no Event owns anything, and at most one is the controller.
pub(super) fn owners(object: &Value, errors: &mut Errors) {
    const LIST: &str = "metadata.ownerReferences";
    let all = items(object, &["metadata", "ownerReferences"]);
    let mut controller: Option<String> = None;
    for owner in all {
        let (version, kind) = (text(owner, &["apiVersion"]), text(owner, &["kind"]));
        if version.rsplit('/').next().is_none_or(str::is_empty) {
            let field = format!("{LIST}.apiVersion");
            errors.invalid(&field, &version.into(), "version must not be empty");
        }
        for field in ["kind", "name", "uid"] {
            let value = text(owner, &[field]);
            if value.is_empty() {
                let why = format!("{field} must not be empty");
                errors.invalid(&format!("{LIST}.{field}"), &value.into(), &why);
            }
        }
        if (version, kind) == ("v1", "Event") {
            let why = "/v1, Kind=Event is disallowed from being an owner";
            errors.invalid(LIST, owner, why);
        }
        if !flag(owner, &["controller"]) {
            continue;
        }
        let this = format!("{kind}/{}", text(owner, &["name"]));
        match &controller {
            None => controller = Some(this),
            Some(first) => {
                let why = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                );
                errors.invalid(LIST, &Value::from(all.to_vec()), &why);
            }
        }
    }
}

/// `ValidateNoNewFinalizers`: what is being deleted takes no more finalizers.
pub(super) fn finalizers(old: &Value, new: &Value, errors: &mut Errors) {
    if !deleting(old) {
        return;
    }
    let before = items(old, &["metadata", "finalizers"]);
    let after = items(new, &["metadata", "finalizers"]).iter();
    let mut added: Vec<&str> = after
        .filter(|it| !before.contains(it))
        .filter_map(Value::as_str)
        .collect();
    added.sort_unstable();
    added.dedup();
    if !added.is_empty() {
        let quoted: Vec<String> = added.iter().map(|it| format!("{it:?}")).collect();
        let why = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            quoted.join(", ")
        );
        errors.forbidden("metadata.finalizers", &why);
    }
}
