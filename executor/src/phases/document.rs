//! The documents of an incident, written again from its journal.

use super::READ;
use super::resume::outcome_of;
use crate::error::Error;
use crate::executor::Executor;
use crate::journal::Journal;
use crate::runbook::Command;
use crate::steps::{Facts, Stop};

/// A document that the executor writes about an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// The skeleton of the post-mortem: timeline, numbers, evidence.
    PostMortem,
    /// The scenario that reproduces the incident in a drill.
    Scenario,
}

impl Executor {
    /// Writes a document of the last rollback again, from its journal. Returns the names under which it was saved.
    ///
    /// # Errors
    /// [`Error::NothingToResume`] if no rollback is journaled; the runbook that was followed has no step that writes
    /// such a document; the document can't be stored.
    pub async fn document(&self, document: Document) -> Result<Vec<String>, Error> {
        let cluster = self.cluster();
        let journal = Journal::load(&cluster, &self.options.identity, self.now() + READ).await?;
        let plan = journal.plan.clone().ok_or(Error::NothingToResume)?;
        let baseline = self.baseline(self.now() + READ).await?;
        let mut facts = Facts::from_journal(&plan, &journal.entries);
        facts.outcome = outcome_of(&journal.entries);
        let (command, what) = match document {
            Document::PostMortem => (Command::WritePostMortem, "a post-mortem"),
            Document::Scenario => (Command::WriteScenario, "a scenario"),
        };
        let unwritten = |reason: String| Error::Document {
            what: what.to_owned(),
            reason,
        };
        let step = plan.steps.iter().find(|step| step.command == command);
        let step =
            step.ok_or_else(|| unwritten("the runbook has no step that writes it".to_owned()))?;
        let (_, ended) = self
            .attempt(&cluster, &plan, &baseline, step, &facts, 0)
            .await;
        match ended {
            Ok(success) => Ok(success.evidence),
            Err(
                Stop::Failed(why)
                | Stop::Unanswered(why)
                | Stop::Inconclusive(why)
                | Stop::Changed { why, .. },
            ) => Err(unwritten(why)),
            Err(Stop::Fatal(error)) => Err(error),
        }
    }
}
