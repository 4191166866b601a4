//! Pods from the templates of what owns them (`pkg/controller/controller_utils.go` GetPodFromTemplate).

use super::value::{at, name, set, text, uid};
use crate::cluster::json::{Value, json};

/// A pod of this template, controlled by `owner`, without a name.
pub(crate) fn pod_of(owner: &Value, template: &Value) -> Value {
    let mut pod = json!({
        "metadata": {"ownerReferences": [controller_reference(owner)]},
        "spec": template.get("spec").cloned().unwrap_or(Value::Null),
    });
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(v) = at(template, &["metadata", field]) {
            set(&mut pod, &["metadata", field], v.clone());
        }
    }
    pod
}

/// The reference to a controlling owner.
pub(crate) fn controller_reference(owner: &Value) -> Value {
    json!({
        "apiVersion": text(owner, &["apiVersion"]), "kind": text(owner, &["kind"]),
        "name": name(owner), "uid": uid(owner),
        "controller": true, "blockOwnerDeletion": true,
    })
}
