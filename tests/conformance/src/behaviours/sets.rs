//! ReplicaSets, StatefulSets and DaemonSets.

use serde_json::{Value, json};

use super::compare::{holds, same, with};
use super::objects::*;
use super::paths::{PODS, SETS};
use super::pods::{all_ready, ended, items, name, ready, ready_until};
use super::table::behaviour;
use super::{Behaviour, Ground};

pub(super) const TABLE: &[Behaviour] = &[
    behaviour!(
        a_replica_set_makes_pods_of_its_template,
        "pkg/controller/controller_utils.go GetPodFromTemplate"
    ),
    behaviour!(
        a_pod_that_goes_is_replaced,
        "pkg/controller/replicaset/replica_set.go manageReplicas"
    ),
    behaviour!(
        a_pod_that_failed_is_replaced_and_stays,
        "pkg/controller/controller_utils.go FilterActivePods"
    ),
    behaviour!(
        a_pod_that_fits_is_adopted,
        "pkg/controller/controller_ref_manager.go AdoptPod"
    ),
    behaviour!(
        a_pod_that_no_longer_fits_is_released,
        "pkg/controller/controller_ref_manager.go ReleasePod"
    ),
    behaviour!(
        the_pod_that_does_not_run_goes_first,
        "pkg/controller/controller_utils.go ActivePodsWithRanks"
    ),
    behaviour!(
        the_pod_that_costs_least_goes_first,
        "pkg/controller/controller_utils.go ActivePodsWithRanks"
    ),
    behaviour!(
        a_replica_set_counts_its_pods,
        "pkg/controller/replicaset/replica_set_utils.go calculateStatus"
    ),
    behaviour!(
        a_replica_set_tells_of_its_pods_by_events,
        "pkg/controller/controller_utils.go createPods"
    ),
    behaviour!(
        a_pod_of_a_stateful_set_has_a_name_of_its_own,
        "pkg/controller/statefulset/stateful_set_utils.go newStatefulSetPod"
    ),
    behaviour!(
        a_pod_of_a_stateful_set_waits_for_the_one_before,
        "pkg/controller/statefulset/stateful_set_control.go processReplica"
    ),
    behaviour!(
        pods_of_a_stateful_set_may_come_together,
        "pkg/controller/statefulset/stateful_set_control.go updateStatefulSet"
    ),
    behaviour!(
        the_last_pod_of_a_stateful_set_goes_first,
        "pkg/controller/statefulset/stateful_set_control.go processCondemned"
    ),
    behaviour!(
        the_ordinals_of_a_stateful_set_may_begin_later,
        "pkg/controller/statefulset/stateful_set_utils.go getStartOrdinal"
    ),
    behaviour!(
        a_stateful_set_keeps_its_templates,
        "pkg/controller/history/controller_history.go CreateControllerRevision"
    ),
    behaviour!(
        a_template_of_a_stateful_set_that_comes_back_is_the_newest,
        "pkg/controller/history/controller_history.go UpdateControllerRevision"
    ),
    behaviour!(
        a_partition_holds_the_pods_before_it,
        "pkg/controller/statefulset/stateful_set_control.go updateStatefulSet"
    ),
    behaviour!(
        an_update_on_deletion_replaces_no_pod,
        "pkg/controller/statefulset/stateful_set_control.go updateStatefulSet"
    ),
    behaviour!(
        a_daemon_set_without_nodes_has_no_pods,
        "pkg/controller/daemon/daemon_controller.go NodeShouldRunDaemonPod"
    ),
    behaviour!(
        a_daemon_set_keeps_its_templates,
        "pkg/controller/daemon/update.go constructHistory"
    ),
];

const SET: &str = "apps/v1/replicasets/a";
const STATEFUL: &str = "apps/v1/statefulsets";
const STATEFUL_SET: &str = "apps/v1/statefulsets/a";
const REVISIONS: &str = "apps/v1/controllerrevisions";

/// The names of the pods that there are, in order, once there are so many.
async fn pod_names(on: &Ground, many: usize) -> Result<Vec<String>, String> {
    let pods = on.count(PODS, many).await?;
    Ok(pods.iter().map(|it| name(it).to_owned()).collect())
}

fn replicas(many: u32) -> Value {
    json!({"spec": {"replicas": many}})
}

async fn a_replica_set_makes_pods_of_its_template(on: Ground) -> Result<(), String> {
    let set = on.make(SETS, &replica_set("a", 2)).await?;
    for made in on.count(PODS, 2).await? {
        let end = name(&made).strip_prefix("a-").unwrap_or_default();
        holds(
            end.len() == 5,
            "a name of the set's and five letters",
            &made,
        )?;
        same(
            &made,
            &json!({
                "metadata": {
                    "generateName": "a-", "labels": {"app": "a"},
                    "ownerReferences": [{
                        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "a", "controller": true,
                        "blockOwnerDeletion": true, "uid": set["metadata"]["uid"],
                    }],
                },
                "spec": {"containers": [{"name": "web", "image": IMAGE}]},
            }),
        )?;
    }
    Ok(())
}

async fn a_pod_that_goes_is_replaced(on: Ground) -> Result<(), String> {
    on.make(SETS, &replica_set("a", 1)).await?;
    let first = pod_names(&on, 1).await?;
    on.delete(&format!("{PODS}/{}", first[0]))
        .await?
        .with(200)?;
    on.wait_list(PODS, "another pod", |list| match items(list) {
        [only] if name(only) != first[0] => Some(()),
        _ => None,
    })
    .await
}

async fn a_pod_that_failed_is_replaced_and_stays(on: Ground) -> Result<(), String> {
    on.make(SETS, &replica_set("a", 1)).await?;
    let first = pod_names(&on, 1).await?;
    ended(&on, &first[0], "Failed").await?;
    let both = pod_names(&on, 2).await?;
    holds(both.contains(&first[0]), "the failed one", &json!(both))?;
    on.until(SET, &json!({"status": {"replicas": 1}}))
        .await
        .map(drop)
}

async fn a_pod_that_fits_is_adopted(on: Ground) -> Result<(), String> {
    on.make(PODS, &pod("a")).await?;
    let set = on.make(SETS, &replica_set("a", 1)).await?;
    let owner = json!({"kind": "ReplicaSet", "controller": true, "uid": set["metadata"]["uid"]});
    let owned = json!({"metadata": {"ownerReferences": [owner]}});
    on.until("v1/pods/a", &owned).await?;
    on.until(SET, &json!({"status": {"replicas": 1}})).await?;
    on.count(PODS, 1).await.map(drop)
}

async fn a_pod_that_no_longer_fits_is_released(on: Ground) -> Result<(), String> {
    on.make(SETS, &replica_set("a", 1)).await?;
    let first = pod_names(&on, 1).await?;
    let path = format!("{PODS}/{}", first[0]);
    on.change(&path, &json!({"metadata": {"labels": {"app": "another"}}}))
        .await?;
    on.until(&path, &json!({"metadata": {"ownerReferences": null}}))
        .await?;
    on.count(PODS, 2).await.map(drop)
}

async fn the_pod_that_does_not_run_goes_first(on: Ground) -> Result<(), String> {
    on.make(SETS, &replica_set("a", 3)).await?;
    let pods = pod_names(&on, 3).await?;
    ready(&on, &pods[1]).await?;
    on.until(SET, &json!({"status": {"readyReplicas": 1}}))
        .await?;
    on.change(SET, &replicas(1)).await?;
    let left = pod_names(&on, 1).await?;
    holds(left[0] == pods[1], "the one that runs", &json!(left))
}

async fn the_pod_that_costs_least_goes_first(on: Ground) -> Result<(), String> {
    on.make(SETS, &replica_set("a", 3)).await?;
    let pods = pod_names(&on, 3).await?;
    on.until(SET, &json!({"status": {"replicas": 3}})).await?;
    let cost = json!({"controller.kubernetes.io/pod-deletion-cost": "5"});
    let path = format!("{PODS}/{}", pods[1]);
    on.change(&path, &json!({"metadata": {"annotations": cost}}))
        .await?;
    on.change(SET, &replicas(1)).await?;
    let left = pod_names(&on, 1).await?;
    holds(left[0] == pods[1], "the one that costs more", &json!(left))
}

async fn a_replica_set_counts_its_pods(on: Ground) -> Result<(), String> {
    on.make(SETS, &replica_set("a", 2)).await?;
    let pods = pod_names(&on, 2).await?;
    ready(&on, &pods[0]).await?;
    let counts = json!({"status": {
        "observedGeneration": 1, "replicas": 2, "fullyLabeledReplicas": 2,
        "readyReplicas": 1, "availableReplicas": 1,
    }});
    on.until(SET, &counts).await.map(drop)
}

async fn a_replica_set_tells_of_its_pods_by_events(on: Ground) -> Result<(), String> {
    on.make(SETS, &replica_set("a", 1)).await?;
    let pods = pod_names(&on, 1).await?;
    let told = json!({
        "type": "Normal", "reason": "SuccessfulCreate", "message": format!("Created pod: {}", pods[0]),
        "involvedObject": {"kind": "ReplicaSet", "name": "a"},
        "source": {"component": "replicaset-controller"},
    });
    on.wait_list("v1/events", "the event", |list| {
        let tells = |it: &Value| same(it, &told).is_ok();
        items(list).iter().any(tells).then_some(())
    })
    .await
}

/// A StatefulSet, with a patch over it.
async fn stateful(on: &Ground, replicas: u32, patch: Value) -> Result<Value, String> {
    on.make(STATEFUL, &with(stateful_set("a", replicas), patch))
        .await
}

async fn a_pod_of_a_stateful_set_has_a_name_of_its_own(on: Ground) -> Result<(), String> {
    stateful(&on, 1, json!({})).await?;
    on.count(PODS, 1).await?;
    let revised = |it: &Value| it["status"]["updateRevision"].is_string();
    let set = on.wait(STATEFUL_SET, "its revision", revised).await?;
    let labels = json!({
        "app": "a", "statefulset.kubernetes.io/pod-name": "a-0", "apps.kubernetes.io/pod-index": "0",
        "controller-revision-hash": set["status"]["updateRevision"],
    });
    same(
        &on.read("v1/pods/a-0").await?,
        &json!({
            "metadata": {"name": "a-0", "labels": labels, "ownerReferences": [{"kind": "StatefulSet"}]},
            "spec": {"hostname": "a-0", "subdomain": "a"},
        }),
    )
}

async fn a_pod_of_a_stateful_set_waits_for_the_one_before(on: Ground) -> Result<(), String> {
    stateful(&on, 2, json!({})).await?;
    on.until(STATEFUL_SET, &json!({"status": {"replicas": 1}}))
        .await?;
    let first = pod_names(&on, 1).await?;
    holds(first == ["a-0"], "the first alone", &json!(first))?;
    ready(&on, "a-0").await?;
    let both = pod_names(&on, 2).await?;
    holds(both == ["a-0", "a-1"], "the second", &json!(both))
}

const TOGETHER: &str = "Parallel";

async fn pods_of_a_stateful_set_may_come_together(on: Ground) -> Result<(), String> {
    let together = json!({"spec": {"podManagementPolicy": TOGETHER}});
    stateful(&on, 3, together).await?;
    let all = pod_names(&on, 3).await?;
    holds(all == ["a-0", "a-1", "a-2"], "all three", &json!(all))
}

/// A StatefulSet of two pods that are ready.
async fn two_ready(on: &Ground, patch: Value) -> Result<(), String> {
    let together = json!({"spec": {"podManagementPolicy": TOGETHER}});
    stateful(on, 2, with(together, patch)).await?;
    all_ready(on, 2).await?;
    on.until(
        STATEFUL_SET,
        &json!({"status": {"readyReplicas": 2, "currentReplicas": 2}}),
    )
    .await
    .map(drop)
}

async fn the_last_pod_of_a_stateful_set_goes_first(on: Ground) -> Result<(), String> {
    two_ready(&on, json!({})).await?;
    on.change(STATEFUL_SET, &replicas(1)).await?;
    let left = pod_names(&on, 1).await?;
    holds(left == ["a-0"], "the first", &json!(left))
}

async fn the_ordinals_of_a_stateful_set_may_begin_later(on: Ground) -> Result<(), String> {
    let later = json!({"spec": {"podManagementPolicy": TOGETHER, "ordinals": {"start": 5}}});
    stateful(&on, 2, later).await?;
    let all = pod_names(&on, 2).await?;
    holds(all == ["a-5", "a-6"], "from five on", &json!(all))
}

/// The numbers of the revisions that are kept, in order, once there are so many.
async fn revisions(on: &Ground, many: usize) -> Result<Vec<u64>, String> {
    let kept = on.count(REVISIONS, many).await?;
    let mut numbers: Vec<u64> = kept
        .iter()
        .filter_map(|it| it["revision"].as_u64())
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

async fn a_stateful_set_keeps_its_templates(on: Ground) -> Result<(), String> {
    stateful(&on, 0, json!({})).await?;
    let first = on.count(REVISIONS, 1).await?;
    let begins = name(&first[0]).starts_with("a-");
    holds(begins, "a name that begins as the set's", &first[0])?;
    let kept = json!({"spec": {"template": {"spec": {"containers": [{"image": IMAGE}]}}}});
    same(
        &first[0],
        &json!({"revision": 1, "data": kept, "metadata": {"ownerReferences": [{"kind": "StatefulSet"}]}}),
    )?;
    on.change(STATEFUL_SET, &image("conformance/web:2")).await?;
    let numbers = revisions(&on, 2).await?;
    holds(numbers == [1, 2], "the numbers 1 and 2", &json!(numbers))
}

async fn a_template_of_a_stateful_set_that_comes_back_is_the_newest(
    on: Ground,
) -> Result<(), String> {
    stateful(&on, 0, json!({})).await?;
    revisions(&on, 1).await?;
    on.change(STATEFUL_SET, &image("conformance/web:2")).await?;
    revisions(&on, 2).await?;
    on.change(STATEFUL_SET, &image(IMAGE)).await?;
    on.wait_list(REVISIONS, "the number 3", |list| {
        let third = |it: &&Value| it["revision"] == 3;
        items(list).iter().find(third).map(drop)
    })
    .await?;
    let numbers = revisions(&on, 2).await?;
    holds(numbers == [2, 3], "the numbers 2 and 3", &json!(numbers))
}

/// The images of `a-0` and `a-1`.
async fn images(on: &Ground) -> Result<Vec<Value>, String> {
    let mut all = Vec::new();
    for pod in ["v1/pods/a-0", "v1/pods/a-1"] {
        let pod = on.read(pod).await?;
        all.push(pod["spec"]["containers"][0]["image"].clone());
    }
    Ok(all)
}

async fn a_partition_holds_the_pods_before_it(on: Ground) -> Result<(), String> {
    let partition = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
    two_ready(&on, json!({"spec": {"updateStrategy": partition}})).await?;
    on.change(STATEFUL_SET, &image("conformance/web:2")).await?;
    let done = json!({"status": {
        "updatedReplicas": 1, "currentReplicas": 1, "readyReplicas": 2, "observedGeneration": 2,
    }});
    ready_until(&on, STATEFUL_SET, &done).await?;
    let images = images(&on).await?;
    let wanted = [IMAGE, "conformance/web:2"];
    holds(
        images == wanted,
        "the second pod alone is new",
        &json!(images),
    )
}

async fn an_update_on_deletion_replaces_no_pod(on: Ground) -> Result<(), String> {
    two_ready(
        &on,
        json!({"spec": {"updateStrategy": {"type": "OnDelete"}}}),
    )
    .await?;
    on.change(STATEFUL_SET, &image("conformance/web:2")).await?;
    on.until(
        STATEFUL_SET,
        &json!({"status": {"observedGeneration": 2, "readyReplicas": 2}}),
    )
    .await?;
    let before = images(&on).await?;
    holds(before == [IMAGE, IMAGE], "the old pods", &json!(before))?;
    on.delete("v1/pods/a-1").await?.with(200)?;
    let new = json!({"spec": {"containers": [{"image": "conformance/web:2"}]}});
    on.until("v1/pods/a-1", &new).await.map(drop)
}

async fn a_daemon_set_without_nodes_has_no_pods(on: Ground) -> Result<(), String> {
    on.make("apps/v1/daemonsets", &daemon_set("a")).await?;
    let none = json!({"status": {
        "observedGeneration": 1, "desiredNumberScheduled": 0, "currentNumberScheduled": 0,
        "numberReady": 0, "numberMisscheduled": 0,
    }});
    on.until("apps/v1/daemonsets/a", &none).await?;
    on.count(PODS, 0).await.map(drop)
}

async fn a_daemon_set_keeps_its_templates(on: Ground) -> Result<(), String> {
    on.make("apps/v1/daemonsets", &daemon_set("a")).await?;
    revisions(&on, 1).await?;
    on.change("apps/v1/daemonsets/a", &image("conformance/web:2"))
        .await?;
    let numbers = revisions(&on, 2).await?;
    holds(numbers == [1, 2], "the numbers 1 and 2", &json!(numbers))
}
