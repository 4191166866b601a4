//! Plan, journal, act.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use futures::future::{BoxFuture, Either, poll_fn, select};
use jiff::Timestamp;

use super::standing::{standing, stopped, went_well};
use crate::baseline::Baseline;
use crate::budget::Budget;
use crate::error::Error;
use crate::event::{Event, Stage};
use crate::executor::Executor;
use crate::journal::{Journal, Record};
use crate::kubernetes::Cluster;
use crate::lease::Held;
use crate::planner::{Plan, PlanError, PlannedStep, plan};
use crate::report::{Outcome, Report, StepOutcome, StepReport, TriggerEvent};
use crate::runbook::{Command, OnFail, Phase};
use crate::steps::{Context, Facts, Stop, Success, has_side_effect, perform};

/// How often the application is rolled back again, where somebody changed it, before a person is called.
const REDONE_MAX: u32 = 2;

impl Executor {
    /// What [`run`](Self::run) would do and why. Changes nothing.
    ///
    /// # Errors
    /// No plan can be made, or the state can't be observed.
    pub async fn plan(&self, trigger: Option<TriggerEvent>) -> Result<Plan, Error> {
        self.begin(Stage::Plan);
        let baseline = self.baseline().await?;
        let observed = self.observe(baseline, trigger).await?;
        Ok(plan(&self.runbook, &observed)?)
    }

    /// Rolls back.
    ///
    /// # Errors
    /// Another executor is at work, a rollback is unfinished ([`resume`](Self::resume) it), the lease was lost, or the
    /// journal can't be written. A rollback that can't go on is no error but [`Outcome::Escalated`].
    pub async fn run(&self, trigger: TriggerEvent) -> Result<Report, Error> {
        self.begin(Stage::Run);
        let mut again = false;
        loop {
            let held = self.take_lease(again).await?;
            let work = self.run_held(held.token, trigger.clone(), again);
            match self.guarded(&held, Box::pin(work)).await {
                Err(Error::LeaseRanOut { why }) => self.regain(&why),
                ended => return ended,
            }
            again = true;
        }
    }

    /// Says that the lease is to be taken again: nobody may have wanted it.
    pub(super) fn regain(&self, why: &str) {
        let text = format!("stopped, as the lease ran out ({why}); takes it again and resumes");
        self.emit(&Event::Note { text });
    }

    pub(super) async fn take_lease(&self, wait: bool) -> Result<Held, Error> {
        let (identity, duration) = (&self.options.identity, self.options.lease_duration);
        let held = Held::acquire(
            &self.cluster(),
            identity,
            duration,
            wait,
            &self.options.stop,
        )
        .await?;
        let taken_from = held.taken_from.clone();
        self.emit(&Event::LeaseAcquired {
            token: held.token,
            taken_from,
        });
        Ok(held)
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
            match select(ours, keep).await {
                Either::Left((result, _)) => result,
                Either::Right((lost, _)) => Err(lost),
            }
        };
        let lost =
            |error: &Error| matches!(error, Error::Superseded { .. } | Error::LeaseRanOut { .. });
        if !result.as_ref().is_err_and(lost) {
            held.release().await;
        }
        if let Ok(report) = &result {
            self.emit(&Event::Finished {
                outcome: report.outcome.clone(),
            });
        }
        result
    }

    /// `again`: an earlier attempt of this executor may have begun it.
    async fn run_held(
        &self,
        token: u64,
        trigger: TriggerEvent,
        again: bool,
    ) -> Result<Report, Error> {
        let started_at = self.now();
        let cluster = self.cluster();
        let mut journal = Journal::load(&cluster, &self.options.identity).await?;
        let begun = journal.plan.as_ref();
        if again && begun.is_some_and(|plan| plan.trigger.as_ref() == Some(&trigger)) {
            return self.resume_held(token).await;
        }
        if journal.state.is_open() && !self.options.force {
            let since = journal.begun_at().unwrap_or(started_at);
            return Err(Error::InProgress { since });
        }
        let looking = async {
            let baseline = self.baseline().await?;
            let observed = self
                .observe(baseline.clone(), Some(trigger.clone()))
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
        self.carry_out(journal, &baseline, token).await
    }

    /// Does the steps that the journal shows as not done.
    pub(super) async fn carry_out(
        &self,
        mut journal: Journal,
        baseline: &Baseline,
        token: u64,
    ) -> Result<Report, Error> {
        let Some(plan) = journal.plan.clone() else {
            return Err(Error::NothingToResume);
        };
        let cluster = self.cluster();
        let mut facts = Facts::from_journal(&plan, &journal.entries);
        let mut escalated = None;
        let mut redone = 0;
        let next = journal.state.next_step().unwrap_or(plan.steps.len());
        self.emit(&Event::PlanInForce {
            plan: Arc::new(plan.clone()),
            next,
        });
        while let Some(index) = journal.state.next_step() {
            let Some(step) = plan.steps.get(index) else {
                break;
            };
            if self.options.stop.is_cancelled() {
                return Ok(stopped(&plan, facts, &journal.state));
            }
            let spared = step.instead_of.filter(|undo| facts.succeeded(*undo));
            let attempt = || self.attempt(&cluster, &plan, baseline, step, &facts, token);
            let (mut report, ended) = if let Some(undo) = spared.and_then(|at| plan.steps.get(at)) {
                self.spare(step, undo)
            } else if has_side_effect(&step.command) {
                journal
                    .append(Record::Intent { step: index }, token)
                    .await?;
                // Once begun, it is seen through to its entry: its budget bounds that.
                attempt().await
            } else {
                match self.unless_stopped(attempt()).await {
                    Some(attempted) => attempted,
                    None => return Ok(stopped(&plan, facts, &journal.state)),
                }
            };
            if let Err(Stop::Undone(why)) = &ended
                && redone < REDONE_MAX
                && let Some(undo) = undo_before(&plan, step)
            {
                redone += 1;
                let text =
                    format!("{why}: somebody changed it after the undo, so it is undone again");
                facts.notes.push(text.clone());
                self.emit(&Event::Note { text });
                // The check now acts: whoever resumes finds its intent, and the undo does nothing where it need not.
                journal
                    .append(Record::Intent { step: index }, token)
                    .await?;
                let attempt = self.attempt(&cluster, &plan, baseline, undo, &facts, token);
                match attempt.await {
                    (_, Ok(_)) => continue,
                    (_, Err(Stop::Fatal(error))) => return Err(error),
                    (_, Err(_)) => {}
                }
            }
            let record = match ended {
                Ok(success) => {
                    let data = data_of(&success);
                    Record::Done {
                        step: index,
                        report,
                        data,
                    }
                }
                Err(Stop::Fatal(error)) => return Err(error),
                Err(Stop::Failed(_) | Stop::Undone(_) | Stop::Inconclusive(_)) => {
                    let go_on = match step.on_fail {
                        OnFail::Abort => false,
                        OnFail::Continue => true,
                        OnFail::Restore => {
                            match self.refuse_losses(plan.losses_instead_of(index)) {
                                Ok(()) => true,
                                Err(refusal) => {
                                    report.detail.push_str(&format!("; {refusal}"));
                                    false
                                }
                            }
                        }
                    };
                    Record::Failed {
                        step: index,
                        report,
                        go_on,
                    }
                }
            };
            facts.take_in(&plan, &record);
            journal.append(record, token).await?;
            if let crate::journal::State::Stopped { .. } = journal.state {
                let outcome = Outcome::Escalated {
                    reason: reason(&plan, &facts, step),
                };
                facts.outcome = Some(outcome.clone());
                self.evidence(&cluster, &plan, baseline, &mut facts, token)
                    .await?;
                escalated = Some(outcome);
                break;
            }
        }
        let outcome = escalated.unwrap_or(Outcome::Recovered);
        journal
            .append(
                Record::Closed {
                    outcome: outcome.clone(),
                },
                token,
            )
            .await?;
        Ok(facts.report(&plan, outcome))
    }

    /// A step that would have made good the failure of `undo`, which succeeded.
    fn spare(&self, step: &PlannedStep, undo: &PlannedStep) -> (StepReport, Result<Success, Stop>) {
        let at = self.now();
        let detail = format!("not needed: `{}` is done", undo.name);
        let report = StepReport {
            name: step.name.clone(),
            title: step.title.clone(),
            service: step.service.clone(),
            started_at: at,
            finished_at: at,
            budget: step.budget,
            borrowed: std::time::Duration::ZERO,
            outcome: StepOutcome::AlreadySo,
            detail: detail.clone(),
        };
        (report, Ok(Success::already(detail)))
    }

    /// One step with its events and its report.
    pub(super) async fn attempt(
        &self,
        cluster: &Cluster,
        plan: &Plan,
        baseline: &Baseline,
        step: &PlannedStep,
        facts: &Facts,
        token: u64,
    ) -> (StepReport, Result<Success, Stop>) {
        let started_at = self.now();
        let (name, service) = (step.name.clone(), step.service.clone());
        self.emit(&Event::StepStarted {
            name,
            service,
            budget: step.budget,
        });
        let queries = self.queries();
        let context = Context {
            ports: &self.ports,
            cluster,
            queries: &queries,
            terms: self.runbook.terms(),
            plan,
            baseline,
            step,
            facts,
            token,
            budget: Budget::of_step(plan, step, self.runbook.rto, started_at),
            waiting: Mutex::new(String::new()),
        };
        let mut ended = perform(&context).await;
        if ended.is_ok() && !step.command.judges_a_value() {
            ended = hold(&context, ended).await;
        }
        let (outcome, detail) = match &ended {
            Ok(success) if success.already => (StepOutcome::AlreadySo, success.detail.clone()),
            Ok(success) => (StepOutcome::Done, success.detail.clone()),
            Err(Stop::Failed(why) | Stop::Undone(why)) => (StepOutcome::Failed, why.clone()),
            Err(Stop::Inconclusive(why)) => (StepOutcome::Inconclusive, why.clone()),
            Err(Stop::Fatal(error)) => (StepOutcome::Failed, error.chain()),
        };
        let finished_at = self.now();
        let borrowed = context.budget.borrowed(finished_at);
        let reserve = context.budget.reserve(finished_at);
        let detail = match reserve.filter(|_| ended.is_ok() && !borrowed.is_zero()) {
            Some(reserve) => format!("{detail} ({reserve})"),
            None => detail,
        };
        let report = StepReport {
            name: step.name.clone(),
            title: step.title.clone(),
            service: step.service.clone(),
            started_at,
            finished_at,
            budget: step.budget,
            borrowed,
            outcome,
            detail: detail.clone(),
        };
        let (name, service) = (step.name.clone(), step.service.clone());
        self.emit(&Event::StepFinished {
            name,
            service,
            outcome,
            detail,
        });
        (report, ended)
    }

    /// After a stop: what the runbook writes afterwards is written all the same, as far as that is possible.
    async fn evidence(
        &self,
        cluster: &Cluster,
        plan: &Plan,
        baseline: &Baseline,
        facts: &mut Facts,
        token: u64,
    ) -> Result<(), Error> {
        self.begin(Stage::After);
        let writes = |step: &&PlannedStep| {
            step.phase == Phase::After
                && matches!(
                    step.command,
                    Command::WritePostMortem | Command::WriteScenario
                )
        };
        for step in plan.steps.iter().filter(writes) {
            let (report, ended) = self
                .attempt(cluster, plan, baseline, step, facts, token)
                .await;
            match ended {
                Ok(success) => facts.evidence.extend(success.evidence),
                Err(Stop::Fatal(error)) => return Err(error),
                Err(_) => facts
                    .notes
                    .push(format!("{}: {}", report.name, report.detail)),
            }
        }
        Ok(())
    }
}

/// The undo whose outcome `step` checks, if it is pinned: another one must not be repeated.
fn undo_before<'a>(plan: &'a Plan, step: &PlannedStep) -> Option<&'a PlannedStep> {
    plan.steps[..step.index].iter().find(|undo| {
        undo.command == Command::RolloutUndo { pinned: true } && undo.service == step.service
    })
}

/// Looks again until the outcome has held for as long as the step wants.
async fn hold(context: &Context<'_>, first: Result<Success, Stop>) -> Result<Success, Stop> {
    let Some(hold) = context.step.hold else {
        return first;
    };
    let clock = &context.ports.clock;
    let since = clock.now();
    loop {
        let held = std::time::Duration::try_from(clock.now().duration_since(since));
        let left = hold.saturating_sub(held.unwrap_or_default());
        if left.is_zero() {
            return first;
        }
        context.waiting(&format!("must go on holding for {} s", hold.as_secs()));
        let poll = std::time::Duration::from_secs(5).max(hold / 6);
        if !context
            .cluster
            .pause(poll.min(left), context.budget.end())
            .await
        {
            let text = format!("must hold for {} s; its budget is shorter", hold.as_secs());
            return Err(Stop::Inconclusive(text));
        }
        match perform(context).await {
            Ok(_) => {}
            Err(Stop::Failed(why)) => {
                return Err(Stop::Failed(format!("it did not go on holding: {why}")));
            }
            Err(other) => return Err(other),
        }
    }
}

/// What the journal keeps of a success.
fn data_of(success: &Success) -> serde_json::Value {
    let mut data = success.data.clone();
    if !success.evidence.is_empty() {
        if !data.is_object() {
            data = serde_json::json!({});
        }
        data["evidence"] = serde_json::json!(success.evidence);
    }
    data
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
    Report {
        outcome,
        trigger: Some(trigger),
        started_at,
        recovered_at: None,
        steps: Vec::new(),
        plan: None,
        evidence: Vec::new(),
        notes: Vec::new(),
    }
}

/// What went wrong, where things stand, what a person must do.
fn reason(plan: &Plan, facts: &Facts, failed: &PlannedStep) -> String {
    let detail = facts.steps.last().map_or("", |step| step.detail.as_str());
    let inconclusive = facts
        .steps
        .last()
        .is_some_and(|step| step.outcome == StepOutcome::Inconclusive);
    let how = if inconclusive {
        "is inconclusive"
    } else {
        "failed"
    };
    let mut text = format!("step `{}` {how}: {detail}.", failed.label());
    text.push(' ');
    text.push_str(&standing(plan, &went_well(facts)));
    text.push_str(&format!(
        " A person must: remove the cause and `rollback resume`, or go on by hand from \"{}\": {}",
        failed.title, failed.text
    ));
    text
}
