//! Finding, numbering and creating ReplicaSets (`sync.go` getNewReplicaSet, `util/deployment_util.go`).

use super::progress::set_condition;
use super::rolling::new_replicas;
use super::sync::Sync;
use super::view::{
    DESIRED, HASH_LABEL, HISTORY, MAX, NOT_COPIED, REVISION, find_new, max_surge, old_of,
    progress_deadline, revision, same_template, spec_replicas, template, template_hash,
};
use crate::cluster::api::status::ApiError;
use crate::cluster::json::{Value, json};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::objects::Part;
use crate::cluster::store::Ref;
use crate::cluster::value::{
    self, annotation, at, condition, int, members, set, set_or_remove, uid,
};

/// Longest `revision-history`, characters.
const MAX_HISTORY: usize = 2_000;

/// Sets an annotation; true if that changed something.
pub(crate) fn annotate(object: &mut Value, key: &str, new: &str) -> bool {
    if annotation(object, key) == Some(new) {
        return false;
    }
    set(object, &["metadata", "annotations", key], new);
    true
}

/// Desired and maximal size, as proportional scaling reads them later.
pub(crate) fn set_size_annotations(rs: &mut Value, d: &Value) -> bool {
    let desired = spec_replicas(d);
    let a = annotate(rs, DESIRED, &desired.to_string());
    let b = annotate(rs, MAX, &(desired + max_surge(d)).to_string());
    a || b
}

/// Copies annotations and numbers the revision; true if that changed something.
fn set_new_annotations(d: &Value, rs: &mut Value, revision: i64, exists: bool) -> bool {
    let mut changed = false;
    for (k, v) in members(d, &["metadata", "annotations"]) {
        if !NOT_COPIED.contains(&k) {
            changed |= annotate(rs, k, v.as_str().unwrap_or(""));
        }
    }
    let previous = annotation(rs, REVISION).map(str::to_owned);
    let number: Option<i64> = match &previous {
        Some(p) if !p.is_empty() => p.parse().ok(),
        _ => Some(0),
    };
    let Some(number) = number else {
        return false;
    };
    if number < revision {
        changed |= annotate(rs, REVISION, &revision.to_string());
        if let Some(previous) = previous {
            let history = annotation(rs, HISTORY).unwrap_or("").to_owned();
            let mut numbers: Vec<&str> = history.split(',').filter(|n| !n.is_empty()).collect();
            numbers.push(&previous);
            while numbers.join(",").len() > MAX_HISTORY {
                numbers.remove(0);
            }
            changed |= annotate(rs, HISTORY, &numbers.join(","));
        }
    }
    if !exists {
        changed |= set_size_annotations(rs, d);
    }
    changed
}

impl Cluster {
    /// (new, old) ReplicaSets with revisions brought up to date; creates the new one if asked.
    pub(crate) fn sync_revision(
        &mut self,
        sync: &mut Sync,
        create: bool,
    ) -> Result<(Option<Ref>, Vec<Ref>), ApiError> {
        let new = find_new(&sync.object, &sync.sets);
        let old = old_of(&sync.sets, new.as_ref());
        let next = old.iter().map(|rs| revision(&rs.value)).max().unwrap_or(0) + 1;
        let new = match new {
            Some(rs) => Some(self.adopt_revision(sync, rs, next)?),
            None if create => Some(self.create_replica_set(sync, &old, next)?),
            None => None,
        };
        Ok((new, old))
    }

    /// An existing ReplicaSet becomes (or stays) the new one.
    fn adopt_revision(&mut self, sync: &mut Sync, rs: Ref, next: i64) -> Result<Ref, ApiError> {
        let mut copy = rs.value.clone();
        let annotated = set_new_annotations(&sync.object, &mut copy, next, true);
        let min_ready = at(&sync.object, &["spec", "minReadySeconds"]).cloned();
        if annotated || min_ready.as_ref() != at(&rs.value, &["spec", "minReadySeconds"]) {
            set_or_remove(&mut copy, &["spec", "minReadySeconds"], min_ready);
            let key = value::key_of(&copy);
            let stored = self.update(Kind::ReplicaSet, &key, copy, Part::Main)?;
            sync.refresh(&stored);
            return Ok(stored);
        }
        let number = annotation(&rs.value, REVISION).unwrap_or("").to_owned();
        let mut update = annotate(&mut sync.object, REVISION, &number);
        if progress_deadline(&sync.object).is_some()
            && condition(&sync.object, "Progressing").is_none()
        {
            let message = format!("Found new replica set \"{}\"", value::name(&rs.value));
            set_condition(
                self.now,
                &mut sync.object,
                ("Progressing", "True", "FoundNewReplicaSet", &message),
            );
            update = true;
        }
        if update {
            self.write_deployment_status(sync)?;
        }
        Ok(rs)
    }

    fn create_replica_set(
        &mut self,
        sync: &mut Sync,
        old: &[Ref],
        revision: i64,
    ) -> Result<Ref, ApiError> {
        let d = &sync.object;
        let (key, name) = (sync.key.clone(), sync.deployment_name());
        let namespace = value::split_key(&key).0.to_owned();
        let hash = template_hash(template(d), int(d, &["status", "collisionCount"]));
        let mut rs_template = template(d).clone();
        set(
            &mut rs_template,
            &["metadata", "labels", HASH_LABEL],
            hash.as_str(),
        );
        let mut selector = at(d, &["spec", "selector"]).cloned().unwrap_or(Value::Null);
        set(&mut selector, &["matchLabels", HASH_LABEL], hash.as_str());
        let rs_name = format!("{name}-{hash}");
        let mut rs = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {
                "name": rs_name, "namespace": namespace,
                "labels": rs_template["metadata"]["labels"],
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": uid(d),
                    "controller": true, "blockOwnerDeletion": true,
                }],
            },
            "spec": {"replicas": 0, "selector": selector, "template": rs_template},
        });
        if let Some(min_ready) = at(d, &["spec", "minReadySeconds"]).cloned() {
            set(&mut rs, &["spec", "minReadySeconds"], min_ready);
        }
        let size = new_replicas(d, old, 0);
        set(&mut rs, &["spec", "replicas"], size);
        set_new_annotations(d, &mut rs, revision, false);

        let (created, existed) = match self.create(Kind::ReplicaSet, &namespace, rs) {
            Ok(created) => (created, false),
            Err(e) if e.reason == "AlreadyExists" => {
                let existing = self
                    .get(Kind::ReplicaSet, &value::key(&namespace, &rs_name))
                    .ok_or(e.clone())?;
                let ours = existing.controller_uid() == uid(&sync.object)
                    && same_template(template(&existing.value), template(&sync.object));
                if !ours {
                    let collisions = int(&sync.object, &["status", "collisionCount"]).unwrap_or(0);
                    set(
                        &mut sync.object,
                        &["status", "collisionCount"],
                        collisions + 1,
                    );
                    self.write_deployment_status(sync)?;
                    return Err(e);
                }
                (existing, true)
            }
            Err(e) => {
                let message = format!(
                    "Failed to create new replica set \"{rs_name}\": {}",
                    e.message
                );
                if progress_deadline(&sync.object).is_some() {
                    set_condition(
                        self.now,
                        &mut sync.object,
                        ("Progressing", "False", "ReplicaSetCreateError", &message),
                    );
                    self.write_deployment_status(sync)?;
                }
                self.event(
                    &sync.object,
                    true,
                    "ReplicaSetCreateError",
                    &message,
                    "deployment-controller",
                );
                return Err(e);
            }
        };
        if !existed && size > 0 {
            let message = format!("Scaled up replica set {rs_name} from 0 to {size}");
            self.event(
                &sync.object,
                false,
                "ScalingReplicaSet",
                &message,
                "deployment-controller",
            );
        }
        let mut update = annotate(&mut sync.object, REVISION, &revision.to_string());
        if !existed && progress_deadline(&sync.object).is_some() {
            let message = format!("Created new replica set \"{rs_name}\"");
            set_condition(
                self.now,
                &mut sync.object,
                ("Progressing", "True", "NewReplicaSetCreated", &message),
            );
            update = true;
        }
        if update {
            self.write_deployment_status(sync)?;
        }
        sync.refresh(&created);
        Ok(created)
    }
}
