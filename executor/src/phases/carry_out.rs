//! The steps of a plan, each with its entries in the journal.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;

use super::progress::{Progress, reason};
use super::standing::stopped;
use crate::baseline::Baseline;
use crate::budget::{Budget, CALL};
use crate::error::Error;
use crate::event::{Event, Stage};
use crate::executor::Executor;
use crate::journal::{Entry, Journal, Record};
use crate::kubernetes::Cluster;
use crate::planner::{LedgerPath, Plan, PlannedStep};
use crate::report::{Outcome, Report, StepOutcome, StepReport};
use crate::runbook::{Command, Effect, OnFail, Phase};
use crate::steps::{Changed, Context, Facts, Stop, Success, perform};

/// How often what somebody else changes is made good, by each remedy, before a person is paged.
const REMEDIES_MAX: usize = 2;

impl Executor {
    /// Does the steps that the journal shows as not done.
    pub(super) async fn carry_out(
        &self,
        mut journal: Journal,
        baseline: &Baseline,
        token: u64,
        progress: &Progress,
    ) -> Result<Report, Error> {
        let Some(plan) = journal.plan.clone() else {
            return Err(Error::NothingToResume);
        };
        let cluster = self.cluster();
        let mut facts = Facts::from_journal(&plan, &journal.entries);
        let mut escalated = None;
        let next = journal.state.next_step().unwrap_or(plan.steps.len());
        self.emit(&Event::PlanInForce {
            plan: Arc::new(plan.clone()),
            next,
        });
        if let Some(remedy) = begun(&plan, &journal.entries) {
            // Who began it did not see its end. It does nothing where it need not.
            let text = format!("`{}` is seen through first", remedy.label);
            self.emit(&Event::Note { text });
            if self
                .cure(&cluster, &plan, baseline, &remedy, &facts, token)
                .await?
            {
                self.made_good(&mut journal, &mut facts, token).await?;
            }
        }
        while let Some(index) = journal.state.next_step() {
            progress.note(&plan, &facts, &journal.state);
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
            } else if step.command.has_side_effect() {
                journal.append(intent(index, None), token).await?;
                progress.note(&plan, &facts, &journal.state);
                // Once begun, it is seen through to its entry: its budget bounds that.
                attempt().await
            } else {
                match self.unless_stopped(attempt()).await {
                    Some(attempted) => attempted,
                    None => return Ok(stopped(&plan, facts, &journal.state)),
                }
            };
            let (allowed, no_more) = match &ended {
                Err(Stop::Changed { service, what, .. }) => {
                    match remedy(&plan, step, service, *what) {
                        Err(why) => (None, why),
                        Ok(it) if journal.begun(&it.label) >= REMEDIES_MAX => (
                            None,
                            "it was made good twice, and is not made good any more",
                        ),
                        Ok(it) if !self.leaves_time(&plan, step, &it) => {
                            (None, "there is no time left to make it good")
                        }
                        Ok(it) => (Some(it), "the attempt to make it good failed"),
                    }
                }
                _ => (None, ""),
            };
            if let (Err(Stop::Changed { what, why, .. }), Some(remedy)) = (&ended, allowed) {
                let text = format!("{why}; {} now", what.cure());
                facts.notes.push(text.clone());
                self.emit(&Event::Note { text });
                // Whoever resumes finds the intent, and the remedy does nothing where it need not.
                let began = intent(index, Some(remedy.label.clone()));
                journal.append(began, token).await?;
                progress.note(&plan, &facts, &journal.state);
                if self
                    .cure(&cluster, &plan, baseline, &remedy, &facts, token)
                    .await?
                {
                    self.made_good(&mut journal, &mut facts, token).await?;
                    continue;
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
                Err(
                    stop @ (Stop::Failed(_)
                    | Stop::Unanswered(_)
                    | Stop::Changed { .. }
                    | Stop::Inconclusive(_)),
                ) => {
                    if let Stop::Changed { .. } = stop {
                        report.detail.push_str(&format!("; {no_more}"));
                    }
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
                    reason: reason(&plan, &facts, &journal.state, step),
                };
                facts.outcome = Some(outcome.clone());
                progress.note(&plan, &facts, &journal.state);
                progress.ends(&outcome);
                self.evidence(&cluster, &plan, baseline, &mut facts, token)
                    .await?;
                escalated = Some(outcome);
                break;
            }
        }
        let outcome = escalated.unwrap_or(Outcome::Recovered);
        progress.note(&plan, &facts, &journal.state);
        progress.ends(&outcome);
        journal
            .append(
                Record::Closed {
                    outcome: outcome.clone(),
                },
                token,
            )
            .await?;
        Ok(facts.report(&plan, outcome, &journal.state))
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
            borrowed: Duration::ZERO,
            outcome: StepOutcome::Skipped,
            detail: detail.clone(),
        };
        (report, Ok(Success::already(detail)))
    }

    /// Whether the application can still be back in time if `remedy` is what it takes, for a step that proves that it
    /// is. Before that the steps' own budgets see to it.
    fn leaves_time(&self, plan: &Plan, step: &PlannedStep, remedy: &Remedy<'_>) -> bool {
        let Some(trigger) = plan.trigger.as_ref().filter(|_| proves(plan, step)) else {
            return true;
        };
        let needed = remedy
            .steps
            .iter()
            .map(|step| step.budget)
            .sum::<Duration>()
            + CALL;
        let needed = SignedDuration::try_from(needed).unwrap_or(SignedDuration::MAX);
        self.now() + needed <= trigger.fired_at + self.objective()
    }

    /// Does what makes good somebody else's change. Whether it went well.
    async fn cure(
        &self,
        cluster: &Cluster,
        plan: &Plan,
        baseline: &Baseline,
        remedy: &Remedy<'_>,
        facts: &Facts,
        token: u64,
    ) -> Result<bool, Error> {
        for step in &remedy.steps {
            let (_, ended) = self
                .attempt(cluster, plan, baseline, step, facts, token)
                .await;
            match ended {
                Ok(_) => {}
                Err(Stop::Fatal(error)) => return Err(error),
                // What is changed again meanwhile is for the check that found it.
                Err(Stop::Changed { .. }) => return Ok(true),
                Err(Stop::Failed(_) | Stop::Unanswered(_) | Stop::Inconclusive(_)) => {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// What a remedy was begun for is made good: the proof begins anew now, and whoever resumes knows that.
    async fn made_good(
        &self,
        journal: &mut Journal,
        facts: &mut Facts,
        token: u64,
    ) -> Result<(), Error> {
        facts.made_good_at = Some(self.now());
        match journal.state.next_step() {
            Some(step) => journal.append(Record::MadeGood { step }, token).await,
            None => Ok(()),
        }
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
            application: &self.options.application,
            plan,
            baseline,
            step,
            facts,
            token,
            budget: Budget::of_step(plan, step, self.runbook.rto, started_at, &self.pulse),
            waiting: Mutex::new(String::new()),
        };
        let mut ended = perform(&context).await;
        if ended.is_ok() && !step.command.judges_a_value() {
            ended = hold(&context, ended).await;
        }
        let ended = ended.map_err(|stop| context.explain(stop));
        let (outcome, detail) = match &ended {
            Ok(success) if success.already => (StepOutcome::AlreadySo, success.detail.clone()),
            Ok(success) => (StepOutcome::Done, success.detail.clone()),
            Err(Stop::Failed(why) | Stop::Unanswered(why) | Stop::Changed { why, .. }) => {
                (StepOutcome::Failed, why.clone())
            }
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
        self.emit(&Event::PhaseStarted {
            stage: Stage::After,
        });
        let writes = |step: &&PlannedStep| {
            step.phase == Phase::After && step.command.spec().effect == Effect::Documents
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

fn intent(step: usize, remedy: Option<String>) -> Record {
    Record::Intent { step, remedy }
}

/// What makes good somebody else's change of a service.
struct Remedy<'a> {
    /// The step that acts, for the journal.
    label: String,
    /// That step, and what must follow it before the check that found the change is made again.
    steps: Vec<&'a PlannedStep>,
}

/// Whether the step comes after the last one that the recovery waits for.
fn proves(plan: &Plan, step: &PlannedStep) -> bool {
    !(step.index..plan.steps.len()).any(|index| plan.delays_recovery(index))
}

/// Whether clients may write again when the step comes: nothing that changes the application is left to do, and the
/// last that does lets them in.
fn reopened(plan: &Plan, step: &PlannedStep) -> bool {
    let mut rest = plan.steps.iter().skip(step.index);
    !rest.any(|step| step.command.spec().effect == Effect::Changes)
}

/// What the plan has against `what`, which `found` met at `service`. Only a pinned undo may be repeated: another one
/// would go on to yet another revision. Once clients write to a ledger that was changed for the prior release,
/// another one may have written to it, so that a person must look at it; after the proof they are called for
/// anything.
///
/// # Errors
/// Why it is not made good, for a reader.
fn remedy<'a>(
    plan: &'a Plan,
    found: &PlannedStep,
    service: &str,
    what: Changed,
) -> Result<Remedy<'a>, &'static str> {
    let on_changed_ledger = plan.ledger.path != LedgerPath::Application && reopened(plan, found);
    let of_service = |step: &&PlannedStep| step.service.as_deref() == Some(service);
    let mut stand_by = plan.stand_by.iter().filter(of_service);
    let planned = plan.steps.iter().filter(of_service);
    let acts = match what {
        Changed::Template => planned
            .clone()
            .take_while(|step| step.index <= found.index)
            .find(|step| step.command == Command::RolloutUndo { pinned: true }),
        Changed::Paused => planned
            .clone()
            .chain(&mut stand_by)
            .find(|step| step.command == Command::RolloutResume),
        Changed::Scaled => planned
            .clone()
            .chain(&mut stand_by)
            .find(|step| step.command == Command::RestoreReplicas),
    };
    match acts {
        None => Err("the runbook has no step that makes it good"),
        Some(_) if found.phase != Phase::Run => {
            Err("it changed after the recovery was proven, and is not made good any more")
        }
        Some(_) if on_changed_ledger && what == Changed::Template => Err(
            "clients write again to a ledger that was changed, so a person must look at it first",
        ),
        Some(acts) => Ok(remedy_by(plan, found.index, acts)),
    }
}

/// The remedy for what the step at `found` met, in which `acts` acts.
fn remedy_by<'a>(plan: &'a Plan, found: usize, acts: &'a PlannedStep) -> Remedy<'a> {
    let undoes = matches!(acts.command, Command::RolloutUndo { .. });
    let mut steps = plan.steps.iter().take(found);
    let waits = steps
        .find(|step| step.service == acts.service && step.command == Command::RolloutStatus)
        .filter(|_| undoes);
    Remedy {
        label: acts.label(),
        steps: std::iter::once(acts).chain(waits).collect(),
    }
}

/// The remedy that was begun last, if nothing that came to an end is journaled after it.
fn begun<'a>(plan: &'a Plan, entries: &[Entry]) -> Option<Remedy<'a>> {
    let mut last = entries.iter().rev().map(|entry| &entry.record);
    let last = last.find(|record| !matches!(record, Record::Resumed))?;
    let Record::Intent {
        step,
        remedy: Some(label),
    } = last
    else {
        return None;
    };
    let mut steps = plan.steps.iter().chain(&plan.stand_by);
    let acts = steps.find(|step| step.label() == *label)?;
    Some(remedy_by(plan, *step, acts))
}

/// Looks again until the outcome has held for as long as the step wants.
async fn hold(context: &Context<'_>, first: Result<Success, Stop>) -> Result<Success, Stop> {
    let Some(hold) = context.step.hold else {
        return first;
    };
    let clock = &context.ports.clock;
    let since = clock.now();
    loop {
        let held = Duration::try_from(clock.now().duration_since(since));
        let left = hold.saturating_sub(held.unwrap_or_default());
        if left.is_zero() {
            return first;
        }
        context.waiting(&format!("must go on holding for {} s", hold.as_secs()));
        let poll = Duration::from_secs(5).max(hold / 6);
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
            Err(Stop::Failed(why) | Stop::Unanswered(why)) => {
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
