//! Strategic merge patches.

use serde_json::{Value, json};

use super::compare::{holds, same, with};
use super::ground::Patch;
use super::objects::{IMAGE, deployment, image, map, service};
use super::paths::DEPLOYMENT;
use super::table::behaviour;
use super::{Behaviour, Ground};

pub(super) const TABLE: &[Behaviour] = &[
    behaviour!(
        containers_are_merged_by_name,
        "apimachinery/pkg/util/strategicpatch/patch.go mergeSliceWithoutSpecialElements"
    ),
    behaviour!(
        a_container_of_another_name_is_added,
        "apimachinery/pkg/util/strategicpatch/patch.go mergeSliceWithoutSpecialElements"
    ),
    behaviour!(
        an_element_is_deleted_by_its_key,
        "apimachinery/pkg/util/strategicpatch/patch.go mergeSliceWithSpecialElements"
    ),
    behaviour!(
        a_list_may_be_replaced,
        "apimachinery/pkg/util/strategicpatch/patch.go mergeSliceWithSpecialElements"
    ),
    behaviour!(
        a_map_may_be_replaced,
        "apimachinery/pkg/util/strategicpatch/patch.go handleDirectiveInMergeMap"
    ),
    behaviour!(
        a_null_removes_a_field,
        "apimachinery/pkg/util/strategicpatch/patch.go mergeMap"
    ),
    behaviour!(
        keys_that_are_retained_leave_no_others,
        "apimachinery/pkg/util/strategicpatch/patch.go handleDirectiveMarker"
    ),
    behaviour!(
        elements_come_in_the_order_that_is_set,
        "apimachinery/pkg/util/strategicpatch/patch.go normalizeElementOrder"
    ),
    behaviour!(
        finalizers_are_added_to_those_that_are_there,
        "apimachinery/pkg/util/strategicpatch/patch.go mergeSliceWithoutSpecialElements"
    ),
    behaviour!(
        a_finalizer_is_deleted_by_its_value,
        "apimachinery/pkg/util/strategicpatch/patch.go deleteFromSlice"
    ),
    behaviour!(
        variables_are_merged_by_name,
        "apimachinery/pkg/util/strategicpatch/patch.go mergeSliceWithoutSpecialElements"
    ),
    behaviour!(
        ports_of_a_service_are_merged_by_number,
        "apimachinery/pkg/util/strategicpatch/patch.go mergeSliceWithoutSpecialElements"
    ),
    behaviour!(
        arguments_are_replaced_as_a_whole,
        "apimachinery/pkg/util/strategicpatch/patch.go mergeSlice"
    ),
];

/// What of a pod's template the patch changes.
fn of_template(spec: Value) -> Value {
    json!({"spec": {"template": {"spec": spec}}})
}

/// The spec of the template of a Deployment with one container after a patch.
async fn patched(on: &Ground, container: Value, patch: Value) -> Result<Value, String> {
    let web = with(json!({"name": "web", "image": IMAGE}), container);
    let containers = of_template(json!({"containers": [web]}));
    on.make("apps/v1/deployments", &with(deployment("a", 0), containers))
        .await?;
    let answer = on.patch(Patch::Strategic, DEPLOYMENT, &patch).await?;
    Ok(answer.with(200)?["spec"].take())
}

/// The containers of a patched template by name.
fn containers(spec: &Value) -> Vec<&str> {
    let all = spec["template"]["spec"]["containers"].as_array();
    let names = all.into_iter().flatten();
    names.filter_map(|it| it["name"].as_str()).collect()
}

async fn containers_are_merged_by_name(on: Ground) -> Result<(), String> {
    let kept = json!({"args": ["--fast"]});
    let spec = patched(&on, kept, image("conformance/web:2")).await?;
    same(
        &spec["template"]["spec"]["containers"],
        &json!([{"name": "web", "image": "conformance/web:2", "args": ["--fast"]}]),
    )
}

async fn a_container_of_another_name_is_added(on: Ground) -> Result<(), String> {
    let side = json!({"containers": [{"name": "side", "image": "side:1"}]});
    let spec = patched(&on, json!({}), of_template(side)).await?;
    let mut names = containers(&spec);
    names.sort_unstable();
    holds(names == ["side", "web"], "both", &spec)
}

async fn an_element_is_deleted_by_its_key(on: Ground) -> Result<(), String> {
    let change = json!({"containers": [
        {"name": "side", "image": "side:1"},
        {"name": "web", "$patch": "delete"},
    ]});
    let spec = patched(&on, json!({}), of_template(change)).await?;
    holds(containers(&spec) == ["side"], "the other", &spec)
}

async fn a_list_may_be_replaced(on: Ground) -> Result<(), String> {
    let change = json!({"containers": [
        {"$patch": "replace"},
        {"name": "side", "image": "side:1"},
    ]});
    let spec = patched(&on, json!({}), of_template(change)).await?;
    holds(containers(&spec) == ["side"], "the new one", &spec)
}

async fn a_map_may_be_replaced(on: Ground) -> Result<(), String> {
    on.make(
        "v1/configmaps",
        &with(map("a"), json!({"data": {"more": "1"}})),
    )
    .await?;
    let patch = json!({"data": {"$patch": "replace", "new": "2"}});
    let path = "v1/configmaps/a";
    let patched = on.patch(Patch::Strategic, path, &patch).await?.with(200)?;
    let left = json!({"key": null, "more": null, "new": "2", "$patch": null});
    same(&patched["data"], &left)
}

async fn a_null_removes_a_field(on: Ground) -> Result<(), String> {
    let kept = json!({"args": ["--fast"]});
    let change = json!({"containers": [{"name": "web", "args": null}]});
    let spec = patched(&on, kept, of_template(change)).await?;
    same(
        &spec["template"]["spec"]["containers"],
        &json!([{"name": "web", "image": IMAGE, "args": null}]),
    )
}

async fn keys_that_are_retained_leave_no_others(on: Ground) -> Result<(), String> {
    let strategy = json!({"$retainKeys": ["type"], "type": "Recreate"});
    let spec = patched(&on, json!({}), json!({"spec": {"strategy": strategy}})).await?;
    same(
        &spec["strategy"],
        &json!({"type": "Recreate", "rollingUpdate": null, "$retainKeys": null}),
    )
}

async fn elements_come_in_the_order_that_is_set(on: Ground) -> Result<(), String> {
    let change = json!({
        "$setElementOrder/containers": [{"name": "side"}, {"name": "web"}],
        "containers": [{"name": "side", "image": "side:1"}],
    });
    let spec = patched(&on, json!({}), of_template(change)).await?;
    holds(containers(&spec) == ["side", "web"], "that order", &spec)
}

const ONE: &str = "firedrill.example/one";
const TWO: &str = "firedrill.example/two";

/// The finalizers of a ConfigMap that has [`ONE`], after a patch. They are taken away again.
async fn finalizers(on: &Ground, patch: Value) -> Result<Vec<String>, String> {
    let path = "v1/configmaps/a";
    let held = json!({"metadata": {"finalizers": [ONE]}});
    on.make("v1/configmaps", &with(map("a"), held)).await?;
    let answer = on.patch(Patch::Strategic, path, &patch).await?;
    on.change(path, &json!({"metadata": {"finalizers": null}}))
        .await?;
    let left = answer.with(200)?["metadata"]["finalizers"].take();
    let left = left.as_array().into_iter().flatten();
    let mut left: Vec<String> = left
        .filter_map(|it| it.as_str().map(str::to_owned))
        .collect();
    left.sort_unstable();
    Ok(left)
}

async fn finalizers_are_added_to_those_that_are_there(on: Ground) -> Result<(), String> {
    let left = finalizers(&on, json!({"metadata": {"finalizers": [TWO]}})).await?;
    holds(left == [ONE, TWO], "both", &json!(left))
}

async fn a_finalizer_is_deleted_by_its_value(on: Ground) -> Result<(), String> {
    let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": [ONE]}});
    let left = finalizers(&on, patch).await?;
    holds(left.is_empty(), "none", &json!(left))
}

async fn variables_are_merged_by_name(on: Ground) -> Result<(), String> {
    let kept = json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]});
    let env = json!([{"name": "B", "value": "2"}]);
    let change = json!({"containers": [{"name": "web", "env": env}]});
    let spec = patched(&on, kept, of_template(change)).await?;
    let env = json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]);
    same(
        &spec["template"]["spec"]["containers"],
        &json!([{"env": env}]),
    )
}

async fn ports_of_a_service_are_merged_by_number(on: Ground) -> Result<(), String> {
    on.make("v1/services", &service("a")).await?;
    let patch = json!({"spec": {"ports": [{"port": 80, "targetPort": 8080}]}});
    let path = "v1/services/a";
    let patched = on.patch(Patch::Strategic, path, &patch).await?.with(200)?;
    let ports = json!([{"port": 80, "targetPort": 8080, "protocol": "TCP"}]);
    same(&patched["spec"]["ports"], &ports)
}

async fn arguments_are_replaced_as_a_whole(on: Ground) -> Result<(), String> {
    let kept = json!({"args": ["--fast", "--small"]});
    let change = json!({"containers": [{"name": "web", "args": ["--slow"]}]});
    let spec = patched(&on, kept, of_template(change)).await?;
    same(
        &spec["template"]["spec"]["containers"],
        &json!([{"args": ["--slow"]}]),
    )
}
