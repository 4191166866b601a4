//! What is wrong with the fields of an object (`apimachinery/pkg/util/validation/field/errors.go`).

use super::status::ApiError;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;

/// One cause of a refusal.
#[derive(Clone, Debug)]
pub(crate) struct FieldError {
    pub(crate) field: String,
    /// A `FieldValue…` reason.
    pub(crate) reason: &'static str,
    pub(crate) why: String,
}

/// All that is wrong with an object, in the order in which it was found.
#[derive(Debug, Default)]
pub(crate) struct Errors(Vec<FieldError>);

impl Errors {
    fn push(&mut self, field: &str, reason: &'static str, why: String) {
        self.0.push(FieldError {
            field: field.to_owned(),
            reason,
            why,
        });
    }

    pub(crate) fn invalid(&mut self, field: &str, value: &Value, why: &str) {
        self.push(
            field,
            "FieldValueInvalid",
            format!("Invalid value: {value}: {why}"),
        );
    }

    pub(crate) fn required(&mut self, field: &str) {
        self.push(field, "FieldValueRequired", "Required value".to_owned());
    }

    /// The same with what is missing.
    pub(crate) fn requires(&mut self, field: &str, what: &str) {
        self.push(
            field,
            "FieldValueRequired",
            format!("Required value: {what}"),
        );
    }

    /// `TooLong`: more than so many bytes.
    pub(crate) fn too_long(&mut self, field: &str, most: usize) {
        let why = format!("Too long: may not be more than {most} bytes");
        self.push(field, "FieldValueTooLong", why);
    }

    pub(crate) fn forbidden(&mut self, field: &str, why: &str) {
        self.push(field, "FieldValueForbidden", format!("Forbidden: {why}"));
    }

    pub(crate) fn duplicate(&mut self, field: &str, value: &str) {
        self.push(
            field,
            "FieldValueDuplicate",
            format!("Duplicate value: {value:?}"),
        );
    }

    pub(crate) fn not_supported(&mut self, field: &str, value: &str, supported: &[&str]) {
        let quoted: Vec<String> = supported.iter().map(|s| format!("{s:?}")).collect();
        let why = format!(
            "Unsupported value: {value:?}: supported values: {}",
            quoted.join(", ")
        );
        self.push(field, "FieldValueNotSupported", why);
    }

    /// The refusal, if anything is wrong.
    pub(crate) fn into_result(self, kind: Kind, name: &str) -> Result<(), ApiError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(ApiError::invalid_fields(kind, name, &self.0))
    }

    /// The refusal of a request's options, such as `PatchOptions`, if anything is wrong with them.
    pub(crate) fn of_options(self, options: &str) -> Result<(), ApiError> {
        self.of("meta.k8s.io", options, "")
    }

    /// The refusal of an object that is not stored, if anything is wrong with it.
    pub(crate) fn of(self, group: &str, kind: &str, name: &str) -> Result<(), ApiError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(ApiError::invalid_of(group, kind, name, &self.0))
    }
}

/// `RegexError` (`apimachinery/pkg/util/validation/validation.go`).
pub(crate) fn regex_error(what: &str, examples: &[&str], regex: &str) -> String {
    let shown: Vec<String> = examples.iter().map(|e| format!("'{e}', ")).collect();
    format!(
        "{what} (e.g. {}regex used for validation is '{regex}')",
        shown.join(" or ")
    )
}
