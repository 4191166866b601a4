//! What is wrong with the fields of an object (`apimachinery/pkg/util/validation/field/errors.go`).

use std::fmt::Display;

use super::status::ApiError;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;

/// One cause of a refusal.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldError {
    pub(crate) field: String,
    /// The key of the entry that is meant, where the server names the map around it only.
    pub(crate) entry: Option<String>,
    /// A `FieldValue…` reason.
    pub(crate) reason: &'static str,
    pub(crate) why: String,
    /// The words that may stand there, where the server names them.
    pub(crate) supported: Vec<String>,
}

/// All that is wrong with an object, in the order in which it was found.
#[derive(Debug, Default)]
pub(crate) struct Errors(Vec<FieldError>);

impl Errors {
    fn push(&mut self, field: &(impl Display + ?Sized), reason: &'static str, why: String) {
        self.0.push(FieldError {
            field: field.to_string(),
            reason,
            why,
            ..FieldError::default()
        });
    }

    pub(crate) fn invalid(&mut self, field: &(impl Display + ?Sized), value: &Value, why: &str) {
        self.invalid_text(field, value, why);
    }

    /// The same, of a value that Go writes in its own way.
    pub(crate) fn invalid_text(
        &mut self,
        field: &(impl Display + ?Sized),
        written: &(impl Display + ?Sized),
        why: &str,
    ) {
        let colon = if why.is_empty() { "" } else { ": " };
        let why = format!("Invalid value: {written}{colon}{why}");
        self.push(field, "FieldValueInvalid", why);
    }

    /// One for each thing that is wrong with a value.
    pub(crate) fn each_invalid(
        &mut self,
        field: &(impl Display + ?Sized),
        value: &Value,
        wrong: &[String],
    ) {
        for why in wrong {
            self.invalid(field, value, why);
        }
    }

    /// The same, of an entry in the map that `field` is.
    pub(crate) fn each_invalid_entry(
        &mut self,
        field: &(impl Display + ?Sized),
        key: &str,
        value: &Value,
        wrong: &[String],
    ) {
        let before = self.0.len();
        self.each_invalid(field, value, wrong);
        for error in &mut self.0[before..] {
            error.entry = Some(key.to_owned());
        }
    }

    pub(crate) fn required(&mut self, field: &(impl Display + ?Sized)) {
        self.push(field, "FieldValueRequired", "Required value".to_owned());
    }

    /// The same with what is missing.
    pub(crate) fn requires(&mut self, field: &(impl Display + ?Sized), what: &str) {
        self.push(
            field,
            "FieldValueRequired",
            format!("Required value: {what}"),
        );
    }

    /// `TooLong`: more than so many bytes.
    pub(crate) fn too_long(&mut self, field: &(impl Display + ?Sized), most: usize) {
        let why = format!("Too long: may not be more than {most} bytes");
        self.push(field, "FieldValueTooLong", why);
    }

    pub(crate) fn forbidden(&mut self, field: &(impl Display + ?Sized), why: &str) {
        self.push(field, "FieldValueForbidden", format!("Forbidden: {why}"));
    }

    pub(crate) fn duplicate(
        &mut self,
        field: &(impl Display + ?Sized),
        value: &(impl Display + ?Sized),
    ) {
        self.push(
            field,
            "FieldValueDuplicate",
            format!("Duplicate value: {value}"),
        );
    }

    /// What a name stands for is not there.
    pub(crate) fn not_found(&mut self, field: &(impl Display + ?Sized), name: &str) {
        self.push(field, "FieldValueNotFound", format!("Not found: {name:?}"));
    }

    pub(crate) fn not_supported(
        &mut self,
        field: &(impl Display + ?Sized),
        value: &str,
        supported: &[&str],
    ) {
        self.not_supported_text(field, &format!("{value:?}"), supported);
    }

    /// The same, of a value that Go writes in its own way.
    pub(crate) fn not_supported_text(
        &mut self,
        field: &(impl Display + ?Sized),
        written: &str,
        supported: &[&str],
    ) {
        let quoted: Vec<String> = supported.iter().map(|s| format!("{s:?}")).collect();
        let why = format!(
            "Unsupported value: {written}: supported values: {}",
            quoted.join(", ")
        );
        self.push(field, "FieldValueNotSupported", why);
        if let Some(error) = self.0.last_mut() {
            error.supported = supported.iter().map(|&it| it.to_owned()).collect();
        }
    }

    /// How many things were found to be wrong so far.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Everything that is wrong.
    pub(crate) fn into_all(self) -> Vec<FieldError> {
        self.0
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
