//! JSON patches and merge patches.

use http::Method;
use serde_json::{Value, json};

use super::compare::{same, with};
use super::ground::Patch;
use super::objects::{deployment, map};
use super::paths::{MAP, MAPS};
use super::table::behaviour;
use super::{Behaviour, Ground};

pub(super) const TABLE: &[Behaviour] = &[
    behaviour!(
        a_json_patch_takes_its_steps_in_order,
        "apiserver/pkg/endpoints/handlers/patch.go jsonPatcher"
    ),
    behaviour!(
        a_json_patch_whose_test_fails_is_refused,
        "apiserver/pkg/endpoints/handlers/patch.go applyJSPatch"
    ),
    behaviour!(
        a_json_patch_is_done_whole_or_not,
        "apiserver/pkg/endpoints/handlers/patch.go applyJSPatch"
    ),
    behaviour!(
        a_json_patch_adds_below_what_exists,
        "apiserver/pkg/endpoints/handlers/patch.go applyJSPatch"
    ),
    behaviour!(
        a_json_patch_removes_what_exists,
        "apiserver/pkg/endpoints/handlers/patch.go applyJSPatch"
    ),
    behaviour!(
        a_json_patch_escapes_slashes,
        "apiserver/pkg/endpoints/handlers/patch.go applyJSPatch"
    ),
    behaviour!(
        a_json_patch_appends_to_a_list,
        "apiserver/pkg/endpoints/handlers/patch.go applyJSPatch"
    ),
    behaviour!(
        a_json_patch_may_test_the_version,
        "apiserver/pkg/endpoints/handlers/patch.go applyJSPatch"
    ),
    behaviour!(
        a_json_patch_is_a_list,
        "apiserver/pkg/endpoints/handlers/patch.go applyJSPatch"
    ),
    behaviour!(
        a_merge_patch_removes_by_null,
        "apiserver/pkg/endpoints/handlers/patch.go jsonPatcher"
    ),
    behaviour!(
        a_merge_patch_replaces_lists,
        "apiserver/pkg/endpoints/handlers/patch.go jsonPatcher"
    ),
    behaviour!(
        a_merge_patch_that_says_nothing_new_changes_nothing,
        "apiserver/pkg/storage/etcd3/store.go GuaranteedUpdate"
    ),
    behaviour!(
        a_patch_with_a_stale_version_conflicts,
        "apiserver/pkg/endpoints/handlers/patch.go patchResource"
    ),
    behaviour!(
        a_patch_with_the_present_version_is_done,
        "apiserver/pkg/endpoints/handlers/patch.go patchResource"
    ),
    behaviour!(
        a_patch_needs_its_object,
        "apiserver/pkg/endpoints/handlers/patch.go applyPatch"
    ),
    behaviour!(
        a_patch_keeps_the_name,
        "apiserver/pkg/endpoints/handlers/rest.go checkName"
    ),
    behaviour!(
        a_patch_of_an_unknown_format_is_refused,
        "apiserver/pkg/server/handler.go serviceErrorHandler"
    ),
    behaviour!(
        a_patch_is_validated,
        "apiserver/pkg/registry/rest/update.go BeforeUpdate"
    ),
    behaviour!(
        a_patch_of_the_whole_collection_is_refused,
        "apiserver/pkg/endpoints/installer.go registerResourceHandlers"
    ),
];

const REJECTED: &str = "the server rejected our request due to an error in our request";

/// A JSON patch of a new ConfigMap that is granted; it afterwards.
async fn patched(on: &Ground, steps: Value) -> Result<Value, String> {
    on.make(MAPS, &map("a")).await?;
    on.patch(Patch::Json, MAP, &steps).await?.with(200)
}

/// A JSON patch of a new ConfigMap that is refused.
async fn rejected(on: &Ground, steps: Value) -> Result<(), String> {
    on.make(MAPS, &map("a")).await?;
    let answer = on.patch(Patch::Json, MAP, &steps).await?;
    answer.refuses(422, "Invalid", REJECTED)
}

async fn a_json_patch_takes_its_steps_in_order(on: Ground) -> Result<(), String> {
    let steps = json!([
        {"op": "test", "path": "/data/key", "value": "value"},
        {"op": "add", "path": "/data/more", "value": "1"},
        {"op": "copy", "from": "/data/more", "path": "/data/same"},
        {"op": "replace", "path": "/data/more", "value": "2"},
        {"op": "move", "from": "/data/key", "path": "/data/moved"},
    ]);
    let wanted = json!({"more": "2", "same": "1", "moved": "value", "key": null});
    same(&patched(&on, steps).await?["data"], &wanted)
}

async fn a_json_patch_whose_test_fails_is_refused(on: Ground) -> Result<(), String> {
    rejected(
        &on,
        json!([{"op": "test", "path": "/data/key", "value": "other"}]),
    )
    .await
}

async fn a_json_patch_is_done_whole_or_not(on: Ground) -> Result<(), String> {
    let steps = json!([
        {"op": "replace", "path": "/data/key", "value": "other"},
        {"op": "test", "path": "/data/key", "value": "value"},
    ]);
    rejected(&on, steps).await?;
    same(&on.read(MAP).await?, &json!({"data": {"key": "value"}}))
}

async fn a_json_patch_adds_below_what_exists(on: Ground) -> Result<(), String> {
    let step = json!({"op": "add", "path": "/metadata/labels/app", "value": "web"});
    rejected(&on, json!([step])).await
}

async fn a_json_patch_removes_what_exists(on: Ground) -> Result<(), String> {
    rejected(&on, json!([{"op": "remove", "path": "/data/nothing"}])).await
}

async fn a_json_patch_escapes_slashes(on: Ground) -> Result<(), String> {
    let steps = json!([
        {"op": "add", "path": "/metadata/annotations", "value": {}},
        {"op": "add", "path": "/metadata/annotations/example.com~1a~0b", "value": "c"},
    ]);
    // A tilde is no part of a name: the annotation is refused, and so the path was read.
    on.make(MAPS, &map("a")).await?;
    let answer = on.patch(Patch::Json, MAP, &steps).await?;
    answer.refuses_saying(
        422,
        "Invalid",
        "metadata.annotations: Invalid value: \"example.com/a~b\"",
    )
}

async fn a_json_patch_appends_to_a_list(on: Ground) -> Result<(), String> {
    on.make("apps/v1/deployments", &deployment("a", 0)).await?;
    let more = json!({"name": "side", "image": "side:1"});
    let steps = json!([{"op": "add", "path": "/spec/template/spec/containers/-", "value": more}]);
    let patched = on
        .patch(Patch::Json, "apps/v1/deployments/a", &steps)
        .await?
        .with(200)?;
    let containers = json!([{"name": "web"}, {"name": "side"}]);
    same(
        &patched["spec"]["template"]["spec"]["containers"],
        &containers,
    )
}

async fn a_json_patch_may_test_the_version(on: Ground) -> Result<(), String> {
    let made = on.make(MAPS, &map("a")).await?;
    let version = &made["metadata"]["resourceVersion"];
    let steps = json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {"op": "replace", "path": "/data/key", "value": "other"},
    ]);
    on.patch(Patch::Json, MAP, &steps).await?.with(200)?;
    on.patch(Patch::Json, MAP, &steps)
        .await?
        .refuses(422, "Invalid", REJECTED)
}

async fn a_json_patch_is_a_list(on: Ground) -> Result<(), String> {
    on.make(MAPS, &map("a")).await?;
    let answer = on.patch(Patch::Json, MAP, &json!({"op": "remove"})).await?;
    answer
        .with(400)
        .and_then(|it| same(&it, &json!({"reason": "BadRequest"})))
}

async fn a_merge_patch_removes_by_null(on: Ground) -> Result<(), String> {
    on.make(MAPS, &with(map("a"), json!({"data": {"more": "1"}})))
        .await?;
    let changed = on
        .change(MAP, &json!({"data": {"key": null, "new": "2"}}))
        .await?;
    same(
        &changed["data"],
        &json!({"key": null, "more": "1", "new": "2"}),
    )
}

async fn a_merge_patch_replaces_lists(on: Ground) -> Result<(), String> {
    on.make("apps/v1/deployments", &deployment("a", 0)).await?;
    let containers = json!([{"name": "other", "image": "other:1"}]);
    let patch = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    let changed = on.change("apps/v1/deployments/a", &patch).await?;
    same(&changed, &patch)
}

async fn a_merge_patch_that_says_nothing_new_changes_nothing(on: Ground) -> Result<(), String> {
    let made = on.make(MAPS, &map("a")).await?;
    let changed = on.change(MAP, &json!({"data": {"key": "value"}})).await?;
    let version = &made["metadata"]["resourceVersion"];
    same(&changed, &json!({"metadata": {"resourceVersion": version}}))
}

/// A patch that holds for one version of the object alone.
fn at_version(of: &Value) -> Value {
    let version = &of["metadata"]["resourceVersion"];
    json!({"metadata": {"resourceVersion": version}, "data": {"key": "third"}})
}

async fn a_patch_with_a_stale_version_conflicts(on: Ground) -> Result<(), String> {
    let made = on.make(MAPS, &map("a")).await?;
    on.change(MAP, &json!({"data": {"key": "other"}})).await?;
    let answer = on.patch(Patch::Merge, MAP, &at_version(&made)).await?;
    let part = "the object has been modified; please apply your changes to the latest version";
    answer.refuses_saying(409, "Conflict", part)
}

async fn a_patch_with_the_present_version_is_done(on: Ground) -> Result<(), String> {
    let made = on.make(MAPS, &map("a")).await?;
    let changed = on.change(MAP, &at_version(&made)).await?;
    same(&changed, &json!({"data": {"key": "third"}}))
}

async fn a_patch_needs_its_object(on: Ground) -> Result<(), String> {
    let answer = on
        .patch(Patch::Merge, MAP, &json!({"data": {"key": "other"}}))
        .await?;
    answer.refuses(404, "NotFound", "configmaps \"a\" not found")
}

async fn a_patch_keeps_the_name(on: Ground) -> Result<(), String> {
    on.make(MAPS, &map("a")).await?;
    let answer = on
        .patch(Patch::Merge, MAP, &json!({"metadata": {"name": "b"}}))
        .await?;
    let message = "the name of the object (b) does not match the name on the URL (a)";
    answer.refuses(400, "BadRequest", message)
}

async fn a_patch_of_an_unknown_format_is_refused(on: Ground) -> Result<(), String> {
    on.make(MAPS, &map("a")).await?;
    let answer = on
        .send(Method::PATCH, MAP, "application/json", b"{}".to_vec())
        .await?;
    let message = "415: Unsupported Media Type";
    answer.refuses(415, "UnsupportedMediaType", message)
}

async fn a_patch_is_validated(on: Ground) -> Result<(), String> {
    on.make("apps/v1/deployments", &deployment("a", 0)).await?;
    let patch = json!({"spec": {"replicas": -1}});
    let answer = on
        .patch(Patch::Merge, "apps/v1/deployments/a", &patch)
        .await?;
    let message = "Deployment.apps \"a\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0";
    answer.refuses(422, "Invalid", message)
}

async fn a_patch_of_the_whole_collection_is_refused(on: Ground) -> Result<(), String> {
    let answer = on.patch(Patch::Merge, MAPS, &json!({"data": {}})).await?;
    answer
        .with(405)
        .and_then(|it| same(&it, &json!({"reason": "MethodNotAllowed"})))
}
