//! The options of a write in its query: who writes, whether only to try, and what of unknown fields
//! (`apimachinery/pkg/apis/meta/v1/validation/validation.go`).

use super::field_errors::Errors;
use super::patch::APPLY;
use super::status::ApiError;
use super::verbs::Call;
use crate::cluster::json::Value;

/// The longest name of a field manager, in bytes (`FieldManagerMaxLength`).
const LONGEST_MANAGER: usize = 128;

/// What is done about fields that a kind does not have, and about those that stand twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    /// Nothing.
    Ignore,
    /// The answer warns of them.
    Warn,
    /// The request is refused.
    Strict,
}

impl Call<'_> {
    /// What is done about unknown fields; a warning, if the request does not say.
    pub(crate) fn field_validation(&self) -> FieldValidation {
        match self.query.get("fieldValidation") {
            Some("Ignore") => FieldValidation::Ignore,
            Some("Strict") => FieldValidation::Strict,
            _ => FieldValidation::Warn,
        }
    }

    /// Refuses options that don't fit the request.
    ///
    /// # Errors
    /// 422, with a cause for each.
    pub(crate) fn check_options(&self) -> Result<(), ApiError> {
        let kind = match self.request.method {
            http::Method::POST => "CreateOptions",
            http::Method::PUT => "UpdateOptions",
            http::Method::PATCH => "PatchOptions",
            http::Method::DELETE => "DeleteOptions",
            _ => return Ok(()),
        };
        let mut errors = Errors::default();
        let manager = self.query.get("fieldManager").unwrap_or_default();
        if kind == "PatchOptions" {
            let apply = self.media_type() == APPLY;
            if apply && manager.is_empty() {
                errors.requires("fieldManager", "is required for apply patch");
            }
            if !apply && self.query.get("force").is_some() {
                errors.forbidden("force", "may not be specified for non-apply patch");
            }
        }
        if manager.len() > LONGEST_MANAGER {
            errors.too_long("fieldManager", LONGEST_MANAGER);
        }
        for (at, character) in manager.char_indices() {
            if character.is_control() {
                let code = u32::from(character);
                let why = format!("invalid character U+{code:04X} (at position {at})");
                errors.invalid("fieldManager", &Value::from(manager), &why);
            }
        }
        if let Some(other) = self.query.get("dryRun").filter(|it| *it != "All") {
            errors.not_supported("dryRun", other, &["All"]);
        }
        let validation = self.query.get("fieldValidation").unwrap_or_default();
        if kind != "DeleteOptions" && !["", "Ignore", "Strict", "Warn"].contains(&validation) {
            let known = ["", "Ignore", "Strict", "Warn"];
            errors.not_supported("fieldValidation", validation, &known);
        }
        errors.of_options(kind)
    }

    /// What `fieldValidation=Strict` refuses these problems with; otherwise the answer may warn of them
    /// (`apimachinery/pkg/runtime/error.go` strictDecodingError).
    pub(crate) fn strict_error(&self, problems: &[String]) -> Option<String> {
        match self.field_validation() {
            FieldValidation::Strict if !problems.is_empty() => {
                Some(format!("strict decoding error: {}", problems.join(", ")))
            }
            FieldValidation::Warn => {
                self.warn(problems);
                None
            }
            _ => None,
        }
    }

    /// Warnings that the answer is to carry.
    fn warn(&self, problems: &[String]) {
        let mut warnings = self.warnings.borrow_mut();
        for header in problems.iter().filter_map(|problem| warning(problem)) {
            if !warnings.contains(&header) {
                warnings.push(header);
            }
        }
    }
}

/// A header `Warning` (`apimachinery/pkg/util/net/http.go` NewWarningHeader).
fn warning(text: &str) -> Option<http::HeaderValue> {
    let plain: String = text.chars().filter(|it| !it.is_control()).collect();
    let quoted = plain.replace('\\', "\\\\").replace('"', "\\\"");
    http::HeaderValue::from_str(&format!("299 - \"{quoted}\"")).ok()
}
