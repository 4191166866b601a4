//! Jobs, disruption budgets, evictions, and what becomes of objects whose owner goes.

use serde_json::{Value, json};

use super::compare::{holds, same, with};
use super::ground::Answer;
use super::objects::*;
use super::paths::{HOLD, MAPS, PODS};
use super::pods::{ended, items, name, ready};
use super::table::behaviour;
use super::{Behaviour, Ground};

pub(super) const TABLE: &[Behaviour] = &[
    behaviour!(
        a_job_makes_a_pod_that_it_holds,
        "pkg/controller/job/job_controller.go manageJob"
    ),
    behaviour!(
        a_job_counts_its_active_pods,
        "pkg/controller/job/job_controller.go syncJob"
    ),
    behaviour!(
        a_job_is_complete_with_its_pod,
        "pkg/controller/job/job_controller.go enactJobFinished"
    ),
    behaviour!(
        a_job_fails_with_its_last_try,
        "pkg/controller/job/job_controller.go syncJob"
    ),
    behaviour!(
        a_suspended_job_has_no_pods,
        "pkg/controller/job/job_controller.go syncJob"
    ),
    behaviour!(
        a_job_that_goes_on_begins,
        "pkg/controller/job/job_controller.go syncJob"
    ),
    behaviour!(
        a_finished_job_expires,
        "pkg/controller/ttlafterfinished/ttlafterfinished_controller.go processJob"
    ),
    behaviour!(
        a_budget_counts_healthy_pods,
        "pkg/controller/disruption/disruption.go updatePdbStatus"
    ),
    behaviour!(
        a_share_of_pods_is_rounded_up,
        "pkg/controller/disruption/disruption.go getExpectedPodCount"
    ),
    behaviour!(
        an_eviction_without_a_budget_is_done,
        "pkg/registry/core/pod/storage/eviction.go Create"
    ),
    behaviour!(
        a_dry_run_evicts_nothing,
        "pkg/registry/core/pod/storage/eviction.go propagateDryRun"
    ),
    behaviour!(
        an_eviction_needs_its_pod,
        "pkg/registry/core/pod/storage/eviction.go Create"
    ),
    behaviour!(
        an_eviction_names_the_pod_of_its_url,
        "pkg/registry/core/pod/storage/eviction.go Create"
    ),
    behaviour!(
        a_budget_holds_up_an_eviction,
        "pkg/registry/core/pod/storage/eviction.go checkAndDecrement"
    ),
    behaviour!(
        a_budget_lets_as_many_go_as_it_can_spare,
        "pkg/registry/core/pod/storage/eviction.go checkAndDecrement"
    ),
    behaviour!(
        a_budget_does_not_hold_a_pending_pod,
        "pkg/registry/core/pod/storage/eviction.go canIgnorePDB"
    ),
    behaviour!(
        two_budgets_are_too_many,
        "pkg/registry/core/pod/storage/eviction.go Create"
    ),
    behaviour!(
        a_deletion_asks_no_budget,
        "pkg/registry/core/pod/storage/eviction.go"
    ),
    behaviour!(
        dependents_go_after_their_owner,
        "pkg/controller/garbagecollector/garbagecollector.go attemptToDeleteItem"
    ),
    behaviour!(
        orphans_stay_without_an_owner,
        "pkg/controller/garbagecollector/garbagecollector.go orphanDependents"
    ),
    behaviour!(
        an_owner_in_the_foreground_goes_last,
        "pkg/controller/garbagecollector/garbagecollector.go processDeletingDependentsItem"
    ),
    behaviour!(
        a_dependent_that_does_not_block_is_not_waited_for,
        "pkg/controller/garbagecollector/graph.go blockingDependents"
    ),
    behaviour!(
        a_dependent_of_two_owners_outlives_one,
        "pkg/controller/garbagecollector/garbagecollector.go attemptToDeleteItem"
    ),
    behaviour!(
        a_deployment_goes_with_all_that_it_made,
        "pkg/controller/garbagecollector/garbagecollector.go attemptToDeleteItem"
    ),
    behaviour!(
        the_replica_sets_of_a_deployment_may_stay,
        "pkg/controller/garbagecollector/garbagecollector.go orphanDependents"
    ),
    behaviour!(
        a_namespace_goes_with_all_that_is_in_it,
        "pkg/controller/namespace/deletion/namespaced_resources_deleter.go Delete"
    ),
];

const JOBS: &str = "batch/v1/jobs";
const JOB: &str = "batch/v1/jobs/a";
const BUDGETS: &str = "policy/v1/poddisruptionbudgets";
const BUDGET: &str = "policy/v1/poddisruptionbudgets/a";

/// The one pod that there is.
async fn only_pod(on: &Ground) -> Result<Value, String> {
    let mut pods = on.count(PODS, 1).await?;
    pods.pop().ok_or_else(|| "no pod".to_owned())
}

async fn a_job_makes_a_pod_that_it_holds(on: Ground) -> Result<(), String> {
    let job = on.make(JOBS, &job("a")).await?;
    let pod = only_pod(&on).await?;
    let labels = json!({"job-name": "a", "batch.kubernetes.io/job-name": "a"});
    let owner =
        json!({"kind": "Job", "name": "a", "uid": job["metadata"]["uid"], "controller": true});
    let metadata = json!({
        "generateName": "a-", "labels": labels, "ownerReferences": [owner],
        "finalizers": ["batch.kubernetes.io/job-tracking"],
    });
    same(&pod["metadata"], &metadata)
}

async fn a_job_counts_its_active_pods(on: Ground) -> Result<(), String> {
    let two = json!({"spec": {"parallelism": 2, "completions": 5}});
    on.make(JOBS, &with(job("a"), two)).await?;
    let counts = json!({"status": {"active": 2, "succeeded": null, "failed": null}});
    let counted = on.until(JOB, &counts).await?;
    let begun = counted["status"]["startTime"].is_string();
    holds(begun, "when it began", &counted)
}

/// Whether a Job has all these conditions.
fn has(job: &Value, wanted: &[&str]) -> bool {
    let all = job["status"]["conditions"].as_array();
    let all: Vec<&str> = all
        .into_iter()
        .flatten()
        .filter(|it| it["status"] == "True")
        .filter_map(|it| it["type"].as_str())
        .collect();
    wanted.iter().all(|it| all.contains(it))
}

async fn a_job_is_complete_with_its_pod(on: Ground) -> Result<(), String> {
    on.make(JOBS, &job("a")).await?;
    let pod = only_pod(&on).await?;
    ended(&on, name(&pod), "Succeeded").await?;
    let complete = |it: &Value| has(it, &["SuccessCriteriaMet", "Complete"]);
    let job = on.wait(JOB, "that it is complete", complete).await?;
    same(&job["status"], &json!({"succeeded": 1, "active": null}))?;
    let at = job["status"]["completionTime"].is_string();
    holds(at, "when it was complete", &job)?;
    // The pod stays, and nothing holds it.
    let free = json!({"metadata": {"finalizers": null}});
    on.until(&format!("{PODS}/{}", name(&pod)), &free)
        .await
        .map(drop)
}

async fn a_job_fails_with_its_last_try(on: Ground) -> Result<(), String> {
    on.make(JOBS, &with(job("a"), json!({"spec": {"backoffLimit": 0}})))
        .await?;
    let pod = only_pod(&on).await?;
    ended(&on, name(&pod), "Failed").await?;
    let failed = |it: &Value| has(it, &["FailureTarget", "Failed"]);
    let job = on.wait(JOB, "that it failed", failed).await?;
    same(
        &job["status"],
        &json!({"failed": 1, "completionTime": null}),
    )?;
    let conditions = job["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    let why = conditions.any(|it| it["type"] == "Failed" && it["reason"] == "BackoffLimitExceeded");
    holds(why, "the reason", &job["status"])
}

fn suspended(holds: bool) -> Value {
    json!({"spec": {"suspend": holds}})
}

async fn a_suspended_job_has_no_pods(on: Ground) -> Result<(), String> {
    on.make(JOBS, &with(job("a"), suspended(true))).await?;
    let job = on
        .wait(JOB, "that it is suspended", |it| has(it, &["Suspended"]))
        .await?;
    same(&job["status"], &json!({"startTime": null, "active": null}))?;
    on.count(PODS, 0).await.map(drop)
}

async fn a_job_that_goes_on_begins(on: Ground) -> Result<(), String> {
    on.make(JOBS, &with(job("a"), suspended(true))).await?;
    on.wait(JOB, "that it is suspended", |it| has(it, &["Suspended"]))
        .await?;
    on.change(JOB, &suspended(false)).await?;
    only_pod(&on).await?;
    on.wait(JOB, "that it began", |it| {
        it["status"]["startTime"].is_string() && !has(it, &["Suspended"])
    })
    .await
    .map(drop)
}

async fn a_finished_job_expires(on: Ground) -> Result<(), String> {
    let soon = json!({"spec": {"ttlSecondsAfterFinished": 0}});
    on.make(JOBS, &with(job("a"), soon)).await?;
    let pod = only_pod(&on).await?;
    ended(&on, name(&pod), "Succeeded").await?;
    on.gone(JOB).await
}

/// Two pods of the label `app=a` that are ready.
async fn two_ready(on: &Ground) -> Result<(), String> {
    for name in ["one", "two"] {
        let labels = json!({"metadata": {"name": name}});
        on.make(PODS, &with(pod("a"), labels)).await?;
        ready(on, name).await?;
    }
    Ok(())
}

async fn a_budget_counts_healthy_pods(on: Ground) -> Result<(), String> {
    two_ready(&on).await?;
    on.make(BUDGETS, &budget("a", json!({"minAvailable": 1})))
        .await?;
    let status = json!({
        "observedGeneration": 1, "expectedPods": 2, "currentHealthy": 2, "desiredHealthy": 1,
        "disruptionsAllowed": 1,
        "conditions": [{"type": "DisruptionAllowed", "status": "True", "reason": "SufficientPods"}],
    });
    on.until(BUDGET, &json!({"status": status})).await.map(drop)
}

async fn a_share_of_pods_is_rounded_up(on: Ground) -> Result<(), String> {
    on.make("apps/v1/replicasets", &replica_set("a", 3)).await?;
    for pod in on.count(PODS, 3).await? {
        ready(&on, name(&pod)).await?;
    }
    on.make(BUDGETS, &budget("a", json!({"maxUnavailable": "50%"})))
        .await?;
    let status = json!({
        "expectedPods": 3, "currentHealthy": 3, "desiredHealthy": 1, "disruptionsAllowed": 2,
    });
    on.until(BUDGET, &json!({"status": status})).await.map(drop)
}

/// Asks for the eviction of a pod, with a query.
async fn evict(on: &Ground, pod: &str, named: &str, query: &str) -> Result<Answer, String> {
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": {"name": named, "namespace": on.namespace()},
    });
    let path = format!("{PODS}/{pod}/eviction{query}");
    on.post(&path, &eviction).await
}

/// A budget that can spare so many of two ready pods.
async fn sparing(on: &Ground, least: u32, spare: u32) -> Result<(), String> {
    two_ready(on).await?;
    on.make(BUDGETS, &budget("a", json!({"minAvailable": least})))
        .await?;
    let status = json!({"currentHealthy": 2, "disruptionsAllowed": spare});
    on.until(BUDGET, &json!({"status": status})).await.map(drop)
}

async fn an_eviction_without_a_budget_is_done(on: Ground) -> Result<(), String> {
    two_ready(&on).await?;
    let done = evict(&on, "one", "one", "").await?.with(201)?;
    same(&done, &json!({"kind": "Status", "status": "Success"}))?;
    on.gone("v1/pods/one").await
}

async fn a_dry_run_evicts_nothing(on: Ground) -> Result<(), String> {
    two_ready(&on).await?;
    evict(&on, "one", "one", "?dryRun=All").await?.with(201)?;
    on.read("v1/pods/one").await.map(drop)
}

async fn an_eviction_needs_its_pod(on: Ground) -> Result<(), String> {
    let answer = evict(&on, "nobody", "nobody", "").await?;
    answer.refuses(404, "NotFound", "pods \"nobody\" not found")
}

async fn an_eviction_names_the_pod_of_its_url(on: Ground) -> Result<(), String> {
    two_ready(&on).await?;
    let answer = evict(&on, "one", "two", "").await?;
    let part = "name in URL does not match name in Eviction object";
    answer.refuses_saying(400, "BadRequest", part)
}

async fn a_budget_holds_up_an_eviction(on: Ground) -> Result<(), String> {
    sparing(&on, 2, 0).await?;
    let answer = evict(&on, "one", "one", "").await?;
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    answer.refuses(429, "TooManyRequests", message)?;
    let cause = json!({
        "reason": "DisruptionBudget",
        "message": "The disruption budget a needs 2 healthy pods and has 2 currently",
    });
    same(&answer.body["details"], &json!({"causes": [cause]}))?;
    on.read("v1/pods/one").await.map(drop)
}

async fn a_budget_lets_as_many_go_as_it_can_spare(on: Ground) -> Result<(), String> {
    sparing(&on, 1, 1).await?;
    evict(&on, "one", "one", "").await?.with(201)?;
    let answer = evict(&on, "two", "two", "").await?;
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    answer.refuses(429, "TooManyRequests", message)
}

async fn a_budget_does_not_hold_a_pending_pod(on: Ground) -> Result<(), String> {
    sparing(&on, 2, 0).await?;
    let third = json!({"metadata": {"name": "three"}});
    on.make(PODS, &with(pod("a"), third)).await?;
    evict(&on, "three", "three", "").await?.with(201)?;
    on.gone("v1/pods/three").await
}

async fn two_budgets_are_too_many(on: Ground) -> Result<(), String> {
    sparing(&on, 1, 1).await?;
    let other = json!({"metadata": {"name": "b"}});
    let other = with(budget("a", json!({"minAvailable": 1})), other);
    on.make(BUDGETS, &other).await?;
    let refused = evict(&on, "one", "one", "").await?.with(500)?;
    let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    same(
        &refused,
        &json!({"status": "Failure", "message": message, "reason": null}),
    )
}

async fn a_deletion_asks_no_budget(on: Ground) -> Result<(), String> {
    sparing(&on, 2, 0).await?;
    on.delete("v1/pods/one").await?.with(200).map(drop)
}

/// What makes an object depend on these.
fn owned_by(owners: &[&Value], block: bool) -> Value {
    let owners: Vec<Value> = owners
        .iter()
        .map(|owner| {
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "name": name(owner),
                "uid": owner["metadata"]["uid"], "blockOwnerDeletion": block,
            })
        })
        .collect();
    json!({"metadata": {"ownerReferences": owners}})
}

/// A ConfigMap `a`, and another one, `b`, that it owns.
async fn owner_and_owned(on: &Ground, block: bool) -> Result<(), String> {
    let owner = on.make(MAPS, &map("a")).await?;
    let owned = with(map("b"), owned_by(&[&owner], block));
    on.make(MAPS, &owned).await.map(drop)
}

async fn dependents_go_after_their_owner(on: Ground) -> Result<(), String> {
    owner_and_owned(&on, false).await?;
    on.delete("v1/configmaps/a").await?.with(200)?;
    on.gone("v1/configmaps/b").await
}

async fn orphans_stay_without_an_owner(on: Ground) -> Result<(), String> {
    owner_and_owned(&on, false).await?;
    on.delete("v1/configmaps/a?propagationPolicy=Orphan")
        .await?
        .with(200)?;
    on.gone("v1/configmaps/a").await?;
    let alone = json!({"metadata": {"ownerReferences": null}});
    same(&on.read("v1/configmaps/b").await?, &alone)
}

/// Deletes `a` in the foreground while a finalizer holds `b`.
async fn in_the_foreground(on: &Ground, block: bool) -> Result<Value, String> {
    owner_and_owned(on, block).await?;
    let held = json!({"metadata": {"finalizers": [HOLD]}});
    on.change("v1/configmaps/b", &held).await?;
    on.delete("v1/configmaps/a?propagationPolicy=Foreground")
        .await?
        .with(200)
}

/// Lets `b` go.
async fn let_go(on: &Ground) -> Result<(), String> {
    let none = json!({"metadata": {"finalizers": null}});
    on.change("v1/configmaps/b", &none).await.map(drop)
}

async fn an_owner_in_the_foreground_goes_last(on: Ground) -> Result<(), String> {
    let marked = in_the_foreground(&on, true).await?;
    let waits = json!({"metadata": {"finalizers": ["foregroundDeletion"]}});
    let tried = async {
        same(&marked, &waits)?;
        on.wait("v1/configmaps/b", "that it is being deleted", |it| {
            it["metadata"]["deletionTimestamp"].is_string()
        })
        .await?;
        same(&on.read("v1/configmaps/a").await?, &waits)
    }
    .await;
    let_go(&on).await?;
    tried?;
    on.gone("v1/configmaps/b").await?;
    on.gone("v1/configmaps/a").await
}

async fn a_dependent_that_does_not_block_is_not_waited_for(on: Ground) -> Result<(), String> {
    in_the_foreground(&on, false).await?;
    let gone = on.gone("v1/configmaps/a").await;
    let_go(&on).await?;
    gone
}

async fn a_dependent_of_two_owners_outlives_one(on: Ground) -> Result<(), String> {
    let first = on.make(MAPS, &map("a")).await?;
    let second = on.make(MAPS, &map("c")).await?;
    let owned = with(map("b"), owned_by(&[&first, &second], false));
    on.make(MAPS, &owned).await?;
    on.delete("v1/configmaps/a").await?.with(200)?;
    let left = json!({"metadata": {"ownerReferences": [{"name": "c"}]}});
    on.until("v1/configmaps/b", &left).await?;
    on.delete("v1/configmaps/c").await?.with(200)?;
    on.gone("v1/configmaps/b").await
}

async fn a_deployment_goes_with_all_that_it_made(on: Ground) -> Result<(), String> {
    on.make("apps/v1/deployments", &deployment("a", 2)).await?;
    on.count(PODS, 2).await?;
    on.delete("apps/v1/deployments/a").await?.with(200)?;
    on.count("apps/v1/replicasets", 0).await?;
    on.count(PODS, 0).await.map(drop)
}

async fn the_replica_sets_of_a_deployment_may_stay(on: Ground) -> Result<(), String> {
    on.make("apps/v1/deployments", &deployment("a", 1)).await?;
    on.count(PODS, 1).await?;
    on.delete("apps/v1/deployments/a?propagationPolicy=Orphan")
        .await?
        .with(200)?;
    on.gone("apps/v1/deployments/a").await?;
    let sets = on.count("apps/v1/replicasets", 1).await?;
    same(&sets[0], &json!({"metadata": {"ownerReferences": null}}))?;
    on.count(PODS, 1).await.map(drop)
}

async fn a_namespace_goes_with_all_that_is_in_it(on: Ground) -> Result<(), String> {
    let asked = json!({"metadata": {"generateName": "behaviour-within-"}});
    let made = on.make("/api/v1/namespaces", &asked).await?;
    let own = format!("/api/v1/namespaces/{}", name(&made));
    on.make(&format!("{own}/configmaps"), &map("a")).await?;
    on.delete(&own).await?.granted()?;
    on.gone(&own).await?;
    let left = on.read(&format!("{own}/configmaps")).await?;
    holds(items(&left).is_empty(), "nothing", &left)
}
