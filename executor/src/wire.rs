//! What the executor says, in the format of `rollback --json`, which the crate `contract` defines.

pub use contract::wire::{
    Body, LeftOutLine, Line, OutcomeKind, PlanLine, PlannedLine, ReportLine, SCHEMA, ServiceLine,
    StepLine, ms,
};

use crate::event::Event;
use crate::planner::Plan;
use crate::report::{Outcome, Report, StepReport, TriggerEvent};

/// The line for an event; `None` where another line says the same.
#[must_use]
pub fn body(event: &Event) -> Option<Body> {
    let finite = |value: f64| value.is_finite().then_some(value);
    let body = match event.clone() {
        Event::PhaseStarted { stage } => Body::Phase {
            phase: stage.name().to_owned(),
        },
        Event::LeaseAcquired { token, taken_from } => Body::Lease { token, taken_from },
        Event::TriggerPending { trigger, value } => Body::TriggerPending {
            name: trigger,
            value: finite(value),
        },
        Event::TriggerCleared { trigger } => Body::TriggerCleared { name: trigger },
        Event::TriggerFired(event) => Body::TriggerFired(settled(event)),
        Event::TriggerPredatesRelease { trigger, baseline } => Body::TriggerPredatesRelease {
            name: trigger,
            baseline: finite(baseline),
        },
        Event::PlanInForce { plan, next } => Body::Plan {
            plan: plan_line(&plan),
            next,
        },
        Event::StepStarted {
            name,
            service,
            budget,
        } => Body::StepStarted {
            step: name,
            service,
            budget_ms: ms(budget),
        },
        Event::StepWaiting { name, service, why } => Body::StepWaiting {
            step: name,
            service,
            why,
        },
        Event::Retrying { what, why } => Body::Retrying { what, why },
        Event::StepFinished {
            name,
            service,
            outcome,
            detail,
        } => Body::StepFinished {
            step: name,
            service,
            outcome,
            detail,
        },
        Event::Note { text } => Body::Note { text },
        Event::Observed(_) | Event::Planned { .. } | Event::Finished { .. } => return None,
    };
    Some(body)
}

/// JSON has no NaN.
fn settled(mut event: TriggerEvent) -> TriggerEvent {
    event.value = event.value.filter(|value| value.is_finite());
    event
}

/// `plan` for the wire.
#[must_use]
pub fn plan_line(plan: &Plan) -> PlanLine {
    let services = plan.services.iter().map(|service| ServiceLine {
        service: service.service.clone(),
        from_image: service.from_image.clone(),
        to_image: service.to_image.clone(),
        target: service.target.to_string(),
    });
    let steps = plan.steps.iter().map(|step| PlannedLine {
        name: step.name.clone(),
        title: step.title.clone(),
        service: step.service.clone(),
        command: step.text.clone(),
        phase: step.phase,
        budget_ms: ms(step.budget),
        why: step.why.clone(),
    });
    let left_out = plan.skipped.iter().map(|step| LeftOutLine {
        name: step.name.clone(),
        service: step.service.clone(),
        why: step.reason.clone(),
    });
    PlanLine {
        runbook: plan.runbook.clone(),
        digest: plan.digest.clone(),
        trigger: plan.trigger.clone().map(settled),
        path: plan.ledger.path,
        why: plan.ledger.why.clone(),
        may_lose: plan.losses_from(0),
        services: services.collect(),
        steps: steps.collect(),
        left_out: left_out.collect(),
        notes: plan.notes.clone(),
    }
}

/// `report` for the wire.
#[must_use]
pub fn report_line(
    report: &Report,
    evidence_dir: &str,
    resume: Option<String>,
    exit_code: u8,
) -> ReportLine {
    let (outcome, reason) = match &report.outcome {
        Outcome::Recovered => (OutcomeKind::Recovered, None),
        Outcome::Escalated { reason } => (OutcomeKind::Escalated, Some(reason.clone())),
        Outcome::NothingToDo { reason } => (OutcomeKind::NothingToDo, Some(reason.clone())),
        Outcome::Stopped { reason } => (OutcomeKind::Stopped, Some(reason.clone())),
    };
    ReportLine {
        outcome,
        reason,
        path: report.path_taken(),
        trigger: report.trigger.clone().map(settled),
        started_at: report.started_at,
        recovered_at: report.recovered_at,
        standing: report.standing,
        rto_claimed_ms: report.rto_claimed().map(ms),
        steps: report.steps.iter().map(step_line).collect(),
        evidence_dir: evidence_dir.to_owned(),
        files: report.evidence.clone(),
        notes: report.notes.clone(),
        resume,
        exit_code,
    }
}

fn step_line(step: &StepReport) -> StepLine {
    StepLine {
        name: step.name.clone(),
        title: step.title.clone(),
        service: step.service.clone(),
        started_at: step.started_at,
        finished_at: step.finished_at,
        budget_ms: ms(step.budget),
        outcome: step.outcome,
        detail: step.detail.clone(),
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
