//! Rollout status by counts. Conditions lie: `ProgressDeadlineExceeded` survives a good undo, `NewReplicaSetAvailable`
//! hides a stuck one, and the progress deadline is longer than the recovery time objective.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams, WatchParams};

use super::concurrent::{changed, stop};
use super::context::{Context, Stop, Success};
use super::obstacle::{Obstacle, TROUBLE, stuck};
use super::ordered::{Blocked, kept_by_partition, on_delete};
use super::owners::{Good, good_pods};
use super::undo::{digest_of_set, owned_sets, read};
use crate::kubernetes::{Kept, Next, Watcher, Workload, is_over, timestamp};
use crate::planner::ServicePlan;
use crate::workload::WorkloadKind;

/// How long to go without news before looking for oneself.
const QUIET: Duration = Duration::from_secs(3);
/// What a rollout that is complete by counts still waits for, in the words of
/// [`Event::StepWaiting`](crate::Event::StepWaiting): here `kubectl rollout status` ends.
pub const WAITS_FOR_OLD_PODS: &str = "waiting for old pods to end: ";
/// How long a rollout must wait for a pod of another revision that is not ready: one that is only slow to start becomes
/// ready meanwhile.
const BLOCKED: SignedDuration = SignedDuration::from_secs(20);
/// From a pod's `deletionTimestamp` to the end of its object: the timestamp leaves out the fraction of its second, then
/// the kubelet kills the container, tears the pod down and says so, which took up to 2 s.
const KILL: SignedDuration = SignedDuration::from_secs(3);

/// Waits until the services are rolled out and the old pods are gone.
pub(super) async fn status(context: &Context<'_>) -> Result<Success, Stop> {
    let mut parts = Vec::new();
    for service in context.services() {
        let gone = loop {
            match service.kind {
                WorkloadKind::Deployment => {
                    rolled_out(context, service, context.cluster.deployments()).await?;
                }
                WorkloadKind::StatefulSet => {
                    rolled_out(context, service, context.cluster.stateful_sets()).await?;
                }
            }
            let gone = old_pods_gone(context, service).await?;
            // Somebody may have changed it while its last old pods ended.
            if missing(service, &read(context, service).await?)?.is_none() {
                break gone;
            }
        };
        parts.push(Success::done(format!(
            "{}: rolled out, {gone}",
            service.service
        )));
    }
    Ok(Success::join(parts))
}

async fn rolled_out<K: Kept>(
    context: &Context<'_>,
    service: &ServicePlan,
    api: Api<K>,
) -> Result<(), Stop> {
    let mut workload = read(context, service).await?;
    on_delete(&workload)?;
    let params = WatchParams::default().fields(&format!("metadata.name={}", service.service));
    let mut watcher = Watcher::new(
        context.cluster,
        &context.budget,
        api,
        params,
        version_of(&workload),
    );
    let mut trouble = Trouble::default();
    let mut looked_at = context.ports.clock.now();
    loop {
        let Some(why) = missing(service, &workload)? else {
            return Ok(());
        };
        context.waiting(&why);
        context.in_time(&trouble.with(&why))?;
        match watcher.next(QUIET.min(context.left())).await {
            Next::Changed(changed) => workload = changed.into(),
            Next::Deleted(_) => {
                return Err(Stop::Failed(format!(
                    "{} {} was deleted",
                    service.kind.word(),
                    service.service
                )));
            }
            Next::Quiet => {}
            Next::Relist => {
                workload = read(context, service).await?;
                watcher.restart(version_of(&workload));
            }
        }
        let now = context.ports.clock.now();
        if now.duration_since(looked_at) >= SignedDuration::from_secs(3) {
            looked_at = now;
            // A watch may be dead without a word, and a pod that can't start changes nothing in the workload.
            workload = read(context, service).await?;
            trouble.look(now, look(context, service, &workload).await?)?;
        }
    }
}

fn version_of(workload: &Workload) -> String {
    workload
        .metadata()
        .resource_version
        .clone()
        .unwrap_or_default()
}

/// What keeps the rollout from going on.
async fn look(
    context: &Context<'_>,
    service: &ServicePlan,
    workload: &Workload,
) -> Result<Option<Obstacle>, Stop> {
    let (sets, good) = match service.kind {
        WorkloadKind::Deployment => {
            let sets = owned_sets(context.cluster, context, service).await?;
            let good = Good::of_sets(service, &sets);
            (sets, good)
        }
        WorkloadKind::StatefulSet => (Vec::new(), good_pods(context, service).await?),
    };
    let pods = context
        .cluster
        .list_pods(&service.selector, &context.budget)
        .await?;
    if let Some(what) = kept_by_partition(workload, &good, &pods) {
        return Err(Stop::Failed(what));
    }
    Ok(match Blocked::find(workload, &good, &pods) {
        Some(blocked) => Some(Obstacle {
            believed_after: Some(if stuck(blocked.pod).is_some() {
                TROUBLE
            } else {
                BLOCKED
            }),
            what: blocked.to_string(),
            of_old: false,
        }),
        None => in_trouble(service, &sets, &good, &pods),
    })
}

/// What is missing from a complete rollout, by counts (`pkg/polymorphichelpers/rollout_status.go`), or `None`.
fn missing(service: &ServicePlan, workload: &Workload) -> Result<Option<String>, Stop> {
    let name = &service.service;
    let wanted = workload.replicas();
    if let Some((what, why)) = changed(service, workload) {
        return Err(stop(service, what, why));
    }
    if workload.is_unobserved() {
        return Ok(Some(format!(
            "{name}: its new template is not observed yet"
        )));
    }
    let counts = workload.counts();
    let updated = counts.updated;
    if updated < wanted {
        return Ok(Some(format!(
            "{name}: {updated} of {wanted} replicas updated"
        )));
    }
    let replicas = counts.replicas;
    if replicas > updated {
        return Ok(Some(format!(
            "{name}: {} old replicas left",
            replicas - updated
        )));
    }
    let available = counts.available;
    if available < updated {
        return Ok(Some(format!(
            "{name}: {available} of {updated} replicas available"
        )));
    }
    if !workload.is_of_one_revision() {
        return Ok(Some(format!(
            "{name}: its controller has not said yet that all pods are of one revision"
        )));
    }
    Ok(None)
}

/// Terminating pods of the bad release may still answer on open connections: they must be gone.
async fn old_pods_gone(context: &Context<'_>, service: &ServicePlan) -> Result<String, Stop> {
    let good = good_pods(context, service).await?;
    let api = context.cluster.pods();
    let list = ListParams::default().labels(&service.selector);
    let mut watcher: Option<Watcher<Pod>> = None;
    loop {
        let found = context
            .cluster
            .call("list pods", &context.budget, || api.list(&list))
            .await?;
        let old = left_of(&found.items, &good);
        if let Some(until) = killed_by(&old) {
            context.budget.announced(until);
        }
        let mut old: Vec<String> = old.into_iter().map(ResourceExt::name_any).collect();
        let version = found.metadata.resource_version.unwrap_or_default();
        let watcher = match &mut watcher {
            Some(watcher) => {
                watcher.restart(version);
                watcher
            }
            None => {
                let params = WatchParams::default().labels(&service.selector);
                let (cluster, budget) = (context.cluster, &context.budget);
                watcher.insert(Watcher::new(cluster, budget, api.clone(), params, version))
            }
        };
        let mut heard_at = context.ports.clock.now();
        while !old.is_empty() {
            let why = format!(
                "{}: {WAITS_FOR_OLD_PODS}{}",
                service.service,
                old.join(", ")
            );
            context.waiting(&why);
            context.in_time(&why)?;
            match watcher.next(QUIET.min(context.left())).await {
                Next::Deleted(pod) => old.retain(|name| *name != pod.name_any()),
                // It is over, and may stay for good.
                Next::Changed(pod) if is_over(&pod) => old.retain(|name| *name != pod.name_any()),
                Next::Changed(_) => {}
                Next::Relist => break,
                Next::Quiet => {
                    let quiet = context.ports.clock.now().duration_since(heard_at);
                    if quiet >= SignedDuration::from_secs(6) {
                        break;
                    }
                    continue;
                }
            }
            heard_at = context.ports.clock.now();
        }
        if old.is_empty() {
            return Ok("no pod of another release is left".to_owned());
        }
    }
}

/// Pods that are not `good` and in which something may still run.
fn left_of<'a>(pods: &'a [Pod], good: &Good) -> Vec<&'a Pod> {
    let left = pods.iter().filter(|pod| !good.has(pod) && !is_over(pod));
    left.collect()
}

/// When the last of `pods` will have been killed, if all of them are on their way out.
fn killed_by(pods: &[&Pod]) -> Option<Timestamp> {
    let until = |pod: &&Pod| pod.metadata.deletion_timestamp.as_ref().map(timestamp);
    let ends: Option<Vec<Timestamp>> = pods.iter().map(until).collect();
    Some(ends?.into_iter().max()? + KILL)
}

/// What has kept pods of the old release from starting, and since when.
#[derive(Default)]
struct Trouble {
    since: Option<(Timestamp, Obstacle)>,
}

impl Trouble {
    fn look(&mut self, now: Timestamp, found: Option<Obstacle>) -> Result<(), Stop> {
        match (found, &mut self.since) {
            (None, _) => self.since = None,
            (Some(found), Some((since, known))) => {
                let lasted = now.duration_since(*since);
                if found.believed_after.is_some_and(|after| lasted >= after) {
                    return Err(Stop::Failed(found.to_string()));
                }
                *known = found;
            }
            (Some(found), None) => self.since = Some((now, found)),
        }
        Ok(())
    }

    /// What is waited for, with what keeps it from coming.
    fn with(&self, why: &str) -> String {
        match &self.since {
            Some((_, obstacle)) => format!("{why}; {obstacle}"),
            None => why.to_owned(),
        }
    }
}

/// What keeps pods from starting: creation refused, image missing, configuration missing, crash after crash, no room.
fn in_trouble(
    service: &ServicePlan,
    sets: &[ReplicaSet],
    good: &Good,
    pods: &[Pod],
) -> Option<Obstacle> {
    let recorded = |set: &&ReplicaSet| digest_of_set(set) == service.template_digest;
    for set in sets.iter().filter(recorded) {
        let conditions = set
            .status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten());
        for condition in conditions {
            if condition.type_ == "ReplicaFailure" && condition.status == "True" {
                let message = condition.message.clone().unwrap_or_default();
                return Some(Obstacle::passing(format!("{}: {message}", set.name_any())));
            }
        }
    }
    pods.iter().filter(|pod| good.has(pod)).find_map(|pod| {
        let obstacle = stuck(pod)?;
        let what = format!("{}: {}", pod.name_any(), obstacle.what);
        Some(Obstacle { what, ..obstacle })
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use kube::ResourceExt;
    use serde_json::json;

    use super::{Good, left_of};

    fn pod(name: &str, owner: &str, phase: &str) -> Pod {
        let pod = json!({
            "metadata": { "name": name, "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": true,
            }] },
            "status": { "phase": phase },
        });
        serde_json::from_value(pod).unwrap_or_default()
    }

    #[test]
    fn pods_that_are_over_are_not_waited_for() {
        let pods = [
            pod("good", "good", "Running"),
            pod("bad", "bad", "Running"),
            pod("evicted", "bad", "Failed"),
            pod("ended", "bad", "Succeeded"),
            pod("beginning", "bad", "Pending"),
        ];
        let left = left_of(&pods, &Good::of_owners(["good".to_owned()]));
        let left: Vec<String> = left.into_iter().map(ResourceExt::name_any).collect();
        assert_eq!(left, ["bad", "beginning"]);
    }
}
