//! What is read from the cluster: pods that ended, and Jobs that did.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;

/// The annotation, and since Kubernetes 1.28 the label, with a pod's index.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// A pod that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its name.
    pub pod: String,
    /// What tells it from another pod of the same name.
    pub uid: String,
    /// The index that it was to do.
    pub index: u32,
    /// What it left as its last words; empty if there are none.
    pub message: String,
    /// How it ended, in words, for where it left none.
    pub how: String,
}

/// What a pod says that has ended; `None`: it has not, or it is no pod of an Indexed Job.
#[must_use]
pub fn ended(pod: &Pod) -> Option<Ended> {
    let meta = &pod.metadata;
    let said = |of: &Option<std::collections::BTreeMap<String, String>>| {
        of.as_ref().and_then(|it| it.get(INDEX).cloned())
    };
    let index = said(&meta.annotations).or_else(|| said(&meta.labels))?;
    let index = index.parse().ok()?;
    let status = pod.status.as_ref()?;
    let containers = status.container_statuses.iter().flatten();
    let terminated = containers
        .filter_map(|it| it.state.as_ref()?.terminated.as_ref())
        .next();
    let over = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    if terminated.is_none() && !over {
        return None;
    }
    let how = match (terminated, &status.reason) {
        (_, Some(reason)) => format!("the pod ended: {reason}"),
        (Some(state), None) => match &state.reason {
            Some(reason) if reason != "Error" && reason != "Completed" => {
                format!("it ended with exit code {}: {reason}", state.exit_code)
            }
            _ => format!("it ended with exit code {}", state.exit_code),
        },
        (None, None) => "the pod ended before its container did".to_owned(),
    };
    Some(Ended {
        pod: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
        index,
        message: terminated
            .and_then(|it| it.message.clone())
            .unwrap_or_default(),
        how,
    })
}

/// How a Job ended, in words; `None`: it has not.
#[must_use]
pub fn finished(job: &Job) -> Option<String> {
    let conditions = job.status.as_ref()?.conditions.iter().flatten();
    let mut over = conditions
        .filter(|it| it.status == "True" && matches!(it.type_.as_str(), "Complete" | "Failed"));
    let condition = over.next()?;
    let why = condition.message.as_ref().or(condition.reason.as_ref());
    let kind = condition.type_.to_lowercase();
    Some(why.map_or_else(|| kind.clone(), |why| format!("{kind}: {why}")))
}

/// Whether a Job waits for somebody to start it.
#[must_use]
pub fn is_suspended(job: &Job) -> bool {
    let spec = job.spec.as_ref();
    spec.and_then(|spec| spec.suspend).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(status: Value) -> Pod {
        let meta = json!({"name": "fd-1-abc", "uid": "u", "annotations": {(INDEX): "1"}});
        serde_json::from_value(json!({"metadata": meta, "status": status})).expect("a pod")
    }

    fn container(state: Value) -> Value {
        json!([{
            "name": "firedrill", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state,
        }])
    }

    #[test]
    fn a_pod_that_ended_says_how() {
        let state = |code: i32, reason: &str, message: &str| json!({"terminated": {"exitCode": code, "reason": reason, "message": message}});
        let of = |status| ended(&pod(status)).expect("it ended");
        let done =
            of(json!({"phase": "Failed", "containerStatuses": container(state(1, "Error", "{}"))}));
        assert_eq!((done.index, done.message.as_str()), (1, "{}"));
        assert_eq!(done.how, "it ended with exit code 1");
        let killed = of(
            json!({"phase": "Failed", "containerStatuses": container(state(137, "OOMKilled", ""))}),
        );
        assert_eq!(killed.how, "it ended with exit code 137: OOMKilled");
        let evicted = of(json!({"phase": "Failed", "reason": "Evicted"}));
        assert_eq!(evicted.how, "the pod ended: Evicted");
        let running =
            json!({"phase": "Running", "containerStatuses": container(json!({"running": {}}))});
        assert_eq!(ended(&pod(running)), None);
        let mut foreign = pod(json!({"phase": "Succeeded"}));
        foreign.metadata.annotations = None;
        assert_eq!(ended(&foreign), None);
    }

    #[test]
    fn a_job_is_over_when_a_condition_says_so() {
        let job = |conditions: Value| -> Job {
            serde_json::from_value(json!({"status": {"conditions": conditions}})).expect("a Job")
        };
        assert_eq!(finished(&job(json!([]))), None);
        assert_eq!(
            finished(&job(json!([{"type": "Failed", "status": "False"}]))),
            None
        );
        assert_eq!(
            finished(&job(json!([{"type": "Suspended", "status": "True"}]))),
            None
        );
        let failed = job(json!([{"type": "Failed", "status": "True", "message": "2 indexes"}]));
        assert_eq!(finished(&failed).as_deref(), Some("failed: 2 indexes"));
        let complete = job(json!([{"type": "Complete", "status": "True"}]));
        assert_eq!(finished(&complete).as_deref(), Some("complete"));
    }
}
