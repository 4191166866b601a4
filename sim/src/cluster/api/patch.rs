//! PATCH: JSON patch, merge patch, strategic merge patch, and apply.

use serde_json::Value as Raw;

use super::decode::canonical;
use super::managed::{Applied, Type, applied};
use super::status::ApiError;
use super::strategic;
use super::text::{self, Parsed};
use super::verbs::{Call, unsupported_media};
use crate::cluster::json::{Value, json};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::objects::Part;
use crate::cluster::value::{self, set};
use crate::cluster::wire::ApiResponse;

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub(super) const APPLY: &str = "application/apply-patch+yaml";

/// What a PATCH can be, by its `Content-Type`.
pub(super) const MEDIA_TYPES: [&str; 4] = [JSON_PATCH, MERGE_PATCH, STRATEGIC, APPLY];

/// What it can be on a kind that a definition has added: how its lists are merged is not known.
const OF_CUSTOM_KINDS: [&str; 3] = [JSON_PATCH, MERGE_PATCH, APPLY];

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
fn decoded(call: &Call<'_>, patched: Parsed) -> Result<Value, ApiError> {
    let refused = |why: &str| no_object(&patched.tree, why);
    let decoded = canonical(call.resource.kind, patched.tree.clone())
        .map_err(|error| refused(&error.to_string()))?;
    let problems = [patched.problems.clone(), decoded.problems().collect()].concat();
    match call.strict_error(&problems) {
        Some(why) => Err(refused(&why)),
        None => Ok(decoded.object),
    }
}

/// The media type of a patch, if the kind takes patches of it.
fn media_type<'a>(call: &'a Call<'_>) -> Result<&'a str, ApiError> {
    let media = call.media_type();
    match call.resource.kind {
        Kind::Custom(_) if OF_CUSTOM_KINDS.contains(&media) => Ok(media),
        Kind::Custom(_) => Err(unsupported_media(&OF_CUSTOM_KINDS.join(", "))),
        _ if MEDIA_TYPES.contains(&media) => Ok(media),
        _ => {
            let message = "415: Unsupported Media Type";
            Err(ApiError::of_router(415, "UnsupportedMediaType", message))
        }
    }
}

/// `target` with the body's patch applied, not yet decoded.
pub(super) fn patched(call: &Call<'_>, target: &Value) -> Result<Parsed, ApiError> {
    let media = media_type(call)?;
    let body = &call.request.body;
    let unreadable = |why: String| ApiError::bad_request(format!("error decoding patch: {why}"));
    let mut tree = Raw::from(target);
    if media == JSON_PATCH {
        let patch: json_patch::Patch =
            serde_json::from_slice(body).map_err(|error| unreadable(error.to_string()))?;
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
        json_patch::patch(&mut tree, &patch.0).map_err(|_| rejected())?;
        let problems = Vec::new();
        return Ok(Parsed { tree, problems });
    }
    let patch = text::json(body).map_err(unreadable)?;
    if !patch.tree.is_object() {
        return Err(unreadable("not an object".to_owned()));
    }
    if media == MERGE_PATCH {
        json_patch::merge(&mut tree, &patch.tree);
    } else {
        let of_type = Type::of(call.resource.kind);
        strategic::merge(of_type, &mut tree, &patch.tree);
    }
    Ok(Parsed {
        tree,
        problems: patch.problems,
    })
}

impl Cluster {
    /// PATCH on an object or its status.
    pub(crate) fn patch(&mut self, call: &Call<'_>, part: Part) -> Result<ApiResponse, ApiError> {
        if media_type(call)? == APPLY {
            return self.apply(call, part);
        }
        let kind = call.resource.kind;
        let existing = self.get(kind, &call.key());
        let existing = existing.ok_or_else(|| ApiError::not_found(kind, call.name()))?;
        let object = patched(call, &existing.value)?;
        let object = decoded(call, object)?;
        self.check_name(call, &object)?;
        self.write(call, object, part, 200)
    }

    /// Server-side apply: a PATCH that says what its manager wants (`handlers/patch.go` applyPatcher).
    fn apply(&mut self, call: &Call<'_>, part: Part) -> Result<ApiResponse, ApiError> {
        let kind = call.resource.kind;
        let unreadable =
            |what: &str, why: &str| ApiError::bad_request(format!("error {what} YAML: {why}"));
        let parsed = text::yaml(&call.request.body).map_err(|why| unreadable("decoding", &why))?;
        if call.strict_error(&parsed.problems).is_some() {
            return Err(unreadable("strict decoding", &parsed.problems.join(", ")));
        }
        if !parsed.tree.is_object() {
            return Err(unreadable("decoding", "the document is no object"));
        }
        // Another version is refused as such.
        if parsed.tree["apiVersion"] == kind.api_version() {
            canonical(kind, parsed.tree.clone())
                .map_err(|error| no_object(&parsed.tree, &error.to_string()))?;
        }
        let mut config = Value::from(parsed.tree);
        if value::name(&config).is_empty() {
            set(&mut config, &["metadata", "name"], call.name());
        }
        let existing = self.get(kind, &call.key());
        if existing.is_none() && part == Part::Status {
            return Err(ApiError::not_found(kind, call.name()));
        }
        let how = Applied {
            kind,
            writer: &self.writer,
            part,
            now: self.now,
            config: &config,
            force: call.query.flag("force"),
        };
        let tree = applied(existing.as_ref().map(|it| &it.value), &how)?;
        let problems = Vec::new();
        let of_tree = Raw::from(&tree);
        let mut object = decoded(
            call,
            Parsed {
                tree: of_tree,
                problems,
            },
        )?;
        // Their form is not that of the kind.
        value::keep(&mut object, &["metadata", "managedFields"], &tree);
        self.check_name(call, &object)?;
        self.writer = self.writer.clone().applied();
        if existing.is_some() {
            return self.write(call, object, part, 200);
        }
        self.create_or_try(call, object)
    }
}
