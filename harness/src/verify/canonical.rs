//! What of a runbook is carried out: two runbooks with the same canonical form do the same, request for request.

use std::sync::Arc;

use executor::runbook::{Mistake, Runbook};

use crate::digest::digest64;
use crate::runbooks::LoadedRunbook;

/// One side of the comparison.
#[derive(Clone, Debug)]
pub struct Side {
    /// The runbook as read.
    pub loaded: LoadedRunbook,
    /// What is legal in it and unwise.
    pub warnings: Vec<Mistake>,
    /// What of it is carried out.
    pub canonical: Arc<Runbook>,
    /// Digest of the canonical form.
    pub key: u64,
}

impl Side {
    /// Reads a runbook.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn parse(file: &str, text: &str) -> Result<Self, executor::runbook::RunbookErrors> {
        let parsed = Runbook::parse_and_lint(file, text)?;
        let canonical = canonical(&parsed.runbook);
        Ok(Self {
            key: digest64(format!("{canonical:?}").as_bytes()),
            warnings: parsed.warnings().to_vec(),
            canonical: Arc::new(canonical),
            loaded: LoadedRunbook {
                file: file.to_owned(),
                text: text.into(),
                runbook: Arc::new(parsed.runbook),
            },
        })
    }

    /// The runbook.
    #[must_use]
    pub fn runbook(&self) -> &Runbook {
        &self.loaded.runbook
    }
}

/// The runbook without what only people read: prose, headings, where a step stands and how its command is laid out.
/// Of the headings stays which steps share one, since the planner does those service by service.
#[must_use]
pub fn canonical(runbook: &Runbook) -> Runbook {
    let mut same = runbook.clone();
    same.title.clear();
    same.digest.clear();
    let mut group = 0;
    for (at, step) in same.steps.iter_mut().enumerate() {
        if at > 0 && runbook.steps[at - 1].title != step.title {
            group += 1;
        }
        step.title = format!("{group}");
        step.line = 0;
        step.text.clear();
    }
    same
}

#[cfg(test)]
mod tests {
    use super::Side;
    use crate::runbooks::BUILT_IN;

    fn key(text: &str) -> u64 {
        Side::parse("x.md", text).expect("it loads").key
    }

    #[test]
    fn prose_and_headings_are_not_carried_out_and_attributes_are() {
        let changed = |from: &str, to: &str| {
            assert!(BUILT_IN.contains(from), "{from}");
            key(&BUILT_IN.replace(from, to))
        };
        let same = key(BUILT_IN);
        assert_eq!(
            changed(
                "You are here because a release went bad",
                "A release went bad"
            ),
            same
        );
        assert_eq!(
            changed("## Fence the ledger", "## Keep writers out of the ledger"),
            same
        );
        assert_ne!(
            changed(
                "\"rb.timeout\":\"16s\",\"rb.for-each\"",
                "\"rb.timeout\":\"13s\",\"rb.for-each\""
            ),
            same
        );
        // A heading between two steps for each service: all undos first, then all waits.
        let at = BUILT_IN
            .find("```sh {\"name\":\"rollout-status\"")
            .expect("the step");
        let mut split = BUILT_IN.to_owned();
        split.insert_str(at, "## Wait for it\n\n");
        assert_ne!(key(&split), same);
    }
}
