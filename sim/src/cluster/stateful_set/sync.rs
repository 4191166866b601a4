//! One sync of a StatefulSet: its revisions, its pods, its status (`stateful_set.go`, `stateful_set_control.go`).

use super::control::{Counts, Plan};
use super::pods::{parent_and_ordinal, revision_of};
use crate::cluster::api::status::ApiError;
use crate::cluster::deployment::spec_replicas;
use crate::cluster::due_items::Work;
use crate::cluster::history::{next_number, patch_of, template_of};
use crate::cluster::json::{Value, json};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::store::Ref;
use crate::cluster::value::{deleting, int, name, text};
use crate::time::Micros;

/// The revisions that matter to a sync.
struct Revisions {
    current: Ref,
    update: Ref,
    collisions: i64,
}

impl Cluster {
    pub(crate) fn sync_stateful_set(&mut self, key: &str) -> Result<(), ApiError> {
        let Some(stored) = self.get(Kind::StatefulSet, key) else {
            return Ok(());
        };
        let stateful = &stored.value;
        let called = name(stateful).to_owned();
        let member =
            |pod: &Value| parent_and_ordinal(name(pod)).is_some_and(|(of, _)| of == called);
        let pods = self.claim(stateful, Kind::Pod, member)?;
        let revisions = self.revisions_of(stateful)?;
        let of = self.current_and_update(stateful, &revisions)?;
        let plan = Plan::new(
            stateful,
            (name(&of.current.value), template_of(&of.current.value)),
            (name(&of.update.value), template_of(&of.update.value)),
            &pods,
        );
        let (counts, outcome) = if deleting(stateful) {
            let counts = plan.count_all(&pods, self.now);
            (counts, Ok(()))
        } else {
            self.carry_out(stateful, plan)
        };
        self.write_stateful_status(key, stateful, &of, counts)?;
        outcome?;
        let live = |revision: &str| {
            [&of.current, &of.update]
                .iter()
                .any(|r| name(&r.value) == revision)
                || pods.iter().any(|pod| revision_of(&pod.value) == revision)
        };
        self.truncate_history(stateful, &revisions, live)?;
        self.look_at_availability_again(key, stateful, counts);
        Ok(())
    }

    /// `syncStatefulSet`: as long as pods are not available, the next look comes `minReadySeconds` after this one,
    /// however soon a pod will be available. A look that is due sooner already stays the next one. So a pod may be
    /// counted almost `minReadySeconds` late. The look that `updatePod` asks for comes a second later than that of
    /// the sync that the pod's readiness brings about.
    fn look_at_availability_again(&mut self, key: &str, stateful: &Value, counts: Counts) {
        let min_ready = int(stateful, &["spec", "minReadySeconds"]).unwrap_or(0);
        if min_ready > 0 && counts.available != spec_replicas(stateful) {
            let span = Micros::from_secs(u64::try_from(min_ready).unwrap_or(0));
            self.enqueue_at(self.now + span, Work::StatefulSet(key.to_owned()));
        }
    }

    /// `getStatefulSetRevisions`: the revision of the template, which is made or made the latest again if need be, and
    /// the one that the status calls the current one.
    fn current_and_update(
        &mut self,
        stateful: &Value,
        revisions: &[Ref],
    ) -> Result<Revisions, ApiError> {
        let mut collisions = int(stateful, &["status", "collisionCount"]).unwrap_or(0);
        let data = patch_of(stateful);
        let equal = revisions.iter().rev().find(|r| r.value["data"] == data);
        let update = match (equal, revisions.last()) {
            (Some(equal), Some(last)) if name(&equal.value) == name(&last.value) => last.clone(),
            (Some(equal), _) => self.renumber_revision(equal, next_number(revisions))?,
            (None, _) => self.create_revision(stateful, next_number(revisions), &mut collisions)?,
        };
        let current = text(stateful, &["status", "currentRevision"]);
        let mut known = revisions.iter();
        let current = known.find(|r| name(&r.value) == current).cloned();
        Ok(Revisions {
            current: current.unwrap_or_else(|| update.clone()),
            update,
            collisions,
        })
    }

    fn write_stateful_status(
        &mut self,
        key: &str,
        stateful: &Value,
        of: &Revisions,
        mut counts: Counts,
    ) -> Result<(), ApiError> {
        let replicas = spec_replicas(stateful);
        let rolling = text(stateful, &["spec", "updateStrategy", "type"]) == "RollingUpdate";
        let mut current = name(&of.current.value);
        let update = name(&of.update.value);
        // `completeRollingUpdate`.
        if rolling && [counts.updated, counts.ready, counts.replicas] == [replicas; 3] {
            counts.current = counts.updated;
            current = update;
        }
        let mut status = json!({
            "observedGeneration": int(stateful, &["metadata", "generation"]).unwrap_or(0),
            "replicas": counts.replicas,
            "availableReplicas": counts.available,
            "currentRevision": current, "updateRevision": update,
            "collisionCount": of.collisions,
        });
        for (field, count) in [
            ("readyReplicas", counts.ready),
            ("currentReplicas", counts.current),
            ("updatedReplicas", counts.updated),
        ] {
            if count != 0 {
                status[field] = count.into();
            }
        }
        self.replace_status(Kind::StatefulSet, key, stateful, status)
    }
}
