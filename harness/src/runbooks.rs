//! The runbook that drills follow: the built-in one, or a file.

use std::sync::Arc;

use executor::runbook::{Runbook, RunbookErrors};

/// The built-in runbook's text.
pub const BUILT_IN: &str = include_str!("../../runbooks/rollback.md");
/// Where the built-in runbook lies in the repository.
pub const BUILT_IN_FILE: &str = "runbooks/rollback.md";

/// A runbook, its text, and what it was called.
#[derive(Clone, Debug)]
pub struct LoadedRunbook {
    /// File name, for messages.
    pub file: String,
    /// The text.
    pub text: Arc<str>,
    /// What the text says.
    pub runbook: Arc<Runbook>,
}

impl LoadedRunbook {
    /// Reads a runbook's text.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn parse(file: &str, text: &str) -> Result<Self, RunbookErrors> {
        let runbook = Runbook::parse(file, text)?;
        Ok(Self {
            file: file.to_owned(),
            text: text.into(),
            runbook: Arc::new(runbook),
        })
    }

    /// The built-in runbook.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn built_in() -> Result<Self, RunbookErrors> {
        Self::parse(BUILT_IN_FILE, BUILT_IN)
    }

    /// Names of its triggers.
    #[must_use]
    pub fn triggers(&self) -> Vec<String> {
        self.runbook
            .triggers
            .iter()
            .map(|t| t.name.clone())
            .collect()
    }
}
