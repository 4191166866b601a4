//! The garbage collector: dependents follow their owner, or lose it.

use super::claims::without_finalizer;
use super::claims::without_owner;
use super::job::is_tracked;
use super::kinds::Kind;
use super::machine::Cluster;
use super::objects::{DeleteOptions, Part, Propagation};
use super::store::Ref;
use super::value::{self, flag, items, text, uid};

/// Kinds whose objects have owners or are owned, in the order in which they are looked at; any others come after them.
const FIRST: [Kind; 5] = [
    Kind::Deployment,
    Kind::ReplicaSet,
    Kind::Pod,
    Kind::EndpointSlice,
    Kind::ConfigMap,
];

/// Kinds whose objects nobody owns.
const UNOWNED: [Kind; 3] = [Kind::Namespace, Kind::Node, Kind::Event];

impl Cluster {
    /// Kinds that take part, in order.
    fn collected(&self) -> impl Iterator<Item = Kind> + '_ {
        let others = self
            .kinds()
            .filter(|kind| !FIRST.contains(kind) && !UNOWNED.contains(kind));
        FIRST.into_iter().chain(others)
    }

    fn owner_by_uid(&self, wanted: &str) -> Option<(Kind, String, Ref)> {
        self.collected().find_map(|kind| {
            self.store
                .list(kind, None)
                .find(|(_, o)| uid(&o.value) == wanted)
                .map(|(key, o)| (kind, key.clone(), o.clone()))
        })
    }

    pub(crate) fn dependents(&self, owner: &str) -> Vec<(Kind, String, Ref)> {
        self.collected()
            .flat_map(|kind| {
                self.store
                    .list(kind, None)
                    .filter(|(_, o)| {
                        items(&o.value, &["metadata", "ownerReferences"])
                            .iter()
                            .any(|r| text(r, &["uid"]) == owner)
                    })
                    .map(move |(key, o)| (kind, key.clone(), o.clone()))
            })
            .collect()
    }

    /// Looks at the dependents of the owner with this UID, which is gone or is being deleted.
    pub(crate) fn collect_garbage(&mut self, owner: &str) {
        let dependents = self.dependents(owner);
        let Some((kind, key, object)) = self.owner_by_uid(owner) else {
            for (kind, key, dependent) in dependents {
                // Who has another owner outlives this one (`garbagecollector.go` attemptToDeleteItem). A dependent that
                // has gone in the meantime needs nothing.
                let owners = items(&dependent.value, &["metadata", "ownerReferences"]);
                let others = owners.iter().map(|it| text(it, &["uid"]));
                if others
                    .filter(|it| *it != owner)
                    .any(|it| self.owner_by_uid(it).is_some())
                {
                    let left = without_owner(&dependent.value, owner);
                    let _gone = self.update(kind, &key, left, Part::Main);
                } else {
                    let _gone = self.delete(kind, &key, &DeleteOptions::default());
                }
            }
            return;
        };
        if !value::deleting(&object.value) {
            return;
        }
        let finalizers = items(&object.value, &["metadata", "finalizers"]).to_vec();
        let has = |f: &str| finalizers.iter().any(|x| x.as_str() == Some(f));
        if has("orphan") {
            for (kind, key, dependent) in dependents {
                let orphan = without_owner(&dependent.value, owner);
                let updated = self.update(kind, &key, orphan, Part::Main);
                // A pod that has no Job any more is not counted.
                if let Ok(pod) = updated
                    && kind == Kind::Pod
                    && is_tracked(&pod.value)
                {
                    let _gone = self.release_pod(&pod.value);
                }
            }
            self.drop_finalizer(kind, &key, "orphan");
        } else if has("foregroundDeletion") {
            let mut blocked = false;
            for (kind, key, dependent) in dependents {
                blocked |= items(&dependent.value, &["metadata", "ownerReferences"])
                    .iter()
                    .any(|r| text(r, &["uid"]) == owner && flag(r, &["blockOwnerDeletion"]));
                if !value::deleting(&dependent.value) {
                    let propagation = if kind == Kind::Pod {
                        Propagation::Background
                    } else {
                        Propagation::Foreground
                    };
                    let options = DeleteOptions {
                        propagation,
                        ..DeleteOptions::default()
                    };
                    let _gone = self.delete(kind, &key, &options);
                }
            }
            if !blocked {
                self.drop_finalizer(kind, &key, "foregroundDeletion");
            }
        }
    }

    fn drop_finalizer(&mut self, kind: Kind, key: &str, finalizer: &str) {
        let Some(object) = self.get(kind, key) else {
            return;
        };
        let copy = without_finalizer(&object.value, finalizer);
        let _gone = self.update(kind, key, copy, Part::Main);
    }
}
