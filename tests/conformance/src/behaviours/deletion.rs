//! How objects go.

use serde_json::{Value, json};

use super::compare::{holds, same, with};
use super::ground::Patch;
use super::objects::{deployment, map, pod};
use super::paths::{HOLD, MAPS};
use super::table::behaviour;
use super::{Behaviour, Ground};

pub(super) const TABLE: &[Behaviour] = &[
    behaviour!(
        a_deletion_says_what_went,
        "apiserver/pkg/registry/generic/registry/store.go finalizeDelete"
    ),
    behaviour!(
        a_deletion_of_a_group_says_so,
        "apiserver/pkg/registry/generic/registry/store.go finalizeDelete"
    ),
    behaviour!(
        a_deleted_pod_is_the_answer,
        "pkg/registry/core/pod/storage/storage.go ReturnDeletedObject"
    ),
    behaviour!(
        a_pod_without_a_node_goes_at_once,
        "pkg/registry/core/pod/strategy.go CheckGracefulDelete"
    ),
    behaviour!(
        a_finalizer_holds_an_object,
        "apiserver/pkg/registry/generic/registry/store.go deletionFinalizersForGarbageCollection"
    ),
    behaviour!(
        an_object_goes_with_its_last_finalizer,
        "apiserver/pkg/registry/generic/registry/store.go deleteWithoutFinalizers"
    ),
    behaviour!(
        an_object_that_goes_takes_no_finalizer,
        "apimachinery/pkg/api/validation/objectmeta.go ValidateNoNewFinalizers"
    ),
    behaviour!(
        a_second_deletion_changes_nothing,
        "apiserver/pkg/registry/rest/delete.go BeforeDelete"
    ),
    behaviour!(
        an_object_that_goes_may_change,
        "apiserver/pkg/registry/rest/delete.go BeforeDelete"
    ),
    behaviour!(
        a_deletion_counts_as_a_generation,
        "apiserver/pkg/registry/rest/delete.go BeforeDelete"
    ),
    behaviour!(
        a_deletion_may_be_meant_for_one_uid,
        "apiserver/pkg/registry/rest/delete.go BeforeDelete"
    ),
    behaviour!(
        a_deletion_may_be_meant_for_one_version,
        "apiserver/pkg/registry/rest/delete.go BeforeDelete"
    ),
    behaviour!(
        a_deletion_that_is_meant_for_the_object_is_done,
        "apiserver/pkg/registry/rest/delete.go BeforeDelete"
    ),
    behaviour!(
        a_propagation_has_a_known_name,
        "apimachinery/pkg/apis/meta/v1/validation/validation.go ValidateDeleteOptions"
    ),
    behaviour!(
        a_collection_is_deleted_by_labels,
        "apiserver/pkg/registry/generic/registry/store.go DeleteCollection"
    ),
    behaviour!(
        a_collection_is_deleted_by_name,
        "apiserver/pkg/registry/generic/registry/store.go DeleteCollection"
    ),
    behaviour!(
        a_dry_run_deletes_no_collection,
        "apiserver/pkg/registry/generic/registry/store.go DeleteCollection"
    ),
    behaviour!(
        collections_are_deleted_in_one_namespace,
        "apiserver/pkg/endpoints/installer.go registerResourceHandlers"
    ),
    behaviour!(
        namespaces_are_deleted_one_by_one,
        "pkg/registry/core/namespace/storage/storage.go"
    ),
];

/// A ConfigMap that a finalizer holds.
async fn held(on: &Ground) -> Result<Value, String> {
    let finalizers = json!({"metadata": {"finalizers": [HOLD]}});
    on.make(MAPS, &with(map("a"), finalizers)).await
}

/// Takes the finalizers of an object away.
async fn release(on: &Ground, path: &str) -> Result<(), String> {
    let none = json!({"metadata": {"finalizers": null}});
    on.change(path, &none).await.map(drop)
}

async fn a_deletion_says_what_went(on: Ground) -> Result<(), String> {
    let made = on.make(MAPS, &map("a")).await?;
    let answer = on.delete("v1/configmaps/a").await?.with(200)?;
    same(
        &answer,
        &json!({
            "kind": "Status", "apiVersion": "v1", "status": "Success",
            "details": {"name": "a", "kind": "configmaps", "group": null, "uid": made["metadata"]["uid"]},
        }),
    )?;
    on.get("v1/configmaps/a").await?.with(404).map(drop)
}

async fn a_deletion_of_a_group_says_so(on: Ground) -> Result<(), String> {
    on.make("apps/v1/deployments", &deployment("a", 0)).await?;
    let answer = on.delete("apps/v1/deployments/a").await?.with(200)?;
    same(
        &answer["details"],
        &json!({"name": "a", "group": "apps", "kind": "deployments"}),
    )
}

async fn a_deleted_pod_is_the_answer(on: Ground) -> Result<(), String> {
    on.make("v1/pods", &pod("a")).await?;
    let answer = on.delete("v1/pods/a").await?.with(200)?;
    same(&answer, &json!({"kind": "Pod", "metadata": {"name": "a"}}))
}

async fn a_pod_without_a_node_goes_at_once(on: Ground) -> Result<(), String> {
    on.make("v1/pods", &pod("a")).await?;
    on.delete("v1/pods/a").await?.with(200)?;
    on.get("v1/pods/a")
        .await?
        .refuses(404, "NotFound", "pods \"a\" not found")
}

async fn a_finalizer_holds_an_object(on: Ground) -> Result<(), String> {
    held(&on).await?;
    let answer = on.delete("v1/configmaps/a").await?.with(200)?;
    let marked = json!({"metadata": {"finalizers": [HOLD], "deletionGracePeriodSeconds": 0}});
    same(&answer, &marked)?;
    let stays = on.read("v1/configmaps/a").await?;
    same(&stays, &marked)?;
    holds(
        stays["metadata"]["deletionTimestamp"].is_string(),
        "a time",
        &stays,
    )?;
    release(&on, "v1/configmaps/a").await
}

async fn an_object_goes_with_its_last_finalizer(on: Ground) -> Result<(), String> {
    held(&on).await?;
    on.delete("v1/configmaps/a").await?.with(200)?;
    release(&on, "v1/configmaps/a").await?;
    on.get("v1/configmaps/a").await?.with(404).map(drop)
}

async fn an_object_that_goes_takes_no_finalizer(on: Ground) -> Result<(), String> {
    held(&on).await?;
    on.delete("v1/configmaps/a").await?.with(200)?;
    let more = json!({"metadata": {"finalizers": [HOLD, "firedrill.example/more"]}});
    let answer = on.patch(Patch::Merge, "v1/configmaps/a", &more).await?;
    let part = "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"firedrill.example/more\"}";
    let refused = answer.refuses_saying(422, "Invalid", part);
    release(&on, "v1/configmaps/a").await?;
    refused
}

async fn a_second_deletion_changes_nothing(on: Ground) -> Result<(), String> {
    held(&on).await?;
    let first = on.delete("v1/configmaps/a").await?.with(200)?;
    let second = on.delete("v1/configmaps/a").await?.with(200)?;
    let version = json!({"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}});
    let unchanged = same(&second, &version);
    release(&on, "v1/configmaps/a").await?;
    unchanged
}

async fn an_object_that_goes_may_change(on: Ground) -> Result<(), String> {
    held(&on).await?;
    on.delete("v1/configmaps/a").await?.with(200)?;
    let changed = on
        .change("v1/configmaps/a", &json!({"data": {"key": "other"}}))
        .await?;
    release(&on, "v1/configmaps/a").await?;
    same(&changed, &json!({"data": {"key": "other"}}))
}

async fn a_deletion_counts_as_a_generation(on: Ground) -> Result<(), String> {
    let finalizers = json!({"metadata": {"finalizers": [HOLD]}});
    on.make("apps/v1/deployments", &with(deployment("a", 0), finalizers))
        .await?;
    let marked = on.delete("apps/v1/deployments/a").await?.with(200)?;
    release(&on, "apps/v1/deployments/a").await?;
    same(&marked, &json!({"metadata": {"generation": 2}}))
}

async fn a_deletion_may_be_meant_for_one_uid(on: Ground) -> Result<(), String> {
    let made = on.make(MAPS, &map("a")).await?;
    let other = "00000000-0000-4000-8000-000000000000";
    let options = json!({"preconditions": {"uid": other}});
    let answer = on.delete_with("v1/configmaps/a", &options).await?;
    let own = made["metadata"]["uid"].as_str().unwrap_or_default();
    let part = format!(
        "the UID in the precondition ({other}) does not match the UID in record ({own}). The object might have been deleted and then recreated"
    );
    answer.refuses_saying(409, "Conflict", &part)?;
    on.read("v1/configmaps/a").await.map(drop)
}

async fn a_deletion_may_be_meant_for_one_version(on: Ground) -> Result<(), String> {
    let made = on.make(MAPS, &map("a")).await?;
    on.change("v1/configmaps/a", &json!({"data": {"key": "other"}}))
        .await?;
    let version = made["metadata"]["resourceVersion"]
        .as_str()
        .unwrap_or_default();
    let options = json!({"preconditions": {"resourceVersion": version}});
    let answer = on.delete_with("v1/configmaps/a", &options).await?;
    let part = format!(
        "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ("
    );
    answer.refuses_saying(409, "Conflict", &part)
}

async fn a_deletion_that_is_meant_for_the_object_is_done(on: Ground) -> Result<(), String> {
    let made = on.make(MAPS, &map("a")).await?;
    let own = |field: &str| made["metadata"][field].clone();
    let meant = json!({"uid": own("uid"), "resourceVersion": own("resourceVersion")});
    on.delete_with("v1/configmaps/a", &json!({"preconditions": meant}))
        .await?
        .with(200)?;
    on.get("v1/configmaps/a").await?.with(404).map(drop)
}

async fn a_propagation_has_a_known_name(on: Ground) -> Result<(), String> {
    on.make(MAPS, &map("a")).await?;
    let answer = on
        .delete("v1/configmaps/a?propagationPolicy=Sideways")
        .await?;
    answer.refuses_saying(
        422,
        "Invalid",
        "propagationPolicy: Unsupported value: \"Sideways\"",
    )
}

/// Three ConfigMaps, of which two have a label.
async fn three(on: &Ground) -> Result<(), String> {
    for (name, tier) in [("a", "front"), ("b", "front"), ("c", "back")] {
        let labels = json!({"metadata": {"labels": {"tier": tier}}});
        on.make(MAPS, &with(map(name), labels)).await?;
    }
    Ok(())
}

async fn a_collection_is_deleted_by_labels(on: Ground) -> Result<(), String> {
    three(&on).await?;
    let gone = on
        .delete("v1/configmaps?labelSelector=tier%3Dfront")
        .await?
        .with(200)?;
    same(&gone, &json!({"kind": "ConfigMapList"}))?;
    holds(
        gone["items"].as_array().is_some_and(|it| it.len() == 2),
        "two went",
        &gone,
    )?;
    on.get("v1/configmaps/a").await?.with(404)?;
    on.read("v1/configmaps/c").await.map(drop)
}

async fn a_collection_is_deleted_by_name(on: Ground) -> Result<(), String> {
    three(&on).await?;
    on.delete("v1/configmaps?fieldSelector=metadata.name%3Da")
        .await?
        .with(200)?;
    on.get("v1/configmaps/a").await?.with(404)?;
    on.read("v1/configmaps/b").await.map(drop)
}

async fn a_dry_run_deletes_no_collection(on: Ground) -> Result<(), String> {
    three(&on).await?;
    on.delete("v1/configmaps?labelSelector=tier&dryRun=All")
        .await?
        .with(200)?;
    on.read("v1/configmaps/a").await?;
    on.read("v1/configmaps/c").await.map(drop)
}

async fn collections_are_deleted_in_one_namespace(on: Ground) -> Result<(), String> {
    let answer = on
        .delete("/api/v1/configmaps?labelSelector=nobody%3Dhas")
        .await?;
    answer
        .with(405)
        .and_then(|it| same(&it, &json!({"reason": "MethodNotAllowed"})))
}

async fn namespaces_are_deleted_one_by_one(on: Ground) -> Result<(), String> {
    let answer = on
        .delete("/api/v1/namespaces?labelSelector=nobody%3Dhas")
        .await?;
    answer
        .with(405)
        .and_then(|it| same(&it, &json!({"reason": "MethodNotAllowed"})))
}
