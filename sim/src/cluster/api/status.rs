//! `Status` bodies, as `k8s.io/apimachinery/pkg/api/errors` makes them.

use crate::cluster::json::{Value, json};
use bytes::Bytes;

use super::field_errors::FieldError;
use crate::cluster::kinds::Kind;
use crate::cluster::wire::ApiResponse;

/// A refusal, on its way to becoming a `Status` body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) details: Option<Value>,
    pub(crate) continue_token: Option<String>,
}

impl ApiError {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
            continue_token: None,
        }
    }

    fn about(mut self, kind: Kind, name: &str) -> Self {
        let mut details = json!({"name": name, "kind": kind.plural()});
        if !kind.group().is_empty() {
            details["group"] = kind.group().into();
        }
        self.details = Some(details);
        self
    }

    pub(crate) fn with_cause(mut self, reason: &str, message: &str, field: &str) -> Self {
        let mut cause = json!({"reason": reason, "message": message});
        if !field.is_empty() {
            cause["field"] = field.into();
        }
        let details = self.details.get_or_insert_with(|| json!({}));
        match details.get_mut("causes").and_then(Value::as_array_mut) {
            Some(causes) => causes.push(cause),
            None => details["causes"] = json!([cause]),
        }
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.details.get_or_insert_with(|| json!({}))["retryAfterSeconds"] = seconds.into();
        self
    }

    /// 404 for an object.
    pub(crate) fn not_found(kind: Kind, name: &str) -> Self {
        Self::new(
            404,
            "NotFound",
            format!("{} \"{name}\" not found", kind.qualified()),
        )
        .about(kind, name)
    }

    /// 404 for a path.
    pub(crate) fn no_resource() -> Self {
        let mut e = Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        );
        e.details = Some(json!({}));
        e
    }

    pub(crate) fn already_exists(kind: Kind, name: &str) -> Self {
        Self::new(
            409,
            "AlreadyExists",
            format!("{} \"{name}\" already exists", kind.qualified()),
        )
        .about(kind, name)
    }

    pub(crate) fn conflict(kind: Kind, name: &str, why: &str) -> Self {
        Self::new(
            409,
            "Conflict",
            format!(
                "Operation cannot be fulfilled on {} \"{name}\": {why}",
                kind.qualified()
            ),
        )
        .about(kind, name)
    }

    /// The same where the server names the kind instead of the resource.
    pub(crate) fn conflict_of_kind(kind: Kind, name: &str, why: &str) -> Self {
        let of = match kind.group() {
            "" => kind.name().to_owned(),
            group => format!("{}.{group}", kind.name()),
        };
        let why = format!("Operation cannot be fulfilled on {of} \"{name}\": {why}");
        let mut refusal = Self::new(409, "Conflict", why).about(kind, name);
        if let Some(details) = &mut refusal.details {
            details["kind"] = kind.name().into();
        }
        refusal
    }

    /// The 409 of optimistic locking.
    pub(crate) fn stale(kind: Kind, name: &str) -> Self {
        Self::conflict(
            kind,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    pub(crate) fn forbidden(kind: Kind, name: &str, why: &str) -> Self {
        Self::new(
            403,
            "Forbidden",
            format!("{} \"{name}\" is forbidden: {why}", kind.qualified()),
        )
        .about(kind, name)
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 422 with one field error; `field_reason` is a `FieldValue…` reason.
    pub(crate) fn invalid(
        kind: Kind,
        name: &str,
        field: &str,
        field_reason: &'static str,
        why: &str,
    ) -> Self {
        let error = FieldError {
            field: field.to_owned(),
            reason: field_reason,
            why: why.to_owned(),
            ..FieldError::default()
        };
        Self::invalid_fields(kind, name, &[error])
    }

    /// 422 with all field errors (`NewInvalid`).
    pub(crate) fn invalid_fields(kind: Kind, name: &str, errors: &[FieldError]) -> Self {
        Self::invalid_of(kind.group(), kind.name(), name, errors)
    }

    /// 422 for anything. In the message equal errors stand once (`ErrorList.ToAggregate`).
    pub(crate) fn invalid_of(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let mut lines: Vec<String> = Vec::new();
        for error in errors {
            let line = format!("{}: {}", error.field, error.why);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let all = match lines.as_slice() {
            [only] => only.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let qualified = match group {
            "" => kind.to_owned(),
            group => format!("{kind}.{group}"),
        };
        let message = format!("{qualified} \"{name}\" is invalid: {all}");
        let mut refusal = Self::new(422, "Invalid", message);
        let mut details = json!({"kind": kind});
        for (member, value) in [("name", name), ("group", group)] {
            if !value.is_empty() {
                details[member] = value.into();
            }
        }
        refusal.details = Some(details);
        errors.iter().fold(refusal, |refusal, error| {
            refusal.with_cause(error.reason, &error.why, &error.field)
        })
    }

    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::of_router(405, "MethodNotAllowed", message)
    }

    /// What the router of kinds that are built in refuses, before any handler sees the request (go-restful, through
    /// `apiserver/pkg/server/handler.go`, `serviceErrorHandler`). Kinds that a definition has added have none.
    pub(crate) fn of_router(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        let mut refusal = Self::new(code, reason, message);
        refusal.details = Some(json!({}));
        refusal
    }

    pub(crate) fn too_large_version(asked: u64, current: u64) -> Self {
        Self::new(
            504,
            "Timeout",
            format!("Timeout: Too large resource version: {asked}, current: {current}"),
        )
        .with_cause("ResourceVersionTooLarge", "Too large resource version", "")
        .retry_after(1)
    }

    /// The `Status` object.
    pub(crate) fn body(&self) -> Value {
        let mut metadata = json!({});
        if let Some(token) = &self.continue_token {
            metadata["continue"] = token.as_str().into();
        }
        let mut body = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata,
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        if !self.reason.is_empty() {
            body["reason"] = self.reason.into();
        }
        if let Some(details) = &self.details {
            body["details"] = details.clone();
        }
        body
    }

    /// The response that carries this refusal.
    pub(crate) fn response(&self) -> ApiResponse {
        let retry_after_s = self
            .details
            .as_ref()
            .and_then(|d| d["retryAfterSeconds"].as_u64())
            .and_then(|s| u32::try_from(s).ok());
        let mut response = json_response(self.code, json_bytes(&self.body()));
        if let ApiResponse::Unary {
            retry_after_s: header,
            ..
        } = &mut response
        {
            *header = retry_after_s;
        }
        response
    }
}

/// The JSON text of a value.
pub(crate) fn json_bytes(value: &Value) -> Bytes {
    Bytes::from(serde_json::to_vec(value).expect("a JSON value serialises"))
}

/// A JSON response.
pub(crate) fn json_response(status: u16, body: Bytes) -> ApiResponse {
    ApiResponse::whole(status, "application/json", body)
}
