//! What is particular to a StatefulSet that goes back: its pods are replaced in an order, and a broken one stops that.
//!
//! With the pod management policy `OrderedReady` the controller looks at a pod only once all pods of lower ordinals are
//! ready, and at the update only once all pods are. A pod of the bad release that never becomes ready is therefore not
//! replaced, whatever the template says by now: the undo alone does not get through (kubernetes#67250). Such a pod must
//! be deleted. It serves nobody, so nothing is lost by that.

use std::fmt;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};

use super::concurrent::{changed, stop};
use super::context::{Context, Stop, Success};
use super::obstacle::stuck;
use super::owners::{Good, good_pods, revision_of};
use super::undo::read;
use crate::kubernetes::{Workload, is_live, is_over, is_status, ordinal_of, owner_uid};
use crate::planner::ServicePlan;

/// How long until the next look.
const LOOK: Duration = Duration::from_secs(1);

/// Refuses a StatefulSet whose pods take up a template only when somebody deletes them, as `kubectl rollout status`
/// does.
pub(super) fn on_delete(workload: &Workload) -> Result<(), Stop> {
    if !workload.ordinals().is_some_and(|it| it.on_delete) {
        return Ok(());
    }
    Err(Stop::Failed(format!(
        "{}: rollout status is only available for RollingUpdate strategy type, and the update strategy is OnDelete",
        workload.name()
    )))
}

/// Why no rollout replaces all pods: a partition keeps those of lower ordinals as they are.
pub(super) fn kept_by_partition(workload: &Workload, good: &Good, pods: &[Pod]) -> Option<String> {
    let first = workload.ordinals()?.first_updated;
    let kept = pods.iter().filter(|pod| is_live(pod) && !good.has(pod));
    let mut kept = kept.filter(|pod| ordinal_of(&pod.name_any()).is_some_and(|at| at < first));
    let pod = kept.next()?.name_any();
    Some(format!(
        "{}: the partition of its update strategy keeps {pod} at another revision: set the partition to 0",
        workload.name()
    ))
}

/// A pod of another revision that is not ready, where a rollout waits for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocked<'a> {
    /// The pod with the lowest ordinal.
    pub(super) pod: &'a Pod,
}

impl<'a> Blocked<'a> {
    /// The pod that the rollout waits for, if it waits for one that it is to replace.
    pub(super) fn find(workload: &Workload, good: &Good, pods: &'a [Pod]) -> Option<Self> {
        if !workload.ordinals()?.ordered {
            return None;
        }
        let broken = pods
            .iter()
            .filter(|pod| is_live(pod) && !good.has(pod) && !is_ready(pod));
        let pod = broken.min_by_key(|pod| ordinal_of(&pod.name_any()))?;
        Some(Self { pod })
    }
}

impl fmt::Display for Blocked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pod = self.pod.name_any();
        write!(
            f,
            "the rollout waits for {pod}, which is of {} and not ready, and is to be replaced by it (OrderedReady, \
             kubernetes#67250): delete it by `kubectl delete pod {pod}`",
            revision_of(self.pod).unwrap_or("another revision")
        )
    }
}

fn is_ready(pod: &Pod) -> bool {
    let mut conditions = pod
        .status
        .iter()
        .flat_map(|it| it.conditions.iter().flatten());
    conditions.any(|it| it.type_ == "Ready" && it.status == "True")
}

/// Deletes the broken pods of what is taken back, one at a time, until none of its pods is left.
pub(super) async fn delete_broken(context: &Context<'_>) -> Result<Success, Stop> {
    let mut parts = Vec::new();
    for service in context.services() {
        parts.push(delete_broken_of(context, service).await?);
    }
    Ok(Success::join(parts))
}

/// What is to be done next.
enum Next<'a> {
    /// No pod of what is taken back is left.
    Over,
    /// This pod is to be deleted.
    Delete(&'a Pod),
    /// Something else comes first.
    Wait(String),
}

async fn delete_broken_of(context: &Context<'_>, service: &ServicePlan) -> Result<Success, Stop> {
    let name = &service.service;
    let mut deleted = Vec::new();
    loop {
        let workload = read(context, service).await?;
        on_delete(&workload)?;
        // Where somebody deployed another template meanwhile, the controller would make the pod anew by that.
        if let Some((what, why)) = changed(service, &workload) {
            return Err(stop(service, what, why));
        }
        let good = good_pods(context, service).await?;
        let pods = context
            .cluster
            .list_pods(&service.selector, &context.budget)
            .await?;
        if let Some(what) = kept_by_partition(&workload, &good, &pods) {
            return Err(Stop::Failed(what));
        }
        let why = match next(service, &workload, &good, &pods) {
            Next::Over if deleted.is_empty() => {
                let text = format!("{name}: no pod of the release that is taken back is left");
                return Ok(Success::already(text));
            }
            Next::Over => {
                let text = format!("{name}: deleted {}", deleted.join(", "));
                return Ok(Success::done(text));
            }
            Next::Delete(pod) => {
                let pod_name = pod.name_any();
                delete(context, pod).await?;
                let why = format!("{name}: deleted {pod_name}");
                deleted.push(pod_name);
                why
            }
            Next::Wait(why) => why,
        };
        context.wait(&why, LOOK).await?;
    }
}

/// Which pod is deleted now: one of what is taken back that is not ready, the lowest ordinal first, if nothing else is
/// under way. Pure.
fn next<'a>(service: &ServicePlan, workload: &Workload, good: &Good, pods: &'a [Pod]) -> Next<'a> {
    let name = &service.service;
    let of_service = |pod: &&Pod| owner_uid(&pod.metadata) == Some(&service.uid) && !is_over(pod);
    let of_service: Vec<&Pod> = pods.iter().filter(of_service).collect();
    let mut left = of_service.iter().filter(|pod| !good.has(pod));
    let Some(first) = left.next() else {
        return Next::Over;
    };
    if workload.is_unobserved() {
        return Next::Wait(format!("{name}: its new template is not observed yet"));
    }
    if let Some(pod) = of_service.iter().find(|pod| !is_live(pod)) {
        return Next::Wait(format!("{name}: {} is about to end", pod.name_any()));
    }
    if let Some(pod) = of_service
        .iter()
        .find(|pod| good.has(pod) && !is_ready(pod))
    {
        let why = stuck(pod).map_or_else(String::new, |why| format!(": {}", why.what));
        return Next::Wait(format!("{name}: {} is not ready yet{why}", pod.name_any()));
    }
    let taken_back = |pod: &&&Pod| {
        revision_of(pod).is_some_and(|of| service.taken_back.iter().any(|name| name == of))
    };
    let broken = of_service
        .iter()
        .filter(|pod| !good.has(pod) && !is_ready(pod));
    let broken: Vec<&&Pod> = broken.collect();
    let of_these = broken.iter().copied().filter(taken_back);
    match of_these.min_by_key(|pod| ordinal_of(&pod.name_any())) {
        Some(pod) => Next::Delete(pod),
        None => match broken.first() {
            Some(pod) => Next::Wait(format!(
                "{name}: {} is not ready and is of {}, which is not what this rollback takes back: a person must \
                 decide whether to delete it",
                pod.name_any(),
                revision_of(pod).unwrap_or("no revision")
            )),
            None => Next::Wait(format!("{name}: {} is to be replaced", first.name_any())),
        },
    }
}

/// Deletes this very pod; another one of its name stays.
async fn delete(context: &Context<'_>, pod: &Pod) -> Result<(), Stop> {
    let name = pod.name_any();
    let api = context.cluster.pods();
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: pod.metadata.uid.clone(),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    let send = || async {
        match api.delete(&name, &params).await {
            // It is gone, or another one has its name: an earlier attempt took effect, or the controller was faster.
            Err(error) if is_status(&error, 404) || is_status(&error, 409) => Ok(()),
            answer => answer.map(|_| ()),
        }
    };
    let what = format!("delete pod {name}");
    context.cluster.call(&what, &context.budget, send).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::StatefulSet;
    use k8s_openapi::api::core::v1::Pod;
    use kube::ResourceExt;
    use serde_json::{Value, json};

    use super::{Blocked, Good, Next, kept_by_partition, next, on_delete};
    use crate::kubernetes::Workload;
    use crate::planner::ServicePlan;
    use crate::steps::fixtures::service;
    use crate::workload::WorkloadKind;

    fn queue() -> ServicePlan {
        ServicePlan {
            service: "queue".to_owned(),
            kind: WorkloadKind::StatefulSet,
            taken_back: vec!["queue-bad".to_owned()],
            ..service()
        }
    }

    fn stateful(change: impl FnOnce(&mut Value)) -> Workload {
        let mut object = json!({
            "metadata": { "name": "queue", "uid": "u" },
            "spec": { "serviceName": "queue", "selector": {}, "replicas": 3, "template": {} },
        });
        change(&mut object["spec"]);
        let typed: StatefulSet = serde_json::from_value(object).expect("a StatefulSet");
        typed.into()
    }

    /// A pod of the StatefulSet: ready (`+`), not ready (`-`) or about to end (`x`).
    fn pod(name: &str, revision: &str, state: char) -> Pod {
        let ending = (state == 'x').then_some("2026-01-01T00:00:00Z");
        let ready = if state == '+' { "True" } else { "False" };
        serde_json::from_value(json!({
            "metadata": { "name": name, "deletionTimestamp": ending,
                "labels": { "controller-revision-hash": revision },
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "queue", "uid": "u",
                    "controller": true }] },
            "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": ready }] },
        }))
        .expect("a pod")
    }

    fn good() -> Good {
        Good::of_revisions("u", ["queue-good".to_owned()])
    }

    /// What is done next with these pods, by ordinal.
    fn said(pods: [(&str, char); 3]) -> String {
        let pods: Vec<Pod> = pods
            .iter()
            .enumerate()
            .map(|(at, (revision, state))| pod(&format!("queue-{at}"), revision, *state))
            .collect();
        match next(&queue(), &stateful(|_| {}), &good(), &pods) {
            Next::Over => "over".to_owned(),
            Next::Delete(pod) => format!("delete {}", pod.name_any()),
            Next::Wait(why) => why,
        }
    }

    #[test]
    fn broken_pods_of_what_is_taken_back_are_deleted_one_at_a_time() {
        let (good, bad) = ("queue-good", "queue-bad");
        assert_eq!(said([(good, '+'), (good, '+'), (good, '+')]), "over");
        assert_eq!(
            said([(good, '+'), (good, '+'), (bad, '-')]),
            "delete queue-2"
        );
        assert_eq!(
            said([(bad, '-'), (good, '+'), (bad, '-')]),
            "delete queue-0"
        );
        let wait = "queue: queue-1 is not ready yet";
        assert_eq!(said([(bad, '-'), (good, '-'), (bad, '-')]), wait);
        let wait = "queue: queue-2 is about to end";
        assert_eq!(said([(bad, '-'), (good, '+'), (bad, 'x')]), wait);
    }

    #[test]
    fn why_a_pod_of_the_prior_release_is_not_ready_is_told() {
        let mut crashes = pod("queue-0", "queue-good", '-');
        let status = json!({ "containerStatuses": [{ "name": "queue", "image": "queue:1", "imageID": "", "ready": false,
            "restartCount": 3, "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 40s" } } }] });
        crashes.status = serde_json::from_value(status).ok();
        let pods = [crashes, pod("queue-1", "queue-bad", '+')];
        let Next::Wait(why) = next(&queue(), &stateful(|_| {}), &good(), &pods) else {
            panic!("it waits for queue-0");
        };
        assert_eq!(
            why,
            "queue: queue-0 is not ready yet: CrashLoopBackOff back-off 40s"
        );
    }

    #[test]
    fn a_pod_that_serves_and_one_of_another_revision_are_left_alone() {
        let (good, bad, other) = ("queue-good", "queue-bad", "queue-other");
        let wait = "queue: queue-0 is to be replaced";
        assert_eq!(said([(bad, '+'), (good, '+'), (good, '+')]), wait);
        let told = said([(good, '+'), (good, '+'), (other, '-')]);
        assert!(
            told.contains("queue-2 is not ready and is of queue-other"),
            "{told}"
        );
        assert!(told.contains("a person must decide"), "{told}");
    }

    #[test]
    fn only_an_ordered_rollout_waits_for_a_broken_pod() {
        let pods = [
            pod("queue-0", "queue-good", '+'),
            pod("queue-1", "queue-bad", '-'),
        ];
        let ordered = stateful(|_| {});
        let told = Blocked::find(&ordered, &good(), &pods).map(|it| it.to_string());
        assert!(told.is_some_and(|it| it.contains("kubectl delete pod queue-1")));
        let parallel = stateful(|spec| spec["podManagementPolicy"] = json!("Parallel"));
        assert!(Blocked::find(&parallel, &good(), &pods).is_none());
        let starting = [pod("queue-1", "queue-good", '-')];
        assert!(Blocked::find(&ordered, &good(), &starting).is_none());
    }

    #[test]
    fn what_no_rollout_replaces_is_not_waited_for() {
        let pods = [
            pod("queue-0", "queue-bad", '+'),
            pod("queue-1", "queue-good", '+'),
        ];
        assert_eq!(kept_by_partition(&stateful(|_| {}), &good(), &pods), None);
        let partition = stateful(|spec| {
            spec["updateStrategy"] =
                json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
        });
        let told = kept_by_partition(&partition, &good(), &pods);
        assert!(told.is_some_and(|it| it.contains("keeps queue-0")));
        assert!(on_delete(&partition).is_ok());
        let on_deletion = stateful(|spec| spec["updateStrategy"] = json!({"type": "OnDelete"}));
        assert!(on_delete(&on_deletion).is_err());
    }
}
