//! Pods from the templates of what owns them (`pkg/controller/controller_utils.go` GetPodFromTemplate).

use super::api::status::ApiError;
use super::json::{Value, json};
use super::kinds::Kind;
use super::machine::Cluster;
use super::objects::DeleteOptions;
use super::value::{self, at, name, namespace, set, text, uid};

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

impl Cluster {
    /// Creates a pod of `owner`, named after it, and tells of it in an event of `source`
    /// (`pkg/controller/controller_utils.go` RealPodControl).
    pub(crate) fn create_owned_pod(
        &mut self,
        owner: &Value,
        mut pod: Value,
        source: &'static str,
    ) -> Result<(), ApiError> {
        let prefix = format!("{}-", name(owner));
        set(&mut pod, &["metadata", "generateName"], prefix);
        match self.create(Kind::Pod, namespace(owner), pod) {
            Ok(made) => {
                let message = format!("Created pod: {}", name(&made.value));
                self.event(owner, false, "SuccessfulCreate", &message, source);
                Ok(())
            }
            Err(e) => {
                let message = format!("Error creating: {}", e.message);
                self.event(owner, true, "FailedCreate", &message, source);
                Err(e)
            }
        }
    }

    /// Deletes the pod `pod` of `owner`, and tells of it in an event of `source`.
    pub(crate) fn delete_owned_pod(
        &mut self,
        owner: &Value,
        pod: &str,
        source: &'static str,
    ) -> Result<(), ApiError> {
        let key = value::key(namespace(owner), pod);
        self.delete(Kind::Pod, &key, &DeleteOptions::default())?;
        let message = format!("Deleted pod: {pod}");
        self.event(owner, false, "SuccessfulDelete", &message, source);
        Ok(())
    }
}
