//! What the planner is told about the world.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::reconciler::Reconciler;
use crate::baseline::Baseline;
use crate::ports::{HistoryRow, LedgerPosition, Snapshot};
use crate::report::TriggerEvent;
use crate::workload::WorkloadKind;

/// The state of everything that the decision depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// When it was observed.
    pub at: Timestamp,
    /// What `prepare` recorded.
    pub baseline: Baseline,
    /// Workloads that exist, by name, each of the kind that the baseline recorded.
    pub services: BTreeMap<String, ServiceState>,
    /// Flyway's history now.
    pub history: Vec<HistoryRow>,
    /// Migration files: name to SQL.
    pub scripts: BTreeMap<String, String>,
    /// The snapshot of the baseline, if it is there now.
    pub snapshot: Option<Snapshot>,
    /// How far the ledger in use has come; `None` if that was not asked, as nothing depends on it.
    pub position: Option<LedgerPosition>,
    /// What calls for a rollback.
    pub trigger: Option<TriggerEvent>,
    /// Whether a person overrides the validation window and the comparison with the baseline.
    pub force: bool,
}

/// One workload with what it owns.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceState {
    /// Of which kind it is.
    pub kind: WorkloadKind,
    /// Its UID.
    pub uid: String,
    /// Whether it is paused.
    pub paused: bool,
    /// Wanted replicas.
    pub replicas: i32,
    /// Digest of its pod template.
    pub template_digest: String,
    /// Image of the first container.
    pub image: String,
    /// Its revision.
    pub revision: Option<u64>,
    /// Templates that it has had: ReplicaSets or ControllerRevisions whose controller is this workload by UID; orphans
    /// and others' are not among them.
    pub revisions: Vec<RevisionState>,
    /// Whether its own status says that pods of another revision are left. It does so for a StatefulSet; of a
    /// Deployment nothing of the kind is known, and this is false.
    pub half_way: bool,
    /// The controller that brings the workload back to what a repository says, with its mark.
    pub reconciler: Option<Reconciler>,
    /// Present data of the ConfigMaps that the baseline recorded; absent ones are missing.
    pub config: BTreeMap<String, BTreeMap<String, String>>,
}

/// One template that a workload has had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionState {
    /// Name of the ReplicaSet or ControllerRevision.
    pub name: String,
    /// Its number: a ReplicaSet's annotation, a ControllerRevision's field.
    pub revision: Option<u64>,
    /// Digest of its template without `pod-template-hash`.
    pub template_digest: String,
    /// When it was created.
    pub created_at: Option<Timestamp>,
}

impl Observed {
    /// The snapshot that a restore may put back: the very one that the baseline recorded.
    ///
    /// # Errors
    /// Why there is none.
    pub fn recorded_snapshot(&self) -> Result<&Snapshot, String> {
        let recorded = self.baseline.snapshot.as_ref();
        let recorded = recorded.ok_or("the baseline recorded no snapshot")?;
        let found = self.snapshot.as_ref();
        let found = found.ok_or_else(|| format!("the snapshot `{}` is gone", recorded.name))?;
        match found.differs_from(recorded) {
            None => Ok(found),
            Some(differs) => Err(format!(
                "the snapshot is not the one of the baseline: {differs}"
            )),
        }
    }
}

impl ServiceState {
    /// When the template that is wanted now was first rolled out.
    #[must_use]
    pub fn deployed_at(&self) -> Option<Timestamp> {
        self.revisions
            .iter()
            .filter(|it| it.template_digest == self.template_digest)
            .filter_map(|it| it.created_at)
            .min()
    }
}

/// Digest of a pod template, ignoring the label `pod-template-hash`, by which the Deployment controller
/// ignores it too (`EqualIgnoreHash` in `pkg/controller/deployment/util`).
#[must_use]
pub fn template_digest(template: &Value) -> String {
    let mut hash = Fnv::default();
    digest(template, &mut hash, 0);
    format!("{:016x}", hash.0)
}

struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Feeds `value` in an order that does not depend on the map's. Nulls and empty maps and lists count as
/// absent: the API server's serialization of an unset field is not the same everywhere.
fn digest(value: &Value, hash: &mut Fnv, depth: usize) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            hash.write(b"{");
            for key in keys {
                let inner = &map[key];
                let hash_label = depth == 2 && key == "pod-template-hash";
                if hash_label || is_absent(inner) {
                    continue;
                }
                hash.write(key.as_bytes());
                hash.write(b"=");
                digest(inner, hash, depth + 1);
                hash.write(b";");
            }
            hash.write(b"}");
        }
        Value::Array(list) => {
            hash.write(b"[");
            for inner in list {
                digest(inner, hash, depth + 1);
                hash.write(b",");
            }
            hash.write(b"]");
        }
        other => hash.write(other.to_string().as_bytes()),
    }
}

fn is_absent(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::template_digest;

    #[test]
    fn the_hash_label_does_not_count_and_everything_else_does() {
        let plain = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"image": "a:1"}]}});
        let hashed = json!({"metadata": {"labels": {"app": "a", "pod-template-hash": "x"}, "creationTimestamp": null},
            "spec": {"containers": [{"image": "a:1"}]}});
        let other = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"image": "a:2"}]}});
        assert_eq!(template_digest(&plain), template_digest(&hashed));
        assert_ne!(template_digest(&plain), template_digest(&other));
    }

    #[test]
    fn an_environment_variable_of_that_name_counts() {
        let one = json!({"spec": {"x": {"y": {"pod-template-hash": "1"}}}});
        let two = json!({"spec": {"x": {"y": {"pod-template-hash": "2"}}}});
        assert_ne!(template_digest(&one), template_digest(&two));
    }
}
