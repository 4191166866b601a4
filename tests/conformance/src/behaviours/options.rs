//! Options of requests: trying without doing, and what is done about fields that a kind does not have.

use http::Method;
use serde_json::{Value, json};

use super::compare::{holds, same, with};
use super::ground::Patch;
use super::objects::{deployment, map};
use super::paths::MAPS;
use super::table::behaviour;
use super::{Behaviour, Ground};

pub(super) const TABLE: &[Behaviour] = &[
    behaviour!(
        a_dry_run_creates_nothing,
        "apiserver/pkg/registry/generic/registry/dryrun.go Create"
    ),
    behaviour!(
        a_dry_run_shows_what_would_be_filled_in,
        "apiserver/pkg/registry/generic/registry/dryrun.go Create"
    ),
    behaviour!(
        a_dry_run_finds_what_exists,
        "apiserver/pkg/registry/generic/registry/dryrun.go Create"
    ),
    behaviour!(
        a_dry_run_is_validated,
        "apiserver/pkg/registry/generic/registry/dryrun.go Create"
    ),
    behaviour!(
        a_dry_run_replaces_nothing,
        "apiserver/pkg/registry/generic/registry/dryrun.go GuaranteedUpdate"
    ),
    behaviour!(
        a_dry_run_patches_nothing,
        "apiserver/pkg/registry/generic/registry/dryrun.go GuaranteedUpdate"
    ),
    behaviour!(
        a_dry_run_deletes_nothing,
        "apiserver/pkg/registry/generic/registry/dryrun.go Delete"
    ),
    behaviour!(
        a_dry_run_in_the_body_deletes_nothing,
        "apiserver/pkg/registry/generic/registry/dryrun.go Delete"
    ),
    behaviour!(
        a_dry_run_is_of_all_stages,
        "apimachinery/pkg/apis/meta/v1/validation/validation.go ValidateDryRun"
    ),
    behaviour!(
        strictly_an_unknown_field_is_refused,
        "apiserver/pkg/endpoints/handlers/create.go"
    ),
    behaviour!(
        strictly_all_unknown_fields_are_named,
        "apimachinery/pkg/runtime/error.go strictDecodingError"
    ),
    behaviour!(
        strictly_a_field_stands_once,
        "apimachinery/pkg/runtime/error.go strictDecodingError"
    ),
    behaviour!(
        strictly_a_patch_has_known_fields,
        "apiserver/pkg/endpoints/handlers/patch.go jsonPatcher"
    ),
    behaviour!(
        an_unknown_field_is_warned_of,
        "apiserver/pkg/endpoints/handlers/create.go"
    ),
    behaviour!(
        an_unknown_field_is_warned_of_by_default,
        "apiserver/pkg/endpoints/handlers/rest.go fieldValidation"
    ),
    behaviour!(
        an_unknown_field_may_be_ignored,
        "apiserver/pkg/endpoints/handlers/create.go"
    ),
    behaviour!(
        a_field_validation_has_a_known_name,
        "apimachinery/pkg/apis/meta/v1/validation/validation.go ValidateFieldValidation"
    ),
    behaviour!(
        a_field_manager_is_not_long,
        "apimachinery/pkg/apis/meta/v1/validation/validation.go ValidateFieldManager"
    ),
];

async fn a_dry_run_creates_nothing(on: Ground) -> Result<(), String> {
    on.make("v1/configmaps?dryRun=All", &map("a")).await?;
    on.get("v1/configmaps/a").await?.with(404).map(drop)
}

async fn a_dry_run_shows_what_would_be_filled_in(on: Ground) -> Result<(), String> {
    let asked = with(
        map("a"),
        json!({"metadata": {"name": null, "generateName": "made-"}}),
    );
    let shown = on.make("v1/configmaps?dryRun=All", &asked).await?;
    let metadata = &shown["metadata"];
    same(
        metadata,
        &json!({"namespace": on.namespace(), "resourceVersion": null}),
    )?;
    let name = metadata["name"].as_str().unwrap_or_default();
    holds(
        name.starts_with("made-") && name.len() == 10,
        "a generated name",
        metadata,
    )?;
    holds(metadata["uid"].is_string(), "a UID", metadata)
}

async fn a_dry_run_finds_what_exists(on: Ground) -> Result<(), String> {
    on.make(MAPS, &map("a")).await?;
    let answer = on.post("v1/configmaps?dryRun=All", &map("a")).await?;
    answer.refuses(409, "AlreadyExists", "configmaps \"a\" already exists")
}

async fn a_dry_run_is_validated(on: Ground) -> Result<(), String> {
    let answer = on
        .post("v1/configmaps?dryRun=All", &map("Not_a_name"))
        .await?;
    answer.refuses_saying(
        422,
        "Invalid",
        "metadata.name: Invalid value: \"Not_a_name\"",
    )
}

async fn a_dry_run_replaces_nothing(on: Ground) -> Result<(), String> {
    on.make(MAPS, &map("a")).await?;
    let other = with(map("a"), json!({"data": {"key": "other"}}));
    let shown = on
        .put("v1/configmaps/a?dryRun=All", &other)
        .await?
        .with(200)?;
    same(&shown, &json!({"data": {"key": "other"}}))?;
    same(
        &on.read("v1/configmaps/a").await?,
        &json!({"data": {"key": "value"}}),
    )
}

async fn a_dry_run_patches_nothing(on: Ground) -> Result<(), String> {
    let made = on.make(MAPS, &map("a")).await?;
    let shown = on
        .change(
            "v1/configmaps/a?dryRun=All",
            &json!({"data": {"key": "other"}}),
        )
        .await?;
    same(&shown, &json!({"data": {"key": "other"}}))?;
    same(
        &on.read("v1/configmaps/a").await?,
        &json!({
            "data": {"key": "value"},
            "metadata": {"resourceVersion": made["metadata"]["resourceVersion"]},
        }),
    )
}

async fn a_dry_run_deletes_nothing(on: Ground) -> Result<(), String> {
    on.make(MAPS, &map("a")).await?;
    on.delete("v1/configmaps/a?dryRun=All").await?.with(200)?;
    on.read("v1/configmaps/a").await.map(drop)
}

async fn a_dry_run_in_the_body_deletes_nothing(on: Ground) -> Result<(), String> {
    on.make(MAPS, &map("a")).await?;
    on.delete_with("v1/configmaps/a", &json!({"dryRun": ["All"]}))
        .await?
        .with(200)?;
    on.read("v1/configmaps/a").await.map(drop)
}

async fn a_dry_run_is_of_all_stages(on: Ground) -> Result<(), String> {
    let answer = on.post("v1/configmaps?dryRun=Some", &map("a")).await?;
    answer.refuses_saying(
        422,
        "Invalid",
        "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: ",
    )?;
    answer.refuses_saying(422, "Invalid", "supported values: \"All\"")
}

/// A Deployment with a field that there is not.
fn misspelt() -> Value {
    with(deployment("a", 0), json!({"spec": {"replica": 3}}))
}

async fn strictly_an_unknown_field_is_refused(on: Ground) -> Result<(), String> {
    let answer = on
        .post("apps/v1/deployments?fieldValidation=Strict", &misspelt())
        .await?;
    let message = "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: unknown field \"spec.replica\"";
    answer.refuses(400, "BadRequest", message)
}

async fn strictly_all_unknown_fields_are_named(on: Ground) -> Result<(), String> {
    let asked = with(
        misspelt(),
        json!({"spec": {"template": {"spec": {"nod": "a"}}}}),
    );
    let answer = on
        .post("apps/v1/deployments?fieldValidation=Strict", &asked)
        .await?;
    for part in [
        "unknown field \"spec.replica\"",
        "unknown field \"spec.template.spec.nod\"",
    ] {
        answer.refuses_saying(400, "BadRequest", part)?;
    }
    Ok(())
}

async fn strictly_a_field_stands_once(on: Ground) -> Result<(), String> {
    let twice = br#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"immutable":false,"immutable":true}"#;
    let path = "v1/configmaps?fieldValidation=Strict";
    let answer = on
        .send(Method::POST, path, "application/json", twice.to_vec())
        .await?;
    answer.refuses_saying(
        400,
        "BadRequest",
        "strict decoding error: duplicate field \"immutable\"",
    )
}

async fn strictly_a_patch_has_known_fields(on: Ground) -> Result<(), String> {
    on.make("apps/v1/deployments", &deployment("a", 0)).await?;
    let path = "apps/v1/deployments/a?fieldValidation=Strict";
    let answer = on
        .patch(Patch::Merge, path, &json!({"spec": {"replica": 3}}))
        .await?;
    answer.refuses_saying(
        422,
        "Invalid",
        "strict decoding error: unknown field \"spec.replica\"",
    )
}

const WARNING: &str = "299 - \"unknown field \\\"spec.replica\\\"\"";

async fn an_unknown_field_is_warned_of(on: Ground) -> Result<(), String> {
    let answer = on
        .post("apps/v1/deployments?fieldValidation=Warn", &misspelt())
        .await?;
    holds(
        answer.warnings == [WARNING],
        "one warning",
        &json!(answer.warnings),
    )?;
    let made = answer.with(201)?;
    same(&made, &json!({"spec": {"replica": null}}))
}

async fn an_unknown_field_is_warned_of_by_default(on: Ground) -> Result<(), String> {
    let answer = on.post("apps/v1/deployments", &misspelt()).await?;
    holds(
        answer.warnings == [WARNING],
        "one warning",
        &json!(answer.warnings),
    )?;
    answer.with(201).map(drop)
}

async fn an_unknown_field_may_be_ignored(on: Ground) -> Result<(), String> {
    let answer = on
        .post("apps/v1/deployments?fieldValidation=Ignore", &misspelt())
        .await?;
    holds(
        answer.warnings.is_empty(),
        "no warning",
        &json!(answer.warnings),
    )?;
    same(&answer.with(201)?, &json!({"spec": {"replica": null}}))
}

async fn a_field_validation_has_a_known_name(on: Ground) -> Result<(), String> {
    let answer = on
        .post("v1/configmaps?fieldValidation=Loud", &map("a"))
        .await?;
    let part = "CreateOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"Loud\": supported values: ";
    answer.refuses_saying(422, "Invalid", part)
}

async fn a_field_manager_is_not_long(on: Ground) -> Result<(), String> {
    let path = format!("v1/configmaps?fieldManager={}", "m".repeat(129));
    let answer = on.post(&path, &map("a")).await?;
    answer.refuses_saying(
        422,
        "Invalid",
        "fieldManager: Too long: may not be more than 128 bytes",
    )
}
