//! Adoption and release: which dependents a controller counts as its own
//! (`pkg/controller/controller_ref_manager.go` ClaimObject).

use super::api::selectors::LabelSelector;
use super::api::status::ApiError;
use super::kinds::Kind;
use super::machine::Cluster;
use super::objects::Part;
use super::pod_template::controller_reference;
use super::store::Ref;
use super::value::{
    self, at, controller_of, deleting, items, key_of, set, set_or_remove, text, uid,
};
use crate::cluster::json::Value;

impl Cluster {
    /// The objects of a kind that `controller` controls: those it owns and selects, and orphans that it selects,
    /// which it adopts. It releases what it owns and selects no longer. `eligible` says which ones are looked at.
    pub(crate) fn claim(
        &mut self,
        controller: &Value,
        kind: Kind,
        eligible: impl Fn(&Value) -> bool,
    ) -> Result<Vec<Ref>, ApiError> {
        let owner = uid(controller);
        let selector = at(controller, &["spec", "selector"]).unwrap_or(&Value::Null);
        let selector = LabelSelector::of_object(selector);
        let selects = |dependent: &Value| !selector.is_empty() && selector.matches(dependent);
        let candidates: Vec<Ref> = self
            .store
            .list(kind, Some(value::namespace(controller)))
            .filter(|(_, o)| o.controller_uid() == owner || o.controller_uid().is_empty())
            .filter(|(_, o)| eligible(&o.value))
            .map(|(_, o)| o.clone())
            .collect();
        let mut claimed = Vec::new();
        for dependent in candidates {
            let object = &dependent.value;
            let owned = dependent.controller_uid() == owner;
            if owned && selects(object) {
                claimed.push(dependent);
            } else if deleting(controller) {
                // What is being deleted neither takes nor gives.
            } else if owned {
                self.release(object, kind, owner)?;
            } else if selects(object) && !deleting(object) {
                claimed.push(self.adopt(controller, object, kind)?);
            }
        }
        Ok(claimed)
    }

    fn adopt(
        &mut self,
        controller: &Value,
        dependent: &Value,
        kind: Kind,
    ) -> Result<Ref, ApiError> {
        let mut copy = dependent.clone();
        let mut owners = items(&copy, &["metadata", "ownerReferences"]).to_vec();
        owners.push(controller_reference(controller));
        set(&mut copy, &["metadata", "ownerReferences"], owners);
        self.update(kind, &key_of(dependent), copy, Part::Main)
    }

    fn release(&mut self, dependent: &Value, kind: Kind, owner: &str) -> Result<Ref, ApiError> {
        self.update(
            kind,
            &key_of(dependent),
            without_owner(dependent, owner),
            Part::Main,
        )
    }

    /// Wakes whoever controls an object, did so before the change, or could adopt it: the handlers of
    /// `deployment_controller.go` (addReplicaSet, updateReplicaSet, deleteReplicaSet) and of `replica_set.go` (addPod
    /// …).
    pub(crate) fn wake_controllers(
        &mut self,
        of: &[Kind],
        object: &Value,
        previous: Option<&Value>,
        gone: bool,
    ) {
        let now = controller_of(object);
        let before = previous.and_then(controller_of);
        let moved = previous.is_some() && now != before;
        if moved && let Some(before) = before {
            self.wake_owner(object, before);
        }
        if let Some(now) = now {
            self.wake_owner(object, now);
            return;
        }
        let labels = |o: &Value| at(o, &["metadata", "labels"]).cloned();
        let relabelled = previous.is_some_and(|p| labels(p) != labels(object));
        let orphan_is_news = previous.is_none() || moved || relabelled;
        if gone || deleting(object) || !orphan_is_news {
            return;
        }
        let adopts = |controller: &Value| {
            let selector = at(controller, &["spec", "selector"]).unwrap_or(&Value::Null);
            let selector = LabelSelector::of_object(selector);
            !selector.is_empty() && selector.matches(object)
        };
        let able: Vec<(Kind, String)> = of
            .iter()
            .flat_map(|kind| {
                let all = self.store.list(*kind, Some(value::namespace(object)));
                all.map(move |(key, controller)| (*kind, key, controller))
            })
            .filter(|(_, _, controller)| adopts(&controller.value))
            .map(|(kind, key, _)| (kind, key.clone()))
            .collect();
        for (kind, key) in able {
            self.enqueue_controller(kind, key);
        }
    }

    /// Wakes the controller that a reference names, if it is still the same one (resolveControllerRef).
    pub(crate) fn wake_owner(&mut self, dependent: &Value, reference: &Value) {
        let kind = match text(reference, &["kind"]) {
            "Deployment" => Kind::Deployment,
            "ReplicaSet" => Kind::ReplicaSet,
            "StatefulSet" => Kind::StatefulSet,
            "DaemonSet" => Kind::DaemonSet,
            "Job" => Kind::Job,
            _ => return,
        };
        let key = value::key(value::namespace(dependent), text(reference, &["name"]));
        let same = |owner: &Ref| uid(&owner.value) == text(reference, &["uid"]);
        let there = self.store.get(kind, &key);
        // Who watches over Jobs also lets go of the pods of those that are gone.
        if there.map_or(kind == Kind::Job && deleting(dependent), same) {
            self.enqueue_controller(kind, key);
        }
    }
}

/// A copy of an object without this finalizer.
pub(crate) fn without_finalizer(object: &Value, finalizer: &str) -> Value {
    let mut copy = object.clone();
    let kept: Vec<Value> = items(&copy, &["metadata", "finalizers"])
        .iter()
        .filter(|f| f.as_str() != Some(finalizer))
        .cloned()
        .collect();
    let kept = (!kept.is_empty()).then(|| Value::from(kept));
    set_or_remove(&mut copy, &["metadata", "finalizers"], kept);
    copy
}

/// A copy of an object without its references to this owner.
pub(crate) fn without_owner(dependent: &Value, owner: &str) -> Value {
    let mut copy = dependent.clone();
    let kept: Vec<Value> = items(&copy, &["metadata", "ownerReferences"])
        .iter()
        .filter(|r| text(r, &["uid"]) != owner)
        .cloned()
        .collect();
    let kept = (!kept.is_empty()).then(|| Value::from(kept));
    set_or_remove(&mut copy, &["metadata", "ownerReferences"], kept);
    copy
}
