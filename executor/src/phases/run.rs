//! Plan, journal, act.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures::future::{BoxFuture, Either, poll_fn, select};
use jiff::{SignedDuration, Timestamp};

use super::READ;
use super::progress::{Progress, cannot_begin};
use crate::baseline::Baseline;
use crate::budget::CALL;
use crate::clock::timeout;
use crate::error::Error;
use crate::event::{Event, Stage};
use crate::executor::Executor;
use crate::journal::{Journal, State};
use crate::lease::{Held, Patience};
use crate::planner::{Plan, PlanError, plan};
use crate::report::{Outcome, Report, TriggerEvent};
use crate::steps::post_mortem_of;

impl Executor {
    /// What [`run`](Self::run) would do and why. Changes nothing.
    ///
    /// # Errors
    /// No plan can be made, or the state can't be observed.
    pub async fn plan(&self, trigger: Option<TriggerEvent>) -> Result<Plan, Error> {
        self.begin(Stage::Plan).await;
        let until = self.now() + READ;
        let baseline = self.baseline(until).await?;
        let observed = self.observe(baseline, trigger, until).await?;
        Ok(plan(&self.runbook, &observed)?)
    }

    /// Rolls back.
    ///
    /// # Errors
    /// Another executor is at work, a rollback is unfinished or was escalated ([`resume`](Self::resume) it), there is
    /// no baseline, or the plan may lose more than is allowed. A rollback that can't begin or can't go on is no error
    /// but [`Outcome::Escalated`].
    pub async fn run(&self, trigger: TriggerEvent) -> Result<Report, Error> {
        self.begin(Stage::Run).await;
        let progress = Progress::default();
        let started_at = self.now();
        let ended = self.run_through(&trigger, &progress).await;
        let ended = progress.settle(ended);
        let ended = match ended {
            Err(error) if cannot_begin(&error) => {
                let halts = &self.runbook.naming.halts;
                Ok(not_begun(&error, Some(trigger), started_at, halts))
            }
            ended => ended,
        };
        self.ended(ended).await
    }

    async fn run_through(
        &self,
        trigger: &TriggerEvent,
        progress: &Progress,
    ) -> Result<Report, Error> {
        let mut again = false;
        loop {
            // A lease that runs out late is taken again as patiently as any other.
            let until = self.until(trigger);
            let held = self.take_lease(again, until).await?;
            let work = self.run_held(held.token, trigger.clone(), again, progress);
            match self.guarded(&held, Box::pin(work)).await {
                Err(error @ (Error::LeaseRanOut { .. } | Error::Outdated { .. })) => {
                    self.begins_again(&error);
                }
                ended => return ended,
            }
            again = true;
        }
    }

    /// Tells how it ended. A person who is paged finds a post-mortem, however early that was: where the runbook's
    /// own step could not write it, it is written here.
    pub(super) async fn ended(&self, ended: Result<Report, Error>) -> Result<Report, Error> {
        let mut report = ended?;
        let is_one = |name: &String| name.ends_with("/post-mortem.md");
        if matches!(report.outcome, Outcome::Escalated { .. })
            && !report.evidence.iter().any(is_one)
        {
            let (name, text) = post_mortem_of(self.runbook.terms(), &report);
            match self.ports.evidence.put(&name, text.into()).await {
                Ok(()) => report.evidence.push(name),
                Err(error) => report
                    .notes
                    .push(format!("could not store {name}: {error}")),
            }
        }
        self.emit(&Event::Finished {
            outcome: report.outcome.clone(),
        });
        Ok(report)
    }

    /// Until when whatever the rollback can't do without is tried: as long as the objective leaves time,
    /// and for [`READ`] at least.
    pub(super) fn until(&self, trigger: &TriggerEvent) -> Timestamp {
        let left = self.runbook.rto.saturating_sub(CALL);
        let objective = trigger.fired_at + SignedDuration::try_from(left).unwrap_or(READ);
        objective.max(self.now() + READ)
    }

    /// Says why the lease is to be taken again: nobody may have wanted it, or what the journal says is to be read anew.
    pub(super) fn begins_again(&self, why: &Error) {
        let text = match why {
            Error::LeaseRanOut { why } => {
                format!("stopped, as the lease ran out ({why}); takes it again and resumes")
            }
            why => format!("stopped, as {why}; takes the lease anew and resumes"),
        };
        self.emit(&Event::Note { text });
    }

    /// Takes the lease; tries until `until` at least.
    pub(super) async fn take_lease(&self, wait: bool, until: Timestamp) -> Result<Held, Error> {
        let (identity, duration) = (&self.options.identity, self.options.lease_duration);
        let floor = self.token_seen().await;
        let patience = Patience { wait, until, floor };
        let stop = &self.options.stop;
        let held = Held::acquire(&self.cluster(), identity, duration, patience, stop).await?;
        let taken_from = held.taken_from.clone();
        self.emit(&Event::LeaseAcquired {
            token: held.token,
            taken_from,
        });
        Ok(held)
    }

    /// The highest token that the database has seen. Where it does not answer, the lease is taken all the same: a token
    /// that turns out to be too low fails the step that uses it.
    async fn token_seen(&self) -> u64 {
        let (clock, limit) = (&*self.ports.clock, self.options.request_timeout);
        let asked = timeout(clock, limit, self.ports.database.token_max());
        match self.unless_stopped(asked).await {
            // A Lease can't count beyond.
            Some(Ok(Ok(token))) if i32::try_from(token).is_ok_and(|it| it < i32::MAX) => token,
            _ => 0,
        }
    }

    /// Does `work` for as long as the lease is ours: it is dropped where it stands once the lease is lost.
    pub(super) async fn guarded(
        &self,
        held: &Held,
        work: BoxFuture<'_, Result<Report, Error>>,
    ) -> Result<Report, Error> {
        let mut work = work;
        let result = {
            let keep = pin!(held.keep());
            // A host that stood still must not go on with a lease that another may have taken meanwhile.
            let ours = poll_fn(|cx| match held.run_out() {
                Some(error) => Poll::Ready(Err(error)),
                None => work.as_mut().poll(cx),
            });
            let ours = pin!(self.pulse.during(&*self.ports.clock, ours));
            match select(ours, keep).await {
                Either::Left((result, _)) => result,
                Either::Right((lost, _)) => Err(lost),
            }
        };
        let keeps = |error: &Error| {
            matches!(
                error,
                Error::Superseded { .. } | Error::LeaseRanOut { .. } | Error::Outdated { .. }
            )
        };
        // It is not ours to give back, or this host takes it anew at once.
        if !result.as_ref().is_err_and(keeps) {
            held.release().await;
        }
        result
    }

    /// `again`: an earlier attempt of this executor may have begun it.
    async fn run_held(
        &self,
        token: u64,
        trigger: TriggerEvent,
        again: bool,
        progress: &Progress,
    ) -> Result<Report, Error> {
        let started_at = self.now();
        let until = self.until(&trigger);
        let cluster = self.cluster();
        let mut journal = Journal::load(&cluster, &self.options.identity, until).await?;
        let begun = journal.plan.as_ref();
        if again && begun.is_some_and(|plan| plan.answers(&trigger)) {
            return self.resume_held(token, again, until, progress).await;
        }
        if journal.state.is_open() && !self.options.force {
            let since = journal.begun_at().unwrap_or(started_at);
            return Err(Error::InProgress { since });
        }
        let looking = async {
            let baseline = self.baseline(until).await?;
            if let Some(since) = escalated(&journal, &baseline)
                && !self.options.force
            {
                return Err(Error::WasEscalated { since });
            }
            let observed = self
                .observe(baseline.clone(), Some(trigger.clone()), until)
                .await?;
            Ok((baseline, observed))
        };
        let (baseline, observed) = self
            .unless_stopped(looking)
            .await
            .unwrap_or(Err(Error::Interrupted))?;
        let observed = Arc::new(observed);
        self.emit(&Event::Observed(Arc::clone(&observed)));
        let plan = match plan(&self.runbook, &observed) {
            Ok(plan) => plan,
            Err(refusal) => return Ok(refused(&refusal, trigger, started_at)),
        };
        self.refuse_loss(&plan, 0)?;
        if self.options.stop.is_cancelled() {
            return Err(Error::Interrupted);
        }
        journal.begin(&plan, token).await?;
        self.emit(&Event::Planned {
            summary: plan.summary(),
        });
        self.carry_out(journal, &baseline, token, progress).await
    }
}

/// When the journal's rollback was begun, if it was escalated, and no release has been recorded since: what it left
/// half done would be taken for the state that a new plan begins from.
fn escalated(journal: &Journal, baseline: &Baseline) -> Option<Timestamp> {
    let State::Closed { stopped: Some(_) } = journal.state else {
        return None;
    };
    let plan = journal.plan.as_ref()?;
    let since = journal.begun_at().unwrap_or(plan.observed_at);
    (plan.observed_at >= baseline.recorded_at).then_some(since)
}

/// The report of a rollback that was refused before anything was changed.
fn refused(refusal: &PlanError, trigger: TriggerEvent, started_at: Timestamp) -> Report {
    let reason = refusal.to_string();
    let outcome = match refusal {
        PlanError::NothingDiffers => Outcome::NothingToDo { reason },
        _ => Outcome::Escalated {
            reason: format!("{reason}. Nothing was changed."),
        },
    };
    without_plan(outcome, Some(trigger), started_at)
}

/// The report of a rollback that could not be begun, or not be resumed, for as long as the objective leaves time.
pub(super) fn not_begun(
    error: &Error,
    trigger: Option<TriggerEvent>,
    started_at: Timestamp,
    halts: &str,
) -> Report {
    let why = error.chain();
    let reason = if trigger.is_some() {
        format!(
            "the rollback could not begin: {why}. Nothing was changed: the release is as it was. A person must: remove the cause and \
             `rollback run`, or follow the runbook by hand from its first step"
        )
    } else {
        format!(
            "the rollback could not be resumed: {why}. Where it stands is in its journal, which could not be read or followed: take \
             {halts} as halted and the ledger as fenced. A person must: remove the cause and `rollback resume`, or go on by hand from \
             the step that was done last"
        )
    };
    without_plan(Outcome::Escalated { reason }, trigger, started_at)
}

fn without_plan(outcome: Outcome, trigger: Option<TriggerEvent>, started_at: Timestamp) -> Report {
    Report {
        outcome,
        trigger,
        started_at,
        recovered_at: None,
        standing: None,
        steps: Vec::new(),
        plan: None,
        evidence: Vec::new(),
        notes: Vec::new(),
    }
}
