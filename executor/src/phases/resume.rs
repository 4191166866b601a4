//! Carrying on, on this host or another, from what the journal says.

use crate::error::Error;
use crate::event::Stage;
use crate::executor::Executor;
use crate::journal::{Entry, Journal, Record, State};
use crate::planner::{LedgerPath, Plan};
use crate::report::{Outcome, Report};
use crate::runbook::Command;
use crate::steps::{Facts, delays_recovery};

use super::READ;

impl Executor {
    /// Carries on a rollback that was interrupted, on this host or another, with the targets that its
    /// journal pins. Waits for the interrupted executor's lease to run out. A rollback that had already
    /// recovered is reported again; one that was escalated is tried again from the step that failed.
    ///
    /// # Errors
    /// [`Error::NothingToResume`] if no plan was journaled: nothing had been changed, [`run`](Self::run) again. Otherwise as `run`.
    pub async fn resume(&self) -> Result<Report, Error> {
        self.begin(Stage::Resume);
        loop {
            let held = self.take_lease(true).await?;
            let work = self.resume_held(held.token);
            match self.guarded(&held, Box::pin(work)).await {
                Err(Error::LeaseRanOut { why }) => self.regain(&why),
                ended => return ended,
            }
        }
    }

    pub(super) async fn resume_held(&self, token: u64) -> Result<Report, Error> {
        let journal = Journal::load(&self.cluster(), &self.options.identity).await?;
        let Some(plan) = journal.plan.clone() else {
            return Err(Error::NothingToResume);
        };
        if journal.state == State::Empty {
            return Err(Error::NothingToResume);
        }
        if journal.state == (State::Closed { stopped: None }) {
            let facts = Facts::from_journal(&plan, &journal.entries);
            return Ok(facts.report(&plan, Outcome::Recovered));
        }
        let next = journal.state.next_step().unwrap_or(plan.steps.len());
        self.refuse_loss(&plan, next)?;
        let baseline = self
            .unless_stopped(self.baseline())
            .await
            .unwrap_or(Err(Error::Interrupted))?;
        if plan.ledger.path != LedgerPath::Application {
            self.take_over_fence(token).await?;
        }
        self.carry_out(journal, &baseline, token).await
    }

    /// A fence that an earlier token raised gets this one's, so that its owner, if it still lives, is refused.
    async fn take_over_fence(&self, token: u64) -> Result<(), Error> {
        let database = &self.ports.database;
        let deadline = self.now() + READ;
        let up = self
            .database("read the fence", deadline, || database.fence_token())
            .await?;
        match up {
            Some(other) if other > token => Err(Error::Superseded {
                by: format!("the fence carries executor token {other}"),
            }),
            Some(other) if other < token => {
                self.database("take over the fence", deadline, || database.fence(token))
                    .await?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Facts {
    /// Rebuilds what an executor knew when it wrote the last entry.
    pub(crate) fn from_journal(plan: &Plan, entries: &[Entry]) -> Self {
        let started_at = entries.first().map_or(plan.observed_at, |entry| entry.at);
        let mut facts = Self {
            started_at,
            window_start: started_at,
            notes: plan.notes.clone(),
            ..Self::default()
        };
        for entry in entries {
            facts.take_in(plan, &entry.record);
        }
        facts
    }

    /// Takes in one entry. A step that is tried again replaces its earlier report.
    pub(crate) fn take_in(&mut self, plan: &Plan, record: &Record) {
        let (index, report) = match record {
            Record::Done { step, report, .. } | Record::Failed { step, report, .. } => {
                (step, report)
            }
            Record::Planned { .. } | Record::Intent { .. } | Record::Closed { .. } => return,
        };
        self.steps.truncate(*index);
        self.steps.push(report.clone());
        let Some(step) = plan.steps.get(*index) else {
            return;
        };
        if let Record::Done { data, .. } = record {
            if delays_recovery(plan, *index) {
                self.window_start = self.window_start.max(report.finished_at);
            }
            if let Ok(restore) = serde_json::from_value(data["restore"].clone()) {
                self.restore = Some(restore);
            }
            if let Ok(names) = serde_json::from_value::<Vec<String>>(data["evidence"].clone()) {
                self.evidence.extend(names);
            }
            if step.command == Command::RestoreConfig {
                self.config_restored
                    .push((step.service.clone(), report.finished_at));
            }
        }
        if let Record::Failed { go_on: true, .. } = record {
            self.notes.push(format!(
                "{}: {} ({})",
                step.label(),
                report.outcome,
                report.detail
            ));
        }
    }

    /// The report.
    pub(crate) fn report(self, plan: &Plan, outcome: Outcome) -> Report {
        let recovered = outcome == Outcome::Recovered;
        Report {
            outcome,
            trigger: plan.trigger.clone(),
            started_at: self.started_at,
            recovered_at: recovered.then_some(self.window_start),
            steps: self.steps,
            plan: Some(plan.clone()),
            evidence: self.evidence,
            notes: self.notes,
        }
    }
}
