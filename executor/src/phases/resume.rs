//! Carrying on, on this host or another, from what the journal says.

use jiff::{SignedDuration, Timestamp};

use super::READ;
use super::progress::{Progress, cannot_begin};
use super::run::not_begun;
use super::standing::claims;
use crate::error::Error;
use crate::event::{Event, Stage};
use crate::executor::Executor;
use crate::journal::{Entry, Journal, Record, State};
use crate::lease::is_held_with;
use crate::planner::{LedgerPath, Plan};
use crate::ports::DatabaseError;
use crate::report::{Outcome, Report};
use crate::runbook::{Command, Phase};
use crate::steps::Facts;

impl Executor {
    /// Carries on a rollback that was interrupted, on this host or another, with the targets that its
    /// journal pins. Waits for the interrupted executor's lease to run out. A rollback that had already
    /// recovered is reported again; one that was escalated is tried again from the step that failed.
    ///
    /// # Errors
    /// [`Error::NothingToResume`] if no plan was journaled: nothing had been changed,
    /// [`run`](Self::run) again. Otherwise as `run`.
    pub async fn resume(&self) -> Result<Report, Error> {
        let progress = Progress::default();
        // Limits that were set by a clock that is off would all be over, or far away, once the server tells the time.
        let asked = self.ports.clock.elapsed();
        let started_at = self.present().await;
        let waited = self.ports.clock.elapsed().saturating_sub(asked);
        let waited = SignedDuration::try_from(waited).unwrap_or(SignedDuration::MAX);
        let objective = started_at + self.objective().saturating_sub(waited);
        self.emit(&Event::PhaseStarted {
            stage: Stage::Resume,
        });
        let ended = progress.settle(self.resume_through(objective, &progress).await);
        let ended = match ended {
            Err(error) if cannot_begin(&error) => {
                let halts = &self.runbook.naming.halts;
                Ok(not_begun(&error, None, started_at, halts))
            }
            ended => ended,
        };
        self.ended(ended).await
    }

    /// `objective`: when the RTO has passed since this executor began; since when the application has been down is in
    /// the journal only.
    async fn resume_through(
        &self,
        objective: Timestamp,
        progress: &Progress,
    ) -> Result<Report, Error> {
        let mut again = false;
        loop {
            // A lease that runs out late is taken again as patiently as any other.
            let until = objective.max(self.now() + READ);
            let held = self.take_lease(true, until).await?;
            let work = self.resume_held(held.token, again, until, progress);
            match self.guarded(&held, Box::pin(work)).await {
                // What an earlier host wrote is not how this one ended.
                Err(error @ Error::Outdated { .. }) => self.begins_again(&error),
                Err(error @ Error::LeaseRanOut { .. }) => {
                    self.begins_again(&error);
                    again = true;
                }
                ended => return ended,
            }
        }
    }

    /// `again`: an earlier attempt of this executor may have come to the end already.
    pub(super) async fn resume_held(
        &self,
        token: u64,
        again: bool,
        until: Timestamp,
        progress: &Progress,
    ) -> Result<Report, Error> {
        let identity = &self.options.identity;
        let mut journal = Journal::load(&self.cluster(), identity, until).await?;
        let Some(plan) = journal.plan.clone() else {
            return Err(Error::NothingToResume);
        };
        if journal.state == State::Empty {
            return Err(Error::NothingToResume);
        }
        let facts = Facts::from_journal(&plan, &journal.entries);
        if let State::Closed { stopped } = &journal.state
            && (again || stopped.is_none())
        {
            let outcome = outcome_of(&journal.entries).unwrap_or(Outcome::Recovered);
            return Ok(facts.report(&plan, outcome, &journal.state));
        }
        progress.note(&plan, &facts, &journal.state);
        let until = plan.trigger.as_ref().map_or(until, |it| self.until(it));
        journal.until = until;
        let next = journal.state.next_step().unwrap_or(plan.steps.len());
        self.refuse_loss(&plan, next)?;
        let baseline = self
            .unless_stopped(self.baseline(until))
            .await
            .unwrap_or(Err(Error::Interrupted))?;
        journal.append(Record::Resumed, token).await?;
        if plan.ledger.path != LedgerPath::Application {
            self.take_over_fence(token, until).await?;
        }
        self.carry_out(journal, &baseline, token, progress).await
    }

    /// A fence that an earlier token raised gets this one's, so that its owner, if it still lives, is refused.
    async fn take_over_fence(&self, token: u64, deadline: Timestamp) -> Result<(), Error> {
        let database = &self.ports.database;
        let up = self
            .database("read the fence", deadline, || database.fence_token())
            .await?;
        match up {
            // Raised by hand, if nobody else holds the lease.
            Some(other) if other > token && is_held_with(&self.cluster(), token).await => {
                Err(Error::Database {
                    what: "take over the fence".to_owned(),
                    source: DatabaseError::StaleToken(other),
                })
            }
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

/// How a closed journal says that it ended.
pub(super) fn outcome_of(entries: &[Entry]) -> Option<Outcome> {
    let mut newest = entries.iter().rev();
    newest.find_map(|entry| match &entry.record {
        Record::Closed { outcome } => Some(outcome.clone()),
        _ => None,
    })
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
            match entry.record {
                // When it was done is known only to who did it, until that is written. The pods that it started tell
                // the rest.
                Record::Intent {
                    remedy: Some(_), ..
                }
                | Record::MadeGood { .. } => facts.made_good_at = Some(entry.at),
                _ => {}
            }
        }
        facts
    }

    /// Takes in one entry. A step that is tried again replaces its earlier report.
    pub(crate) fn take_in(&mut self, plan: &Plan, record: &Record) {
        let (index, report) = match record {
            Record::Done { step, report, .. } | Record::Failed { step, report, .. } => {
                (step, report)
            }
            Record::Planned { .. }
            | Record::Intent { .. }
            | Record::MadeGood { .. }
            | Record::Resumed
            | Record::Closed { .. } => return,
        };
        self.steps.truncate(*index);
        self.steps.push(report.clone());
        let Some(step) = plan.steps.get(*index) else {
            return;
        };
        if let Record::Done { data, .. } = record {
            if plan.delays_recovery(*index) {
                self.window_start = self.window_start.max(report.finished_at);
            }
            // What was seen of the pods before the proof, and during it, can only move it.
            if let Ok(anew) = serde_json::from_value::<Timestamp>(data["window_start"].clone()) {
                self.window_start = self.window_start.max(anew);
                self.disturbed |= step.phase == Phase::After;
            }
            if let Ok(from) = serde_json::from_value::<Timestamp>(data["looked_from"].clone()) {
                self.looked_from = self.looked_from.max(Some(from));
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
    pub(crate) fn report(self, plan: &Plan, outcome: Outcome, state: &State) -> Report {
        let recovered = outcome == Outcome::Recovered;
        let is_open = matches!(outcome, Outcome::Escalated { .. } | Outcome::Stopped { .. });
        let standing = is_open.then(|| claims(plan, &self, state));
        Report {
            outcome,
            trigger: plan.trigger.clone(),
            started_at: self.started_at,
            recovered_at: recovered.then_some(self.window_start),
            standing,
            steps: self.steps,
            plan: Some(plan.clone()),
            evidence: self.evidence,
            notes: self.notes,
        }
    }
}
