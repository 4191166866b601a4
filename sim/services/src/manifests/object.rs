//! One object of the manifests.

use std::sync::Arc;

use serde_json::Value;

use super::load::Document;
use super::yaml::{Place, Tree};
use crate::mistake::Mistake;

/// An object as it is applied, with the place of each of its values.
#[derive(Clone, Debug)]
pub struct Object {
    /// The object. Its namespace is filled in where it is one of a namespace.
    pub value: Value,
    /// The file that it stands in.
    pub document: Arc<Document>,
    /// Where each value stands in the file.
    pub tree: Tree,
}

/// The value at `path` below `value`: keys, and positions in lists. Null where there is none.
#[must_use]
pub fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    let found = path.iter().try_fold(value, |value, step| match value {
        Value::Array(items) => step.parse().ok().and_then(|at: usize| items.get(at)),
        other => other.get(*step),
    });
    found.unwrap_or(&Value::Null)
}

impl Object {
    /// `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.value["apiVersion"].as_str().unwrap_or_default()
    }

    /// `Deployment`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap_or_default()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.value["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Its namespace; nothing for what has none.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.value["metadata"]["namespace"].as_str()
    }

    /// The value at `path`: keys, and positions in lists.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> &Value {
        at(&self.value, path)
    }

    /// Line and column (both from 1) of the value at `path`, or of what is there of the way to it.
    #[must_use]
    pub fn line_and_column(&self, path: &[&str]) -> (usize, usize) {
        self.document
            .line_and_column(self.tree.find(path.iter().copied()).span.start)
    }

    /// A mistake in the value at `path`.
    #[must_use]
    pub fn mistake(
        &self,
        path: &[&str],
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Mistake {
        self.mistake_at(self.tree.find(path.iter().copied()), message, label, help)
    }

    /// A mistake at a place. Of what an alias brings, the place of the anchor is named as well.
    pub(super) fn mistake_at(
        &self,
        place: &Place,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Mistake {
        let span = &place.span;
        // A mapping goes on over many lines: its first one is pointed at.
        let text = self.document.text.get(span.clone()).unwrap_or_default();
        let first = text.lines().next().unwrap_or_default().len();
        let mut message = message.into();
        if let Some(written) = &place.written {
            let (line, column) = self.document.line_and_column(written.start);
            message += &format!(" (the alias brings it from line {line}, column {column})");
        }
        Mistake::new(span.start..span.start + first, message, label, help)
    }
}
