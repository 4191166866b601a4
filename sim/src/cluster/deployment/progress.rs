//! Status and conditions (`progress.go`, `sync.go` calculateStatus).

use super::sync::Sync;
use super::view::{
    find_new, max_unavailable, progress_deadline, spec_replicas, sum_spec, sum_status,
};
use crate::cluster::api::status::ApiError;
use crate::cluster::due_items::Work;
use crate::cluster::json::{Map, Value, json};
use crate::cluster::machine::Cluster;
use crate::cluster::store::Ref;
use crate::cluster::value::{
    condition, find_condition, int, items, name, parse_timestamp, set, text, timestamp,
};
use crate::time::Micros;

const AVAILABLE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";

/// (type, status, reason, message).
type NewCondition<'a> = (&'a str, &'a str, &'a str, &'a str);

/// Sets a condition in `object.status` unless one of the same status and reason is there.
pub(crate) fn set_condition(now: Micros, object: &mut Value, new: NewCondition<'_>) {
    let mut conditions = items(object, &["status", "conditions"]).to_vec();
    put_condition(now, &mut conditions, new);
    set(object, &["status", "conditions"], conditions);
}

fn put_condition(now: Micros, conditions: &mut Vec<Value>, new: NewCondition<'_>) {
    let (of_type, status, reason, message) = new;
    let mut transition = timestamp(now);
    if let Some(current) = find_condition(conditions, of_type) {
        if text(current, &["status"]) == status && text(current, &["reason"]) == reason {
            return;
        }
        if text(current, &["status"]) == status {
            text(current, &["lastTransitionTime"]).clone_into(&mut transition);
        }
    }
    conditions.retain(|c| text(c, &["type"]) != of_type);
    conditions.push(json!({
        "type": of_type, "status": status, "reason": reason, "message": message,
        "lastUpdateTime": timestamp(now), "lastTransitionTime": transition,
    }));
}

fn count(status: &Value, field: &str) -> i64 {
    int(status, &[field]).unwrap_or(0)
}

/// Whether a rollout is complete by this status (`DeploymentComplete`).
pub(crate) fn complete(d: &Value, status: &Value) -> bool {
    let replicas = spec_replicas(d);
    count(status, "updatedReplicas") == replicas
        && count(status, "replicas") == replicas
        && count(status, "availableReplicas") == replicas
        && count(status, "observedGeneration") >= int(d, &["metadata", "generation"]).unwrap_or(0)
}

/// Whether `new` shows progress over `old` (`DeploymentProgressing`).
pub(crate) fn progressing(old: &Value, new: &Value) -> bool {
    let grew = |f: &str| count(new, f) > count(old, f);
    let outdated = |s: &Value| count(s, "replicas") - count(s, "updatedReplicas");
    grew("updatedReplicas")
        || outdated(new) < outdated(old)
        || grew("readyReplicas")
        || grew("availableReplicas")
}

/// Whether the progress deadline has passed (`DeploymentTimedOut`).
pub(crate) fn timed_out(now: Micros, d: &Value, status: &Value) -> bool {
    let Some(deadline) = progress_deadline(d) else {
        return false;
    };
    let Some(condition) = find_condition(items(status, &["conditions"]), "Progressing") else {
        return false;
    };
    match text(condition, &["reason"]) {
        AVAILABLE => false,
        TIMED_OUT => true,
        _ => {
            let from = parse_timestamp(text(condition, &["lastUpdateTime"])).unwrap_or(now);
            from + Micros::from_secs(u64::try_from(deadline).unwrap_or(0)) < now
        }
    }
}

impl Cluster {
    pub(crate) fn check_paused(&mut self, sync: &mut Sync) -> Result<(), ApiError> {
        if progress_deadline(&sync.object).is_none() {
            return Ok(());
        }
        let reason = condition(&sync.object, "Progressing").map_or("", |c| text(c, &["reason"]));
        if reason == TIMED_OUT {
            return Ok(());
        }
        let was_paused = reason == "DeploymentPaused";
        let (reason, message) = match (sync.paused(), was_paused) {
            (true, false) => ("DeploymentPaused", "Deployment is paused"),
            (false, true) => ("DeploymentResumed", "Deployment is resumed"),
            _ => return Ok(()),
        };
        let new = ("Progressing", "Unknown", reason, message);
        set_condition(self.now, &mut sync.object, new);
        self.write_deployment_status(sync)
    }

    fn calculate_status(&self, sync: &Sync, new: Option<&Ref>) -> Value {
        let d = &sync.object;
        let available = sum_status(&sync.sets, "availableReplicas");
        let new_sets = new.map(std::slice::from_ref).unwrap_or_default();
        let mut conditions = items(d, &["status", "conditions"]).to_vec();
        let enough = available >= spec_replicas(d) - max_unavailable(d);
        let condition = if enough {
            (
                "Available",
                "True",
                "MinimumReplicasAvailable",
                "Deployment has minimum availability.",
            )
        } else {
            (
                "Available",
                "False",
                "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability.",
            )
        };
        put_condition(self.now, &mut conditions, condition);
        let mut status = Map::default();
        for (field, n) in [
            (
                "observedGeneration",
                int(d, &["metadata", "generation"]).unwrap_or(0),
            ),
            ("replicas", sum_status(&sync.sets, "replicas")),
            ("updatedReplicas", sum_status(new_sets, "replicas")),
            ("readyReplicas", sum_status(&sync.sets, "readyReplicas")),
            ("availableReplicas", available),
            (
                "unavailableReplicas",
                (sum_spec(&sync.sets) - available).max(0),
            ),
        ] {
            if n != 0 {
                status.insert(field, n.into());
            }
        }
        if let Some(collisions) = int(d, &["status", "collisionCount"]) {
            status.insert("collisionCount", collisions.into());
        }
        status.insert("conditions", conditions.into());
        status.into()
    }

    /// Writes counts and availability only.
    pub(crate) fn sync_status(
        &mut self,
        sync: &mut Sync,
        new: Option<&Ref>,
    ) -> Result<(), ApiError> {
        let status = self.calculate_status(sync, new);
        if sync.object["status"] == status {
            return Ok(());
        }
        sync.object["status"] = status;
        self.write_deployment_status(sync)
    }

    /// Writes counts, availability and progress.
    pub(crate) fn sync_rollout_status(&mut self, sync: &mut Sync) -> Result<(), ApiError> {
        let new = find_new(&sync.object, &sync.sets);
        let mut status = self.calculate_status(sync, new.as_ref());
        let mut conditions = items(&status, &["conditions"]).to_vec();
        let d = &sync.object;
        let current = condition(d, "Progressing").cloned();
        let current_reason = current.as_ref().map_or("", |c| text(c, &["reason"]));
        let subject = new.as_ref().map_or_else(
            || format!("Deployment \"{}\"", name(d)),
            |rs| format!("ReplicaSet \"{}\"", name(&rs.value)),
        );
        if progress_deadline(d).is_none() {
            conditions.retain(|c| text(c, &["type"]) != "Progressing");
        } else {
            let already = count(&status, "replicas") == count(&status, "updatedReplicas")
                && current_reason == AVAILABLE;
            if already {
                // Nothing to say: the rollout was complete before.
            } else if complete(d, &status) {
                let message = format!("{subject} has successfully progressed.");
                let new = ("Progressing", "True", AVAILABLE, message.as_str());
                put_condition(self.now, &mut conditions, new);
            } else if progressing(&d["status"], &status) {
                let transition = current
                    .as_ref()
                    .filter(|c| text(c, &["status"]) == "True")
                    .map_or_else(
                        || timestamp(self.now),
                        |c| text(c, &["lastTransitionTime"]).to_owned(),
                    );
                conditions.retain(|c| text(c, &["type"]) != "Progressing");
                conditions.push(json!({
                    "type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated",
                    "message": format!("{subject} is progressing."),
                    "lastUpdateTime": timestamp(self.now), "lastTransitionTime": transition,
                }));
            } else if timed_out(self.now, d, &status) {
                let message = format!("{subject} has timed out progressing.");
                let new = ("Progressing", "False", TIMED_OUT, message.as_str());
                put_condition(self.now, &mut conditions, new);
            }
        }
        match replica_failure(sync, new.as_ref()) {
            Some(failure) => {
                let new = (
                    "ReplicaFailure",
                    text(&failure, &["status"]),
                    text(&failure, &["reason"]),
                    text(&failure, &["message"]),
                );
                put_condition(self.now, &mut conditions, new);
            }
            None => conditions.retain(|c| text(c, &["type"]) != "ReplicaFailure"),
        }
        set(&mut status, &["conditions"], conditions);
        if sync.object["status"] == status {
            self.watch_deadline(sync);
            return Ok(());
        }
        sync.object["status"] = status;
        self.write_deployment_status(sync)
    }

    /// Comes back when the progress deadline will have passed (`requeueStuckDeployment`).
    fn watch_deadline(&mut self, sync: &Sync) {
        let d = &sync.object;
        let (Some(deadline), Some(current)) = (progress_deadline(d), condition(d, "Progressing"))
        else {
            return;
        };
        if complete(d, &d["status"]) || text(current, &["reason"]) == TIMED_OUT {
            return;
        }
        let last = parse_timestamp(text(current, &["lastUpdateTime"])).unwrap_or(self.now);
        let due = last + Micros::from_secs(u64::try_from(deadline).unwrap_or(0) + 1);
        if text(current, &["reason"]) == AVAILABLE && due <= self.now {
            return;
        }
        let at = due.max(self.now + Micros::from_millis(10));
        self.enqueue_at(at, Work::Deployment(sync.key.clone()));
    }
}

/// The ReplicaFailure condition to lift from a ReplicaSet, the new one first.
fn replica_failure(sync: &Sync, new: Option<&Ref>) -> Option<Value> {
    new.into_iter()
        .chain(&sync.sets)
        .find_map(|rs| condition(&rs.value, "ReplicaFailure").cloned())
}
