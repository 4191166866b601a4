//! Deployments: their ReplicaSets, revisions and rollouts.

use serde_json::{Value, json};

use super::compare::{holds, same, with};
use super::objects::*;
use super::paths::{DEPLOYMENT, DEPLOYMENTS, HOLD, SETS};
use super::pods::{all_ready, items, name, ready_until};
use super::table::behaviour;
use super::{Behaviour, Ground};

pub(super) const TABLE: &[Behaviour] = &[
    behaviour!(
        a_deployment_makes_a_replica_set,
        "pkg/controller/deployment/sync.go getNewReplicaSet"
    ),
    behaviour!(
        a_replica_set_says_how_many_there_may_be,
        "pkg/controller/deployment/util/deployment_util.go SetNewReplicaSetAnnotations"
    ),
    behaviour!(
        another_template_makes_another_replica_set,
        "pkg/controller/deployment/sync.go getNewReplicaSet"
    ),
    behaviour!(
        a_scale_makes_no_replica_set,
        "pkg/controller/deployment/util/deployment_util.go FindNewReplicaSet"
    ),
    behaviour!(
        a_template_that_comes_back_has_its_replica_set,
        "pkg/controller/deployment/util/deployment_util.go FindNewReplicaSet"
    ),
    behaviour!(
        a_revision_that_comes_back_gets_a_new_number,
        "pkg/controller/deployment/util/deployment_util.go SetNewReplicaSetAnnotations"
    ),
    behaviour!(
        annotations_are_handed_to_the_replica_set,
        "pkg/controller/deployment/util/deployment_util.go copyDeploymentAnnotationsToReplicaSet"
    ),
    behaviour!(
        old_replica_sets_are_kept_up_to_a_limit,
        "pkg/controller/deployment/sync.go cleanupDeployment"
    ),
    behaviour!(
        a_paused_deployment_does_not_roll_out,
        "pkg/controller/deployment/deployment_controller.go syncDeployment"
    ),
    behaviour!(
        a_deployment_that_goes_on_rolls_out,
        "pkg/controller/deployment/sync.go checkPausedConditions"
    ),
    behaviour!(
        a_paused_deployment_is_scaled,
        "pkg/controller/deployment/sync.go scale"
    ),
    behaviour!(
        replica_sets_are_scaled_in_proportion,
        "pkg/controller/deployment/sync.go scale"
    ),
    behaviour!(
        the_status_counts_pods,
        "pkg/controller/deployment/sync.go calculateStatus"
    ),
    behaviour!(
        too_few_pods_are_unavailable,
        "pkg/controller/deployment/sync.go calculateStatus"
    ),
    behaviour!(
        ready_pods_are_available,
        "pkg/controller/deployment/progress.go syncRolloutStatus"
    ),
    behaviour!(
        a_rollout_surges_by_a_quarter_rounded_up,
        "pkg/controller/deployment/util/deployment_util.go ResolveFenceposts"
    ),
    behaviour!(
        pods_that_are_not_ready_go_first,
        "pkg/controller/deployment/rolling.go cleanupUnhealthyReplicas"
    ),
    behaviour!(
        without_a_surge_old_pods_go_first,
        "pkg/controller/deployment/rolling.go reconcileOldReplicaSets"
    ),
    behaviour!(
        bounds_that_round_to_nothing_let_one_be_missing,
        "pkg/controller/deployment/util/deployment_util.go ResolveFenceposts"
    ),
    behaviour!(
        a_rollout_ends_with_new_pods_alone,
        "pkg/controller/deployment/rolling.go rolloutRolling"
    ),
    behaviour!(
        a_recreation_begins_when_all_old_pods_are_gone,
        "pkg/controller/deployment/recreate.go rolloutRecreate"
    ),
    behaviour!(
        a_rollout_that_does_not_progress_is_late,
        "pkg/controller/deployment/progress.go syncRolloutStatus"
    ),
    behaviour!(
        a_new_replica_set_is_progress,
        "pkg/controller/deployment/sync.go getNewReplicaSet"
    ),
    behaviour!(
        scaling_is_told_by_an_event,
        "pkg/controller/deployment/sync.go scaleReplicaSet"
    ),
];

const REVISION: &str = "deployment.kubernetes.io/revision";
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";

/// A Deployment, with a patch over it.
async fn made(on: &Ground, replicas: u32, patch: Value) -> Result<Value, String> {
    on.make(DEPLOYMENTS, &with(deployment("a", replicas), patch))
        .await
}

/// Rolls out another image.
async fn release(on: &Ground, tag: u32) -> Result<Value, String> {
    let name = format!("conformance/web:{tag}");
    on.change(DEPLOYMENT, &image(&name)).await
}

fn image_of(set: &Value) -> &str {
    let image = &set["spec"]["template"]["spec"]["containers"][0]["image"];
    image.as_str().unwrap_or_default()
}

/// The ReplicaSet with this image, once it has these fields.
async fn set_of(on: &Ground, tag: u32, wanted: &Value) -> Result<Value, String> {
    let image = format!("conformance/web:{tag}");
    let what = format!("a ReplicaSet of {image} with {wanted}");
    on.wait_list(SETS, &what, |list| {
        let fits = |it: &&Value| image_of(it) == image && same(it, wanted).is_ok();
        items(list).iter().find(fits).cloned()
    })
    .await
}

/// Waits until the ReplicaSets of two images ask for so many replicas at the same time, and the Deployment has been
/// looked at since.
async fn shared_out(on: &Ground, wanted: [(u32, u64); 2]) -> Result<(), String> {
    let what = format!("{wanted:?} replicas");
    on.wait_list(SETS, &what, |list| {
        let holds = wanted.iter().all(|(tag, replicas)| {
            let image = format!("conformance/web:{tag}");
            let mut all = items(list).iter();
            all.any(|it| {
                image_of(it) == image
                    && it["spec"]["replicas"] == *replicas
                    && it["status"]["replicas"] == *replicas
            })
        });
        holds.then_some(())
    })
    .await
}

fn annotations(of: Value) -> Value {
    json!({"metadata": {"annotations": of}})
}

async fn a_deployment_makes_a_replica_set(on: Ground) -> Result<(), String> {
    let deployment = made(&on, 0, json!({})).await?;
    let set = set_of(&on, 1, &json!({})).await?;
    let hash = &set["metadata"]["labels"]["pod-template-hash"];
    let labels = json!({"app": "a", "pod-template-hash": hash});
    same(
        &set,
        &json!({
            "metadata": {
                "name": format!("a-{}", hash.as_str().unwrap_or_default()), "labels": labels,
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "Deployment", "name": "a", "controller": true,
                    "blockOwnerDeletion": true, "uid": deployment["metadata"]["uid"],
                }],
            },
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}},
        }),
    )
}

async fn a_replica_set_says_how_many_there_may_be(on: Ground) -> Result<(), String> {
    made(&on, 2, json!({})).await?;
    let says = annotations(json!({REVISION: "1", DESIRED: "2", MAX: "3"}));
    set_of(&on, 1, &says).await?;
    on.until(DEPLOYMENT, &annotations(json!({REVISION: "1"})))
        .await
        .map(drop)
}

async fn another_template_makes_another_replica_set(on: Ground) -> Result<(), String> {
    made(&on, 0, json!({})).await?;
    set_of(&on, 1, &annotations(json!({REVISION: "1"}))).await?;
    release(&on, 2).await?;
    set_of(&on, 2, &annotations(json!({REVISION: "2"}))).await?;
    on.until(DEPLOYMENT, &annotations(json!({REVISION: "2"})))
        .await?;
    set_of(&on, 1, &annotations(json!({REVISION: "1"})))
        .await
        .map(drop)
}

async fn a_scale_makes_no_replica_set(on: Ground) -> Result<(), String> {
    made(&on, 1, json!({})).await?;
    set_of(&on, 1, &json!({"spec": {"replicas": 1}})).await?;
    on.change(DEPLOYMENT, &json!({"spec": {"replicas": 2}}))
        .await?;
    set_of(&on, 1, &json!({"spec": {"replicas": 2}})).await?;
    on.count(SETS, 1).await.map(drop)
}

/// Releases 1, 2 and 1 again.
async fn there_and_back(on: &Ground) -> Result<(), String> {
    made(on, 0, json!({})).await?;
    for (tag, revision) in [(1, "1"), (2, "2"), (1, "3")] {
        if revision != "1" {
            release(on, tag).await?;
        }
        set_of(on, tag, &annotations(json!({REVISION: revision}))).await?;
        on.until(DEPLOYMENT, &annotations(json!({REVISION: revision})))
            .await?;
    }
    Ok(())
}

async fn a_template_that_comes_back_has_its_replica_set(on: Ground) -> Result<(), String> {
    there_and_back(&on).await?;
    on.count(SETS, 2).await.map(drop)
}

async fn a_revision_that_comes_back_gets_a_new_number(on: Ground) -> Result<(), String> {
    there_and_back(&on).await?;
    let first = annotations(json!({REVISION: "3", HISTORY: "1"}));
    set_of(&on, 1, &first).await?;
    set_of(&on, 2, &annotations(json!({REVISION: "2", HISTORY: null})))
        .await
        .map(drop)
}

async fn annotations_are_handed_to_the_replica_set(on: Ground) -> Result<(), String> {
    const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
    let given = annotations(json!({"firedrill.example/note": "one", APPLIED: "{}"}));
    made(&on, 0, given).await?;
    let handed = annotations(json!({"firedrill.example/note": "one", APPLIED: null}));
    set_of(&on, 1, &handed).await.map(drop)
}

async fn old_replica_sets_are_kept_up_to_a_limit(on: Ground) -> Result<(), String> {
    made(&on, 0, json!({"spec": {"revisionHistoryLimit": 1}})).await?;
    for tag in 1..=3 {
        if tag > 1 {
            release(&on, tag).await?;
        }
        let revision = annotations(json!({REVISION: tag.to_string()}));
        set_of(&on, tag, &revision).await?;
    }
    let left = on.count(SETS, 2).await?;
    let mut images: Vec<&str> = left.iter().map(image_of).collect();
    images.sort_unstable();
    let wanted = ["conformance/web:2", "conformance/web:3"];
    holds(images == wanted, "the newest two", &json!(images))
}

/// The condition of this type.
fn condition(of_type: &str, status: &str, reason: &str) -> impl Fn(&Value) -> bool {
    let wanted = json!({"type": of_type, "status": status, "reason": reason});
    move |object| {
        let all = object["status"]["conditions"].as_array();
        let mut all = all.into_iter().flatten();
        all.any(|it| same(it, &wanted).is_ok())
    }
}

async fn a_paused_deployment_does_not_roll_out(on: Ground) -> Result<(), String> {
    made(&on, 0, json!({})).await?;
    set_of(&on, 1, &json!({})).await?;
    on.change(DEPLOYMENT, &json!({"spec": {"paused": true}}))
        .await?;
    let changed = release(&on, 2).await?;
    let paused = condition("Progressing", "Unknown", "DeploymentPaused");
    let seen = &changed["metadata"]["generation"];
    on.wait(DEPLOYMENT, "that it is paused", |it| {
        paused(it) && it["status"]["observedGeneration"] == *seen
    })
    .await?;
    on.count(SETS, 1).await.map(drop)
}

async fn a_deployment_that_goes_on_rolls_out(on: Ground) -> Result<(), String> {
    made(&on, 0, json!({"spec": {"paused": true}})).await?;
    let paused = condition("Progressing", "Unknown", "DeploymentPaused");
    on.wait(DEPLOYMENT, "that it is paused", paused).await?;
    on.count(SETS, 0).await?;
    on.change(DEPLOYMENT, &json!({"spec": {"paused": null}}))
        .await?;
    set_of(&on, 1, &annotations(json!({REVISION: "1"})))
        .await
        .map(drop)
}

async fn a_paused_deployment_is_scaled(on: Ground) -> Result<(), String> {
    made(&on, 1, json!({})).await?;
    set_of(&on, 1, &json!({"status": {"replicas": 1}})).await?;
    on.change(
        DEPLOYMENT,
        &json!({"spec": {"paused": true, "replicas": 3}}),
    )
    .await?;
    set_of(&on, 1, &json!({"spec": {"replicas": 3}}))
        .await
        .map(drop)
}

async fn replica_sets_are_scaled_in_proportion(on: Ground) -> Result<(), String> {
    made(&on, 3, json!({})).await?;
    set_of(&on, 1, &json!({"status": {"replicas": 3}})).await?;
    release(&on, 2).await?;
    shared_out(&on, [(1, 3), (2, 1)]).await?;
    // From four of four to thirteen of thirteen: three quarters are of the old one.
    on.change(
        DEPLOYMENT,
        &json!({"spec": {"paused": true, "replicas": 10}}),
    )
    .await?;
    shared_out(&on, [(1, 10), (2, 3)]).await
}

async fn the_status_counts_pods(on: Ground) -> Result<(), String> {
    made(&on, 2, json!({})).await?;
    let counts = json!({"status": {
        "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "unavailableReplicas": 2,
        "readyReplicas": null, "availableReplicas": null,
    }});
    on.until(DEPLOYMENT, &counts).await.map(drop)
}

async fn too_few_pods_are_unavailable(on: Ground) -> Result<(), String> {
    made(&on, 2, json!({})).await?;
    let few = condition("Available", "False", "MinimumReplicasUnavailable");
    on.wait(DEPLOYMENT, "that there are too few", few)
        .await
        .map(drop)
}

async fn ready_pods_are_available(on: Ground) -> Result<(), String> {
    made(&on, 2, json!({})).await?;
    all_ready(&on, 2).await?;
    let counts = json!({"status": {
        "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
        "unavailableReplicas": null,
    }});
    on.until(DEPLOYMENT, &counts).await?;
    let available = condition("Available", "True", "MinimumReplicasAvailable");
    let complete = condition("Progressing", "True", "NewReplicaSetAvailable");
    on.wait(DEPLOYMENT, "that it is complete", |it| {
        available(it) && complete(it)
    })
    .await
    .map(drop)
}

async fn a_rollout_surges_by_a_quarter_rounded_up(on: Ground) -> Result<(), String> {
    made(&on, 3, json!({})).await?;
    all_ready(&on, 3).await?;
    set_of(&on, 1, &json!({"status": {"availableReplicas": 3}})).await?;
    release(&on, 2).await?;
    // One more than three, and none less: a quarter of three is none, rounded down.
    shared_out(&on, [(1, 3), (2, 1)]).await?;
    let late = json!({"status": {"updatedReplicas": 1, "replicas": 4, "unavailableReplicas": 1}});
    on.until(DEPLOYMENT, &late).await.map(drop)
}

fn rolling(surge: u32, unavailable: u32) -> Value {
    let rolling = json!({"maxSurge": surge, "maxUnavailable": unavailable});
    json!({"spec": {"strategy": {"rollingUpdate": rolling}}})
}

async fn pods_that_are_not_ready_go_first(on: Ground) -> Result<(), String> {
    made(&on, 3, rolling(1, 1)).await?;
    set_of(&on, 1, &json!({"status": {"replicas": 3}})).await?;
    release(&on, 2).await?;
    // Nothing is available, so as many go as may be missing, and as many more come.
    shared_out(&on, [(1, 2), (2, 2)]).await
}

async fn without_a_surge_old_pods_go_first(on: Ground) -> Result<(), String> {
    made(&on, 3, rolling(0, 1)).await?;
    all_ready(&on, 3).await?;
    set_of(&on, 1, &json!({"status": {"availableReplicas": 3}})).await?;
    release(&on, 2).await?;
    shared_out(&on, [(1, 2), (2, 1)]).await
}

async fn bounds_that_round_to_nothing_let_one_be_missing(on: Ground) -> Result<(), String> {
    let bounds = json!({"maxSurge": 0, "maxUnavailable": "10%"});
    made(
        &on,
        3,
        json!({"spec": {"strategy": {"rollingUpdate": bounds}}}),
    )
    .await?;
    all_ready(&on, 3).await?;
    set_of(&on, 1, &json!({"status": {"availableReplicas": 3}})).await?;
    release(&on, 2).await?;
    shared_out(&on, [(1, 2), (2, 1)]).await
}

async fn a_rollout_ends_with_new_pods_alone(on: Ground) -> Result<(), String> {
    made(&on, 2, json!({})).await?;
    all_ready(&on, 2).await?;
    set_of(&on, 1, &json!({"status": {"availableReplicas": 2}})).await?;
    let generation = release(&on, 2).await?["metadata"]["generation"].take();
    let done = json!({"status": {
        "observedGeneration": generation, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
        "unavailableReplicas": null,
    }});
    ready_until(&on, DEPLOYMENT, &done).await?;
    shared_out(&on, [(1, 0), (2, 2)]).await
}

async fn a_recreation_begins_when_all_old_pods_are_gone(on: Ground) -> Result<(), String> {
    made(&on, 2, json!({"spec": {"strategy": {"type": "Recreate"}}})).await?;
    let old = all_ready(&on, 2).await?;
    // A pod that a finalizer holds is there still.
    let held = format!("v1/pods/{}", name(&old[0]));
    let finalizers = |of: Value| json!({"metadata": {"finalizers": of}});
    on.change(&held, &finalizers(json!([HOLD]))).await?;
    let generation = release(&on, 2).await?["metadata"]["generation"].take();
    set_of(&on, 1, &json!({"spec": {"replicas": 0}})).await?;
    let waits = json!({"status": {"observedGeneration": generation, "updatedReplicas": null}});
    on.until(DEPLOYMENT, &waits).await?;
    let sets = on.count(SETS, 1).await;
    on.change(&held, &finalizers(Value::Null)).await?;
    sets?;
    set_of(&on, 2, &json!({"status": {"replicas": 2}}))
        .await
        .map(drop)
}

async fn a_rollout_that_does_not_progress_is_late(on: Ground) -> Result<(), String> {
    made(&on, 1, json!({"spec": {"progressDeadlineSeconds": 1}})).await?;
    let late = condition("Progressing", "False", "ProgressDeadlineExceeded");
    on.wait(DEPLOYMENT, "that it is late", late).await.map(drop)
}

async fn a_new_replica_set_is_progress(on: Ground) -> Result<(), String> {
    made(&on, 1, json!({})).await?;
    let updated = condition("Progressing", "True", "ReplicaSetUpdated");
    on.wait(DEPLOYMENT, "that it has been updated", updated)
        .await
        .map(drop)
}

async fn scaling_is_told_by_an_event(on: Ground) -> Result<(), String> {
    made(&on, 2, json!({})).await?;
    let set = set_of(&on, 1, &json!({"spec": {"replicas": 2}})).await?;
    let message = format!("Scaled up replica set {} from 0 to 2", name(&set));
    let told = json!({
        "type": "Normal", "reason": "ScalingReplicaSet", "message": message,
        "source": {"component": "deployment-controller"},
        "involvedObject": {"kind": "Deployment", "name": "a", "apiVersion": "apps/v1"},
    });
    on.wait_list("v1/events", &message, |list| {
        let tells = |it: &Value| same(it, &told).is_ok();
        items(list).iter().any(tells).then_some(())
    })
    .await
}
