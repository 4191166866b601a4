//! The ReplicaSet controller (`pkg/controller/replicaset`, `controller_utils.go`).

use std::cmp::Ordering;

use super::api::selectors::LabelSelector;
use super::api::status::ApiError;
use super::deployment::spec_replicas;
use super::due_items::Work;
use super::kinds::Kind;
use super::machine::Cluster;
use super::pod_template::pod_of;
use super::store::Ref;
use super::value::{
    self, annotation, at, condition, condition_true, controller_uid, created, int, items, name,
    parse_timestamp, text, timestamp, uid,
};
use crate::cluster::json::{Map, Value, json};
use crate::time::Micros;

const SOURCE: &str = "replicaset-controller";

/// Most pods created or deleted in one sync.
const BURST: i64 = 500;

/// Pods that count: neither finished nor on their way out.
pub(crate) fn is_active(pod: &Value) -> bool {
    !value::is_ended(pod) && !value::deleting(pod)
}

fn ready_since(pod: &Value) -> Option<Micros> {
    let ready = condition(pod, "Ready").filter(|c| text(c, &["status"]) == "True")?;
    parse_timestamp(text(ready, &["lastTransitionTime"]))
}

pub(crate) fn is_available(pod: &Value, min_ready_s: i64, now: Micros) -> bool {
    if min_ready_s == 0 {
        return condition_true(pod, "Ready");
    }
    ready_since(pod).is_some_and(|since| {
        since + Micros::from_secs(u64::try_from(min_ready_s).unwrap_or(0)) <= now
    })
}

/// An age as the bucket in which ages compare equal: log2 of its nanoseconds.
fn age_bucket(now: Micros, since: Micros) -> u32 {
    let nanos = now.saturating_sub(since).0.saturating_mul(1_000);
    u64::BITS - nanos.leading_zeros()
}

/// Orders pods by how gladly they are deleted (`ActivePodsWithRanks`); `rank` counts siblings on the node.
pub(crate) fn deletion_order(now: Micros, a: (&Value, usize), b: (&Value, usize)) -> Ordering {
    let ((a, rank_a), (b, rank_b)) = (a, b);
    let assigned = |p: &Value| !text(p, &["spec", "nodeName"]).is_empty();
    let phase = |p: &Value| match text(p, &["status", "phase"]) {
        "Pending" => 0,
        "Unknown" => 1,
        _ => 2,
    };
    let ready = |p: &Value| condition_true(p, "Ready");
    let cost = |p: &Value| {
        annotation(p, "controller.kubernetes.io/pod-deletion-cost")
            .and_then(|c| c.parse::<i32>().ok())
            .unwrap_or(0)
    };
    // Of the containers, then of the sidecars (`maxContainerRestarts`).
    let restarts = |p: &Value| {
        let most = |list: &str, counts: &dyn Fn(&Value) -> bool| {
            items(p, &["status", list])
                .iter()
                .filter(|s| counts(s))
                .map(|s| int(s, &["restartCount"]).unwrap_or(0))
                .max()
                .unwrap_or(0)
        };
        let sidecar = |s: &Value| {
            items(p, &["spec", "initContainers"])
                .iter()
                .any(|c| value::is_sidecar(c) && c.get("name") == s.get("name"))
        };
        (
            most("containerStatuses", &|_| true),
            most("initContainerStatuses", &sidecar),
        )
    };
    assigned(a)
        .cmp(&assigned(b))
        .then_with(|| phase(a).cmp(&phase(b)))
        .then_with(|| ready(a).cmp(&ready(b)))
        .then_with(|| cost(a).cmp(&cost(b)))
        .then_with(|| rank_b.cmp(&rank_a))
        .then_with(|| match (ready_since(a), ready_since(b)) {
            (Some(x), Some(y)) => age_bucket(now, x).cmp(&age_bucket(now, y)),
            _ => Ordering::Equal,
        })
        .then_with(|| restarts(b).cmp(&restarts(a)))
        .then_with(|| age_bucket(now, created(a)).cmp(&age_bucket(now, created(b))))
        .then_with(|| uid(a).cmp(uid(b)))
}

impl Cluster {
    pub(crate) fn sync_replica_set(&mut self, key: &str) -> Result<(), ApiError> {
        let Some(rs) = self.get(Kind::ReplicaSet, key) else {
            return Ok(());
        };
        let pods = self.claim(&rs.value, Kind::Pod, is_active)?;
        let outcome = if value::deleting(&rs.value) {
            Ok(())
        } else {
            self.manage_replicas(&rs.value, &pods)
        };
        let status = self.replica_set_status(&rs.value, &pods, outcome.as_ref().err());
        self.replace_status(Kind::ReplicaSet, key, &rs.value, status)?;
        let min_ready = int(&rs.value, &["spec", "minReadySeconds"]).unwrap_or(0);
        if min_ready > 0 {
            let work = Work::ReplicaSet(key.to_owned());
            self.wait_for_availability(work, &pods, min_ready);
        }
        outcome
    }

    /// Comes back when the next ready pod will have been ready long enough.
    pub(crate) fn wait_for_availability(&mut self, work: Work, pods: &[Ref], min_ready_s: i64) {
        let span = Micros::from_secs(u64::try_from(min_ready_s).unwrap_or(0));
        let next = pods
            .iter()
            .filter_map(|p| ready_since(&p.value))
            .map(|since| since + span)
            .filter(|due| *due > self.now)
            .min();
        if let Some(due) = next {
            self.enqueue_at(due, work);
        }
    }

    fn manage_replicas(&mut self, rs: &Value, pods: &[Ref]) -> Result<(), ApiError> {
        let have = pods.len() as i64;
        let want = spec_replicas(rs);
        if have < want {
            self.create_pods(rs, (want - have).min(BURST))
        } else {
            self.delete_pods(rs, pods, (have - want).min(BURST))
        }
    }

    /// Batches of 1, 2, 4, …; an error drops the remaining batches.
    fn create_pods(&mut self, rs: &Value, count: i64) -> Result<(), ApiError> {
        let (mut left, mut batch) = (count, 1);
        while left > 0 {
            let size = batch.min(left);
            let mut failure = None;
            for _ in 0..size {
                if let Err(e) = self.create_pod(rs) {
                    failure = Some(e);
                }
            }
            if let Some(e) = failure {
                return Err(e);
            }
            left -= size;
            batch *= 2;
        }
        Ok(())
    }

    fn create_pod(&mut self, rs: &Value) -> Result<(), ApiError> {
        let template = at(rs, &["spec", "template"]).unwrap_or(&Value::Null);
        self.create_owned_pod(rs, pod_of(rs, template), SOURCE)
    }

    fn delete_pods(&mut self, rs: &Value, pods: &[Ref], count: i64) -> Result<(), ApiError> {
        if count <= 0 {
            return Ok(());
        }
        let siblings = self.siblings_by_node(rs);
        let rank = |p: &Value| {
            let node = text(p, &["spec", "nodeName"]);
            siblings.iter().filter(|n| n.as_str() == node).count()
        };
        let mut ranked: Vec<(Ref, usize)> =
            pods.iter().map(|p| (p.clone(), rank(&p.value))).collect();
        ranked.sort_by(|a, b| deletion_order(self.now, (&a.0.value, a.1), (&b.0.value, b.1)));
        for (pod, _) in ranked.iter().take(usize::try_from(count).unwrap_or(0)) {
            self.delete_owned_pod(rs, name(&pod.value), SOURCE)?;
        }
        Ok(())
    }

    /// The nodes of all active pods that belong to ReplicaSets of the same owner.
    fn siblings_by_node(&self, rs: &Value) -> Vec<String> {
        let owner = controller_uid(rs);
        let namespace = value::namespace(rs);
        let sets: Vec<&str> = self
            .store
            .list(Kind::ReplicaSet, Some(namespace))
            .filter(|(_, s)| {
                uid(&s.value) == uid(rs) || (!owner.is_empty() && s.controller_uid() == owner)
            })
            .map(|(_, s)| uid(&s.value))
            .collect();
        self.store
            .list(Kind::Pod, Some(namespace))
            .filter(|(_, p)| is_active(&p.value) && sets.contains(&p.controller_uid()))
            .map(|(_, p)| text(&p.value, &["spec", "nodeName"]).to_owned())
            .collect()
    }

    fn replica_set_status(&self, rs: &Value, pods: &[Ref], error: Option<&ApiError>) -> Value {
        let labels = LabelSelector::of_map(at(rs, &["spec", "template", "metadata", "labels"]));
        let min_ready = int(rs, &["spec", "minReadySeconds"]).unwrap_or(0);
        let count = |f: &dyn Fn(&Value) -> bool| pods.iter().filter(|p| f(&p.value)).count();
        let mut status = Map::default();
        // `replicas` has no omitempty; the other counts do.
        status.insert("replicas", pods.len().into());
        for (field, n) in [
            ("fullyLabeledReplicas", count(&|p| labels.matches(p))),
            ("readyReplicas", count(&|p| condition_true(p, "Ready"))),
            (
                "availableReplicas",
                count(&|p| is_available(p, min_ready, self.now)),
            ),
        ] {
            if n != 0 {
                status.insert(field, n.into());
            }
        }
        let generation = int(rs, &["metadata", "generation"]).unwrap_or(0);
        status.insert("observedGeneration", generation.into());
        if let Some(error) = error {
            status.insert(
                "conditions",
                json!([failure(self.now, rs, pods.len(), error)]),
            );
        }
        status.into()
    }
}

/// The condition that says that pods can't be created or deleted. It keeps its first message, although each
/// attempt has one of its own (it names the pod): a new one would be a write, which wakes the controller, which then
/// never backs off (`replica_set_utils.go` calculateStatus: set only where `failureCond == nil`).
fn failure(now: Micros, rs: &Value, pods: usize, error: &ApiError) -> Value {
    if let Some(first) = condition(rs, "ReplicaFailure") {
        return first.clone();
    }
    let reason = if (pods as i64) < spec_replicas(rs) {
        "FailedCreate"
    } else {
        "FailedDelete"
    };
    json!({
        "type": "ReplicaFailure", "status": "True", "reason": reason,
        "message": error.message, "lastTransitionTime": timestamp(now),
    })
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::deletion_order;
    use crate::cluster::json::{Value, json};
    use crate::time::Micros;

    fn pod(uid: &str, node: &str, phase: &str, ready_at: Option<&str>) -> Value {
        let conditions = match ready_at {
            Some(at) => json!([{"type": "Ready", "status": "True", "lastTransitionTime": at}]),
            None => json!([]),
        };
        json!({
            "metadata": {"uid": uid, "creationTimestamp": "2026-01-05T00:00:00Z"},
            "spec": {"nodeName": node}, "status": {"phase": phase, "conditions": conditions},
        })
    }

    #[test]
    fn the_least_useful_pod_goes_first() {
        let now = Micros::from_secs(3_600);
        let early = Some("2026-01-05T00:00:10Z");
        let late = Some("2026-01-05T00:59:50Z");
        let first = |a: &Value, b: &Value| {
            assert_eq!(deletion_order(now, (a, 1), (b, 1)), Ordering::Less);
        };
        let steady = pod("s", "n", "Running", early);
        first(
            &pod("a", "", "Pending", None),
            &pod("b", "n", "Pending", None),
        );
        first(
            &pod("a", "n", "Pending", None),
            &pod("b", "n", "Running", None),
        );
        first(&pod("z", "n", "Running", None), &steady);
        first(&pod("z", "n", "Running", late), &steady);
        first(&pod("a", "n", "Running", early), &steady);
        let mut cheap = pod("z", "n", "Running", early);
        cheap["metadata"]["annotations"] =
            json!({"controller.kubernetes.io/pod-deletion-cost": "-5"});
        first(&cheap, &steady);
        let mut restarted = pod("z", "n", "Running", early);
        restarted["status"]["containerStatuses"] = json!([{"restartCount": 3}]);
        first(&restarted, &steady);
        assert_eq!(
            deletion_order(now, (&steady, 2), (&cheap, 1)),
            Ordering::Greater,
            "the cost comes before the crowd on the node"
        );
    }
}
