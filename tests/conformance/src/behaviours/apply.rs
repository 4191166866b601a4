//! Server-side apply: who owns fields, and who may change them.

use serde_json::{Value, json};

use super::compare::{holds, same, with};
use super::ground::{Answer, Patch};
use super::objects::{IMAGE, deployment, map};
use super::paths::MAP;
use super::table::behaviour;
use super::{Behaviour, Ground};

pub(super) const TABLE: &[Behaviour] = &[
    behaviour!(
        an_apply_creates_what_is_not_there,
        "apiserver/pkg/endpoints/handlers/patch.go applyPatcher createNewObject"
    ),
    behaviour!(
        an_applier_owns_what_it_sends,
        "apimachinery/pkg/util/managedfields/internal/structuredmerge.go Apply"
    ),
    behaviour!(
        the_same_apply_changes_nothing,
        "apimachinery/pkg/util/managedfields/internal/structuredmerge.go Apply"
    ),
    behaviour!(
        an_applier_has_a_name,
        "apimachinery/pkg/apis/meta/v1/validation/validation.go ValidatePatchOptions"
    ),
    behaviour!(
        only_an_apply_is_forced,
        "apimachinery/pkg/apis/meta/v1/validation/validation.go ValidatePatchOptions"
    ),
    behaviour!(
        another_value_of_an_owned_field_conflicts,
        "apimachinery/pkg/util/managedfields/internal/conflict.go NewConflictError"
    ),
    behaviour!(
        all_conflicts_are_told,
        "apimachinery/pkg/util/managedfields/internal/conflict.go NewConflictError"
    ),
    behaviour!(
        a_forced_apply_takes_the_field,
        "structured-merge-diff/merge/update.go Apply"
    ),
    behaviour!(
        the_same_value_is_owned_together,
        "structured-merge-diff/merge/update.go Apply"
    ),
    behaviour!(
        what_is_no_longer_applied_is_removed,
        "structured-merge-diff/merge/update.go prune"
    ),
    behaviour!(
        what_another_applies_stays,
        "structured-merge-diff/merge/update.go prune"
    ),
    behaviour!(
        an_update_takes_what_it_changes,
        "structured-merge-diff/merge/update.go Update"
    ),
    behaviour!(
        what_an_update_took_conflicts,
        "apimachinery/pkg/util/managedfields/internal/conflict.go NewConflictError"
    ),
    behaviour!(
        elements_of_a_list_have_owners_of_their_own,
        "structured-merge-diff/typed/merge.go visitListItems"
    ),
    behaviour!(
        an_apply_says_nothing_of_owners,
        "apimachinery/pkg/util/managedfields/internal/structuredmerge.go Apply"
    ),
    behaviour!(
        a_dry_run_applies_nothing,
        "apiserver/pkg/registry/generic/registry/dryrun.go GuaranteedUpdate"
    ),
];

/// Applies data as `manager`.
async fn apply(on: &Ground, manager: &str, data: Value) -> Result<Answer, String> {
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data,
    });
    let path = format!("{MAP}?fieldManager={manager}");
    on.patch(Patch::Apply, &path, &config).await
}

/// The entry of a manager among those that own fields.
fn of<'a>(object: &'a Value, manager: &str) -> &'a Value {
    let all = object["metadata"]["managedFields"].as_array();
    let mut all = all.into_iter().flatten();
    all.find(|it| it["manager"] == manager)
        .unwrap_or(&Value::Null)
}

async fn an_apply_creates_what_is_not_there(on: Ground) -> Result<(), String> {
    let made = apply(&on, "one", json!({"key": "1"})).await?.with(201)?;
    same(
        &made,
        &json!({"metadata": {"name": "a"}, "data": {"key": "1"}}),
    )?;
    let again = apply(&on, "one", json!({"key": "2"})).await?.with(200)?;
    same(&again, &json!({"data": {"key": "2"}}))
}

async fn an_applier_owns_what_it_sends(on: Ground) -> Result<(), String> {
    let made = apply(&on, "one", json!({"key": "1"})).await?.with(201)?;
    let owners = &made["metadata"]["managedFields"];
    same(
        owners,
        &json!([{
            "manager": "one", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:key": {}}}, "subresource": null,
        }]),
    )?;
    holds(owners[0]["time"].is_string(), "a time", owners)
}

async fn the_same_apply_changes_nothing(on: Ground) -> Result<(), String> {
    let made = apply(&on, "one", json!({"key": "1"})).await?.with(201)?;
    let again = apply(&on, "one", json!({"key": "1"})).await?.with(200)?;
    holds(made == again, "the same object", &again)
}

async fn an_applier_has_a_name(on: Ground) -> Result<(), String> {
    let answer = on.patch(Patch::Apply, MAP, &map("a")).await?;
    let message = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
    answer.refuses(422, "Invalid", message)
}

async fn only_an_apply_is_forced(on: Ground) -> Result<(), String> {
    on.make("v1/configmaps", &map("a")).await?;
    let path = format!("{MAP}?force=true");
    let answer = on.patch(Patch::Merge, &path, &json!({})).await?;
    let message = "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch";
    answer.refuses(422, "Invalid", message)
}

async fn another_value_of_an_owned_field_conflicts(on: Ground) -> Result<(), String> {
    apply(&on, "one", json!({"key": "1"})).await?.with(201)?;
    let answer = apply(&on, "two", json!({"key": "2"})).await?;
    let message = "Apply failed with 1 conflict: conflict with \"one\": .data.key";
    answer.refuses(409, "Conflict", message)?;
    let cause = json!({
        "reason": "FieldManagerConflict", "message": "conflict with \"one\"", "field": ".data.key",
    });
    same(&answer.body["details"], &json!({"causes": [cause]}))?;
    same(&on.read(MAP).await?, &json!({"data": {"key": "1"}}))
}

async fn all_conflicts_are_told(on: Ground) -> Result<(), String> {
    let first = json!({"key": "1", "more": "1"});
    apply(&on, "one", first).await?.with(201)?;
    let second = json!({"key": "2", "more": "2"});
    let answer = apply(&on, "two", second).await?;
    answer.refuses_saying(409, "Conflict", "Apply failed with 2 conflicts: ")?;
    let causes = answer.body["details"]["causes"].as_array();
    let mut fields: Vec<&str> = causes
        .into_iter()
        .flatten()
        .filter_map(|it| it["field"].as_str())
        .collect();
    fields.sort_unstable();
    let both = fields == [".data.key", ".data.more"];
    holds(both, "both fields", &answer.body)
}

async fn a_forced_apply_takes_the_field(on: Ground) -> Result<(), String> {
    let first = json!({"key": "1", "more": "1"});
    apply(&on, "one", first).await?.with(201)?;
    let taken = apply(&on, "two&force=true", json!({"key": "2"}))
        .await?
        .with(200)?;
    same(&taken, &json!({"data": {"key": "2", "more": "1"}}))?;
    let left = json!({"fieldsV1": {"f:data": {"f:key": null, "f:more": {}}}});
    same(of(&taken, "one"), &left)?;
    let has = json!({"operation": "Apply", "fieldsV1": {"f:data": {"f:key": {}}}});
    same(of(&taken, "two"), &has)
}

async fn the_same_value_is_owned_together(on: Ground) -> Result<(), String> {
    apply(&on, "one", json!({"key": "1"})).await?.with(201)?;
    let shared = apply(&on, "two", json!({"key": "1"})).await?.with(200)?;
    for manager in ["one", "two"] {
        let has = json!({"fieldsV1": {"f:data": {"f:key": {}}}});
        same(of(&shared, manager), &has).map_err(|why| format!("{manager}: {why}"))?;
    }
    Ok(())
}

async fn what_is_no_longer_applied_is_removed(on: Ground) -> Result<(), String> {
    let first = json!({"key": "1", "more": "1"});
    apply(&on, "one", first).await?.with(201)?;
    let less = apply(&on, "one", json!({"key": "1"})).await?.with(200)?;
    same(&less, &json!({"data": {"key": "1", "more": null}}))
}

async fn what_another_applies_stays(on: Ground) -> Result<(), String> {
    let first = json!({"key": "1", "more": "1"});
    apply(&on, "one", first).await?.with(201)?;
    apply(&on, "two", json!({"more": "1"})).await?.with(200)?;
    let less = apply(&on, "one", json!({"key": "1"})).await?.with(200)?;
    same(&less, &json!({"data": {"key": "1", "more": "1"}}))
}

/// Changes a field by an update as `editor`.
async fn edit(on: &Ground) -> Result<Value, String> {
    let path = format!("{MAP}?fieldManager=editor");
    on.change(&path, &json!({"data": {"key": "edited"}})).await
}

async fn an_update_takes_what_it_changes(on: Ground) -> Result<(), String> {
    let first = json!({"key": "1", "more": "1"});
    apply(&on, "one", first).await?.with(201)?;
    let edited = edit(&on).await?;
    let left = json!({"fieldsV1": {"f:data": {"f:key": null, "f:more": {}}}});
    same(of(&edited, "one"), &left)?;
    let has = json!({"operation": "Update", "fieldsV1": {"f:data": {"f:key": {}, "f:more": null}}});
    same(of(&edited, "editor"), &has)
}

async fn what_an_update_took_conflicts(on: Ground) -> Result<(), String> {
    apply(&on, "one", json!({"key": "1"})).await?.with(201)?;
    edit(&on).await?;
    let answer = apply(&on, "one", json!({"key": "1"})).await?;
    let message = "Apply failed with 1 conflict: conflict with \"editor\" using v1: .data.key";
    answer.refuses(409, "Conflict", message)
}

async fn elements_of_a_list_have_owners_of_their_own(on: Ground) -> Result<(), String> {
    let applies = |manager: &'static str, container: Value| {
        let web = with(json!({"name": "web"}), container);
        let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [web]}});
        let config = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
            "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template},
        });
        let path = format!("apps/v1/deployments/a?fieldManager={manager}");
        let on = &on;
        async move { on.patch(Patch::Apply, &path, &config).await }
    };
    on.make("apps/v1/deployments", &deployment("a", 0)).await?;
    let variable = |name: &str| json!({"env": [{"name": name, "value": "1"}]});
    applies("one", variable("A")).await?.with(200)?;
    let both = applies("two", with(variable("B"), json!({"image": IMAGE})))
        .await?
        .with(200)?;
    let mut names: Vec<&str> = both["spec"]["template"]["spec"]["containers"][0]["env"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["name"].as_str())
        .collect();
    names.sort_unstable();
    holds(names == ["A", "B"], "both variables", &both)?;
    // Who no longer sends its own takes away that alone.
    let one = applies("one", json!({})).await?.with(200)?;
    let left = json!([{"env": [{"name": "B"}]}]);
    same(&one["spec"]["template"]["spec"]["containers"], &left)
}

async fn an_apply_says_nothing_of_owners(on: Ground) -> Result<(), String> {
    let owned = json!({"metadata": {"managedFields": [{"manager": "one"}]}});
    let path = format!("{MAP}?fieldManager=one");
    let answer = on
        .patch(Patch::Apply, &path, &with(map("a"), owned))
        .await?;
    answer.refuses_saying(400, "BadRequest", "metadata.managedFields must be nil")
}

async fn a_dry_run_applies_nothing(on: Ground) -> Result<(), String> {
    apply(&on, "one", json!({"key": "1"})).await?.with(201)?;
    let shown = apply(&on, "one&dryRun=All", json!({"key": "2"}))
        .await?
        .with(200)?;
    same(&shown, &json!({"data": {"key": "2"}}))?;
    same(&on.read(MAP).await?, &json!({"data": {"key": "1"}}))
}
