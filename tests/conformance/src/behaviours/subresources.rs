//! Generations, and the subresources `status` and `scale`.

use serde_json::{Value, json};

use super::compare::{same, with};
use super::ground::Patch;
use super::objects::*;
use super::paths::{DEPLOYMENT, DEPLOYMENTS};
use super::table::behaviour;
use super::{Behaviour, Ground};

pub(super) const TABLE: &[Behaviour] = &[
    behaviour!(
        workloads_begin_at_generation_one,
        "pkg/registry/apps/deployment/strategy.go PrepareForCreate"
    ),
    behaviour!(
        data_has_no_generation,
        "pkg/registry/core/configmap/strategy.go PrepareForCreate"
    ),
    behaviour!(
        a_change_of_the_spec_is_a_generation,
        "pkg/registry/apps/deployment/strategy.go PrepareForUpdate"
    ),
    behaviour!(
        a_label_is_no_generation,
        "pkg/registry/apps/deployment/strategy.go PrepareForUpdate"
    ),
    behaviour!(
        an_annotation_of_a_deployment_is_a_generation,
        "pkg/registry/apps/deployment/strategy.go PrepareForUpdate"
    ),
    behaviour!(
        an_annotation_of_other_workloads_is_no_generation,
        "pkg/registry/apps/statefulset/strategy.go PrepareForUpdate"
    ),
    behaviour!(
        a_client_does_not_choose_the_generation,
        "pkg/registry/apps/deployment/strategy.go PrepareForUpdate"
    ),
    behaviour!(
        a_controller_says_which_generation_it_has_seen,
        "pkg/controller/deployment/sync.go calculateStatus"
    ),
    behaviour!(
        the_status_is_written_by_itself,
        "pkg/registry/core/pod/strategy.go podStatusStrategy"
    ),
    behaviour!(
        a_write_of_the_object_leaves_the_status,
        "pkg/registry/core/pod/strategy.go PrepareForUpdate"
    ),
    behaviour!(
        a_new_object_has_no_status_of_its_clients,
        "pkg/registry/apps/deployment/strategy.go PrepareForCreate"
    ),
    behaviour!(
        a_write_of_the_status_leaves_the_labels_of_a_deployment,
        "pkg/registry/apps/deployment/strategy.go deploymentStatusStrategy"
    ),
    behaviour!(
        a_write_of_the_status_may_annotate_a_deployment,
        "pkg/registry/apps/deployment/strategy.go deploymentStatusStrategy"
    ),
    behaviour!(
        the_status_is_read_with_the_object,
        "pkg/registry/apps/deployment/storage/storage.go StatusREST"
    ),
    behaviour!(
        a_stale_write_of_the_status_conflicts,
        "apiserver/pkg/registry/generic/registry/store.go Update"
    ),
    behaviour!(
        the_scale_of_a_deployment_is_an_object,
        "pkg/registry/apps/deployment/storage/storage.go scaleFromDeployment"
    ),
    behaviour!(
        the_scale_of_a_stateful_set_is_an_object,
        "pkg/registry/apps/statefulset/storage/storage.go scaleFromStatefulSet"
    ),
    behaviour!(
        a_write_of_the_scale_sets_the_replicas,
        "pkg/registry/apps/deployment/storage/storage.go ScaleREST.Update"
    ),
    behaviour!(
        a_patch_of_the_scale_sets_the_replicas,
        "pkg/registry/apps/deployment/storage/storage.go ScaleREST.Update"
    ),
    behaviour!(
        a_stale_write_of_the_scale_conflicts,
        "pkg/registry/apps/deployment/storage/storage.go scaleUpdatedObjectInfo"
    ),
    behaviour!(
        a_scale_is_not_negative,
        "pkg/apis/autoscaling/validation/validation.go ValidateScale"
    ),
    behaviour!(
        data_has_no_scale,
        "apiserver/pkg/endpoints/installer.go registerResourceHandlers"
    ),
];

fn generation(wanted: u64) -> Value {
    json!({"metadata": {"generation": wanted}})
}

async fn workloads_begin_at_generation_one(on: Ground) -> Result<(), String> {
    for (path, object) in [
        (DEPLOYMENTS, deployment("a", 0)),
        ("apps/v1/replicasets", replica_set("a", 0)),
        ("apps/v1/statefulsets", stateful_set("a", 0)),
        ("apps/v1/daemonsets", daemon_set("a")),
        ("batch/v1/cronjobs", cron_job("a")),
        ("policy/v1/poddisruptionbudgets", budget("a", json!({}))),
    ] {
        let made = on.make(path, &object).await?;
        same(&made, &generation(1)).map_err(|why| format!("{path}: {why}"))?;
    }
    Ok(())
}

async fn data_has_no_generation(on: Ground) -> Result<(), String> {
    let none = json!({"metadata": {"generation": null}});
    same(&on.make("v1/configmaps", &map("a")).await?, &none)?;
    let path = "coordination.k8s.io/v1/leases";
    same(&on.make(path, &lease("a")).await?, &none)
}

async fn a_change_of_the_spec_is_a_generation(on: Ground) -> Result<(), String> {
    on.make(DEPLOYMENTS, &deployment("a", 0)).await?;
    let changed = on
        .change(DEPLOYMENT, &json!({"spec": {"minReadySeconds": 1}}))
        .await?;
    same(&changed, &generation(2))?;
    let again = on
        .change(DEPLOYMENT, &json!({"spec": {"minReadySeconds": 1}}))
        .await?;
    same(&again, &generation(2))
}

fn noted(part: &str) -> Value {
    json!({"metadata": {part: {"firedrill.example/note": "one"}}})
}

async fn a_label_is_no_generation(on: Ground) -> Result<(), String> {
    on.make(DEPLOYMENTS, &deployment("a", 0)).await?;
    let changed = on.change(DEPLOYMENT, &noted("labels")).await?;
    same(&changed, &generation(1))
}

async fn an_annotation_of_a_deployment_is_a_generation(on: Ground) -> Result<(), String> {
    on.make(DEPLOYMENTS, &deployment("a", 0)).await?;
    let changed = on.change(DEPLOYMENT, &noted("annotations")).await?;
    same(&changed, &generation(2))
}

async fn an_annotation_of_other_workloads_is_no_generation(on: Ground) -> Result<(), String> {
    for (path, object) in [
        ("apps/v1/replicasets", replica_set("a", 0)),
        ("apps/v1/statefulsets", stateful_set("b", 0)),
        ("apps/v1/daemonsets", daemon_set("c")),
    ] {
        let made = on.make(path, &object).await?;
        let name = made["metadata"]["name"].as_str().unwrap_or_default();
        let own = format!("{path}/{name}");
        let changed = on.change(&own, &noted("annotations")).await?;
        same(&changed, &generation(1)).map_err(|why| format!("{path}: {why}"))?;
    }
    Ok(())
}

async fn a_client_does_not_choose_the_generation(on: Ground) -> Result<(), String> {
    let asked = with(deployment("a", 0), generation(7));
    same(&on.make(DEPLOYMENTS, &asked).await?, &generation(1))?;
    same(
        &on.change(DEPLOYMENT, &generation(7)).await?,
        &generation(1),
    )
}

async fn a_controller_says_which_generation_it_has_seen(on: Ground) -> Result<(), String> {
    on.make(DEPLOYMENTS, &deployment("a", 0)).await?;
    let seen = |number: u64| json!({"status": {"observedGeneration": number}});
    on.until(DEPLOYMENT, &seen(1)).await?;
    on.change(DEPLOYMENT, &json!({"spec": {"minReadySeconds": 1}}))
        .await?;
    on.until(DEPLOYMENT, &seen(2)).await.map(drop)
}

async fn the_status_is_written_by_itself(on: Ground) -> Result<(), String> {
    on.make("v1/pods", &pod("a")).await?;
    let both = json!({"spec": {"activeDeadlineSeconds": 9}, "status": {"message": "hello"}});
    let written = on.change("v1/pods/a/status", &both).await?;
    let wanted = json!({"spec": {"activeDeadlineSeconds": null}, "status": {"message": "hello"}});
    same(&written, &wanted)?;
    same(&on.read("v1/pods/a").await?, &wanted)
}

async fn a_write_of_the_object_leaves_the_status(on: Ground) -> Result<(), String> {
    on.make("v1/pods", &pod("a")).await?;
    let both = json!({"spec": {"activeDeadlineSeconds": 9}, "status": {"message": "hello"}});
    let written = on.change("v1/pods/a", &both).await?;
    let wanted = json!({"spec": {"activeDeadlineSeconds": 9}, "status": {"message": null}});
    same(&written, &wanted)
}

async fn a_new_object_has_no_status_of_its_clients(on: Ground) -> Result<(), String> {
    let asked = with(deployment("a", 0), json!({"status": {"replicas": 7}}));
    let made = on.make(DEPLOYMENTS, &asked).await?;
    same(&made, &json!({"status": {"replicas": null}}))
}

async fn a_write_of_the_status_leaves_the_labels_of_a_deployment(on: Ground) -> Result<(), String> {
    on.make(DEPLOYMENTS, &deployment("a", 0)).await?;
    let path = "apps/v1/deployments/a/status";
    let written = on.change(path, &noted("labels")).await?;
    same(&written, &json!({"metadata": {"labels": null}}))
}

async fn a_write_of_the_status_may_annotate_a_deployment(on: Ground) -> Result<(), String> {
    on.make(DEPLOYMENTS, &deployment("a", 0)).await?;
    let path = "apps/v1/deployments/a/status";
    let written = on.change(path, &noted("annotations")).await?;
    same(&written, &with(noted("annotations"), generation(1)))
}

async fn the_status_is_read_with_the_object(on: Ground) -> Result<(), String> {
    on.make(DEPLOYMENTS, &deployment("a", 0)).await?;
    let read = on.read("apps/v1/deployments/a/status").await?;
    same(
        &read,
        &json!({"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 0}}),
    )
}

async fn a_stale_write_of_the_status_conflicts(on: Ground) -> Result<(), String> {
    let first = on.make("v1/pods", &pod("a")).await?;
    on.change("v1/pods/a", &noted("annotations")).await?;
    let stale = with(first, json!({"status": {"message": "hello"}}));
    let answer = on.put("v1/pods/a/status", &stale).await?;
    let part = "Operation cannot be fulfilled on pods \"a\": the object has been modified";
    answer.refuses_saying(409, "Conflict", part)
}

const SCALE: &str = "apps/v1/deployments/a/scale";

async fn the_scale_of_a_deployment_is_an_object(on: Ground) -> Result<(), String> {
    let made = on.make(DEPLOYMENTS, &deployment("a", 0)).await?;
    let scale = on.read(SCALE).await?;
    let metadata = json!({
        "name": "a", "namespace": on.namespace(), "uid": made["metadata"]["uid"],
        "creationTimestamp": made["metadata"]["creationTimestamp"],
    });
    same(
        &scale,
        &json!({
            "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
            "status": {"replicas": 0, "selector": "app=a"},
        }),
    )
}

async fn the_scale_of_a_stateful_set_is_an_object(on: Ground) -> Result<(), String> {
    let asked = with(
        stateful_set("a", 2),
        json!({"spec": {"podManagementPolicy": "Parallel"}}),
    );
    on.make("apps/v1/statefulsets", &asked).await?;
    let path = "apps/v1/statefulsets/a";
    on.until(path, &json!({"status": {"replicas": 2}})).await?;
    let scale = on.read("apps/v1/statefulsets/a/scale").await?;
    same(
        &scale,
        &json!({
            "kind": "Scale", "apiVersion": "autoscaling/v1",
            "spec": {"replicas": 2}, "status": {"replicas": 2, "selector": "app=a"},
        }),
    )
}

async fn a_write_of_the_scale_sets_the_replicas(on: Ground) -> Result<(), String> {
    on.make(DEPLOYMENTS, &deployment("a", 0)).await?;
    let scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {"name": "a", "namespace": on.namespace()}, "spec": {"replicas": 2},
    });
    let answered = on.put(SCALE, &scale).await?.with(200)?;
    same(
        &answered,
        &json!({"kind": "Scale", "spec": {"replicas": 2}}),
    )?;
    let scaled = with(generation(2), json!({"spec": {"replicas": 2}}));
    same(&on.read(DEPLOYMENT).await?, &scaled)
}

async fn a_patch_of_the_scale_sets_the_replicas(on: Ground) -> Result<(), String> {
    on.make(DEPLOYMENTS, &deployment("a", 0)).await?;
    let two = json!({"spec": {"replicas": 2}});
    let answered = on.change(SCALE, &two).await?;
    same(&answered, &with(two.clone(), json!({"kind": "Scale"})))?;
    same(&on.read(DEPLOYMENT).await?, &two)
}

async fn a_stale_write_of_the_scale_conflicts(on: Ground) -> Result<(), String> {
    let made = on.make(DEPLOYMENTS, &deployment("a", 0)).await?;
    on.change(DEPLOYMENT, &noted("labels")).await?;
    let scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": "a", "namespace": on.namespace(),
            "resourceVersion": made["metadata"]["resourceVersion"],
        },
        "spec": {"replicas": 2},
    });
    let answer = on.put(SCALE, &scale).await?;
    let part = "the object has been modified; please apply your changes to the latest version";
    answer.refuses_saying(409, "Conflict", part)
}

async fn a_scale_is_not_negative(on: Ground) -> Result<(), String> {
    on.make(DEPLOYMENTS, &deployment("a", 0)).await?;
    let patch = json!({"spec": {"replicas": -1}});
    let answer = on.patch(Patch::Merge, SCALE, &patch).await?;
    let part = "spec.replicas: Invalid value: -1: must be greater than or equal to 0";
    answer.refuses_saying(422, "Invalid", part)
}

async fn data_has_no_scale(on: Ground) -> Result<(), String> {
    on.make("v1/configmaps", &map("a")).await?;
    let answer = on.get("v1/configmaps/a/scale").await?;
    let message = "the server could not find the requested resource";
    answer.refuses(404, "NotFound", message)
}
