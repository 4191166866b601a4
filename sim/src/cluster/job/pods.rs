//! A Job's pods: how they are made, and what they count as.

use crate::cluster::api::status::ApiError;
use crate::cluster::json::Value;
use crate::cluster::machine::Cluster;
use crate::cluster::pod_template::pod_of;
use crate::cluster::replicaset::deletion_order;
use crate::cluster::store::Ref;
use crate::cluster::value::{
    at, created, deleting, int, is_ended, items, name, parse_timestamp, set, text,
};
use crate::time::Micros;

/// The finalizer by which a pod stays until it has been counted.
pub(super) const FINALIZER: &str = "batch.kubernetes.io/job-tracking";
/// Delay after the first failure; it doubles up to [`LONGEST_BACK_OFF`].
const BACK_OFF: Micros = Micros::from_secs(10);
const LONGEST_BACK_OFF: Micros = Micros::from_secs(600);

pub(super) const SOURCE: &str = "job-controller";

/// Whether a pod waits to be counted.
pub(crate) fn is_tracked(pod: &Value) -> bool {
    let all = items(pod, &["metadata", "finalizers"]);
    all.iter().any(|f| f.as_str() == Some(FINALIZER))
}

pub(super) fn has_succeeded(pod: &Value) -> bool {
    text(pod, &["status", "phase"]) == "Succeeded"
}

/// `isPodFailed`: one that is being deleted counts, too, unless only failed ones are replaced.
pub(super) fn has_failed(pod: &Value, job: &Value) -> bool {
    match text(pod, &["status", "phase"]) {
        "Failed" => true,
        "Succeeded" => false,
        _ => deleting(pod) && text(job, &["spec", "podReplacementPolicy"]) != "Failed",
    }
}

/// Whether a pod is on its way out and has not ended (`IsPodTerminating`).
pub(super) fn is_terminating(pod: &Value) -> bool {
    deleting(pod) && !is_ended(pod)
}

/// When a pod ended (`getFinishedTime`).
fn finished(pod: &Value) -> Micros {
    let ends = items(pod, &["status", "containerStatuses"])
        .iter()
        .filter_map(|status| parse_timestamp(text(status, &["state", "terminated", "finishedAt"])));
    let deleted = parse_timestamp(text(pod, &["metadata", "deletionTimestamp"]));
    ends.max().or(deleted).unwrap_or_else(|| created(pod))
}

/// Until when no pod is made after failures since the last success (`backoff_utils.go`).
pub(super) fn backs_off_until(pods: &[Ref], job: &Value) -> Option<Micros> {
    let of = |wanted: &dyn Fn(&Value) -> bool| -> Vec<Micros> {
        let all = pods.iter().filter(|pod| wanted(&pod.value));
        all.map(|pod| finished(&pod.value)).collect()
    };
    let success = of(&has_succeeded).into_iter().max();
    let failures: Vec<Micros> = of(&|pod| has_failed(pod, job))
        .into_iter()
        .filter(|at| success.is_none_or(|success| *at > success))
        .collect();
    let last = failures.iter().max()?;
    let doublings = u32::try_from(failures.len() - 1)
        .unwrap_or(u32::MAX)
        .min(10);
    let delay = Micros(BACK_OFF.0 << doublings).min(LONGEST_BACK_OFF);
    Some(*last + delay)
}

/// Restarts of the containers of pods that have not ended (`pastBackoffLimitOnFailure`).
pub(super) fn restarts(pods: &[Ref]) -> i64 {
    pods.iter()
        .filter(|pod| {
            matches!(
                text(&pod.value, &["status", "phase"]),
                "Running" | "Pending"
            )
        })
        .flat_map(|pod| {
            ["initContainerStatuses", "containerStatuses"]
                .into_iter()
                .flat_map(|list| items(&pod.value, &["status", list]))
        })
        .map(|status| int(status, &["restartCount"]).unwrap_or(0))
        .sum()
}

impl Cluster {
    pub(super) fn create_job_pods(&mut self, job: &Value, count: i64) -> Result<(), ApiError> {
        let template = at(job, &["spec", "template"]).unwrap_or(&Value::Null);
        for _ in 0..count {
            let mut pod = pod_of(job, template);
            let mut finalizers = items(&pod, &["metadata", "finalizers"]).to_vec();
            if !is_tracked(&pod) {
                finalizers.push(FINALIZER.into());
            }
            set(&mut pod, &["metadata", "finalizers"], finalizers);
            self.create_owned_pod(job, pod, SOURCE)?;
        }
        Ok(())
    }

    /// Deletes so many of the Job's active pods, the least useful ones first.
    pub(super) fn delete_job_pods(
        &mut self,
        job: &Value,
        active: &[Ref],
        count: i64,
    ) -> Result<(), ApiError> {
        let mut sorted = active.to_vec();
        sorted.sort_by(|a, b| deletion_order(self.now, (&a.value, 0), (&b.value, 0)));
        for pod in sorted.iter().take(usize::try_from(count).unwrap_or(0)) {
            self.delete_owned_pod(job, name(&pod.value), SOURCE)?;
        }
        Ok(())
    }
}
