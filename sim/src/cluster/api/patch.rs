//! PATCH: JSON patch, merge patch, strategic merge patch and a simple apply.
//!
//! Apply keeps no `managedFields`: it merges the given fields like a forced apply, creates the object
//! if it is missing, and never removes a field that an earlier apply had set.

use serde_json::Value as Raw;

use super::decode::canonical;
use super::status::ApiError;
use super::strategic;
use super::verbs::{Call, unsupported_media};
use crate::cluster::json::{Value, json};
use crate::cluster::machine::Cluster;
use crate::cluster::objects::Part;
use crate::cluster::value::set;
use crate::cluster::wire::ApiResponse;

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// What a PATCH can be, by its `Content-Type`.
pub(super) const MEDIA_TYPES: [&str; 4] = [JSON_PATCH, MERGE_PATCH, STRATEGIC, APPLY];

/// Most operations in one JSON patch.
const MAX_OPERATIONS: usize = 10_000;

/// The answer to a JSON patch with an operation or a test that fails (`NewGenericServerResponse`, which says nothing of
/// the reason).
fn rejected() -> ApiError {
    let mut refusal = ApiError::new(
        422,
        "Invalid",
        "the server rejected our request due to an error in our request",
    );
    refusal.details = Some(json!({}));
    refusal
}

/// The answer to a patch whose result is no object of its kind (`patch.go` applyPatchToCurrentObject).
fn no_object(patched: &Raw, why: &str) -> ApiError {
    let why = format!("Invalid value: {:?}: {why}", patched.to_string());
    ApiError::new(422, "Invalid", format!(" \"\" is invalid: patch: {why}")).with_cause(
        "FieldValueInvalid",
        &why,
        "patch",
    )
}

/// What a patch made of an object, in its canonical form.
fn decoded(call: &Call<'_>, patched: Raw) -> Result<Value, ApiError> {
    let decoded = canonical(call.resource.kind, patched.clone())
        .map_err(|e| no_object(&patched, &e.to_string()))?;
    match call.strict_error(&decoded.unknown) {
        Some(why) => Err(no_object(&patched, &why)),
        None => Ok(decoded.object),
    }
}

fn options_invalid(field: &str, reason: &str, why: &str) -> ApiError {
    ApiError::new(
        422,
        "Invalid",
        format!("PatchOptions.meta.k8s.io \"\" is invalid: {field}: {why}"),
    )
    .with_cause(reason, why, field)
}

/// `target` with the body's patch applied, not yet decoded.
pub(crate) fn patched(call: &Call<'_>, target: &Value) -> Result<Raw, ApiError> {
    let media = call.media_type();
    if !MEDIA_TYPES.contains(&media) {
        return Err(unsupported_media(&MEDIA_TYPES.join(", ")));
    }
    if media == APPLY && call.query.get("fieldManager").is_none() {
        return Err(options_invalid(
            "fieldManager",
            "FieldValueRequired",
            "Required value: is required for apply patch",
        ));
    }
    if media != APPLY && call.query.get("force").is_some() {
        return Err(options_invalid(
            "force",
            "FieldValueForbidden",
            "Forbidden: may not be specified for non-apply patch",
        ));
    }
    let body = &call.request.body;
    let unreadable =
        |e: serde_json::Error| ApiError::bad_request(format!("error decoding patch: {e}"));
    let mut object = Raw::from(target);
    if media == JSON_PATCH {
        let patch: json_patch::Patch = serde_json::from_slice(body).map_err(unreadable)?;
        if patch.0.len() > MAX_OPERATIONS {
            return Err(ApiError::new(
                413,
                "RequestEntityTooLarge",
                format!(
                    "Request entity too large: The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}",
                    patch.0.len()
                ),
            ));
        }
        json_patch::patch(&mut object, &patch.0).map_err(|_| rejected())?;
        return Ok(object);
    }
    let patch: Raw = serde_json::from_slice(body).map_err(unreadable)?;
    if !patch.is_object() {
        return Err(ApiError::bad_request("error decoding patch: not an object"));
    }
    if media == MERGE_PATCH {
        json_patch::merge(&mut object, &patch);
    } else {
        strategic::merge(&mut object, &patch);
    }
    Ok(object)
}

impl Cluster {
    /// PATCH on an object or its status.
    pub(crate) fn patch(&mut self, call: &Call<'_>, part: Part) -> Result<ApiResponse, ApiError> {
        let kind = call.resource.kind;
        let apply = call.media_type() == APPLY;
        let existing = self.get(kind, &call.key());
        if existing.is_none() && apply && part == Part::Main {
            let object = patched(call, &json!({}))?;
            let mut object = decoded(call, object)?;
            set(&mut object, &["metadata", "name"], call.name());
            let stored = self.create(kind, call.namespace(), object)?;
            return Ok(call.answer(201, &stored));
        }
        let existing = existing.ok_or_else(|| ApiError::not_found(kind, call.name()))?;
        let object = patched(call, &existing.value)?;
        let object = decoded(call, object)?;
        self.check_name(call, &object)?;
        self.write(call, object, part, 200)
    }
}
