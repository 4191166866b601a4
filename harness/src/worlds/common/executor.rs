//! What an executor says, for the timeline and the evidence, and what another host does after it.

use executor::planner::LedgerPath;
use executor::{Event, Executor, Report, TriggerEvent, show_value};
use jiff::Timestamp;

use crate::evidence::{ExecutorSaid, Ms, Outcome, StepSaid, ms};
use crate::scenario::Path;

fn step_name(name: &str, service: Option<&String>) -> String {
    service.map_or_else(|| name.to_owned(), |s| format!("{name} {s}"))
}

/// Why the event calls a person while nothing is rolled back, if it does.
pub(in crate::worlds) fn calls_a_person(event: &Event) -> Option<String> {
    match event {
        Event::TriggerPredatesRelease { trigger, .. } => Some(format!(
            "{trigger} held before the deployment already, so a rollback can't help"
        )),
        _ => None,
    }
}

/// Step and what happened; `None` for what a timeline can do without.
pub(in crate::worlds) fn told(event: &Event) -> Option<(String, String)> {
    let plain = |step: &str, what: String| Some((step.to_owned(), what));
    match event {
        Event::PhaseStarted { stage } => plain(stage.name(), "begins".to_owned()),
        Event::LeaseAcquired {
            token,
            taken_from: None,
        } => plain("lease", format!("taken, fencing token {token}")),
        Event::LeaseAcquired {
            token,
            taken_from: Some(from),
        } => plain("lease", format!("taken from {from}, fencing token {token}")),
        Event::TriggerPending { trigger, value } => plain(
            "watch",
            format!("{trigger} pending at {}", show_value(*value)),
        ),
        Event::TriggerCleared { trigger } => plain("watch", format!("{trigger} cleared")),
        Event::TriggerFired(event) => plain("watch", format!("{} fired", event.name)),
        Event::TriggerPredatesRelease { trigger, baseline } => plain(
            "watch",
            format!(
                "{trigger} held before the deployment, at {}",
                show_value(*baseline)
            ),
        ),
        Event::Planned { summary } => plain("plan", summary.clone()),
        Event::Observed(_) | Event::PlanInForce { .. } | Event::StepStarted { .. } => None,
        Event::StepWaiting { name, service, why } => {
            Some((step_name(name, service.as_ref()), format!("waits: {why}")))
        }
        Event::Retrying { what, why } => plain("retry", format!("{what}: {why}")),
        Event::StepFinished {
            name,
            service,
            outcome,
            detail,
        } => {
            let what = if detail.is_empty() {
                outcome.to_string()
            } else {
                format!("{outcome}: {detail}")
            };
            Some((step_name(name, service.as_ref()), what))
        }
        Event::Note { text } => plain("note", text.clone()),
        Event::Finished { outcome } => plain("end", format!("{outcome:?}")),
    }
}

/// Copies the report into the evidence.
pub(in crate::worlds) fn copy_report(
    report: &Report,
    drill_ms: impl Fn(Timestamp) -> Ms,
    said: &mut ExecutorSaid,
) {
    said.outcome = match &report.outcome {
        executor::Outcome::Recovered => Outcome::Recovered,
        executor::Outcome::Escalated { reason } => Outcome::Escalated(reason.clone()),
        // Nobody stops a drill's executor.
        executor::Outcome::Stopped { reason } => Outcome::Escalated(reason.clone()),
        executor::Outcome::NothingToDo { reason } => Outcome::NothingToDo(reason.clone()),
    };
    said.recovered_ms = report.recovered_at.map(&drill_ms);
    said.path = match report.path_taken() {
        None => Path::None,
        Some(LedgerPath::Application) => Path::Application,
        Some(LedgerPath::Undo) => Path::Undo,
        Some(LedgerPath::Restore) => Path::Restore,
    };
    said.steps = report
        .steps
        .iter()
        .map(|step| StepSaid {
            name: step.name.clone(),
            title: step.title.clone(),
            service: step.service.clone(),
            started_ms: drill_ms(step.started_at),
            finished_ms: Some(drill_ms(step.finished_at)),
            budget_ms: ms(step.budget),
            outcome: step.outcome,
            detail: step.detail.clone(),
        })
        .collect();
}

/// What another host does that finds an interrupted rollback: resumes, or begins where nothing had begun.
pub(in crate::worlds) async fn carry_on(
    executor: &Executor,
    event: TriggerEvent,
) -> Result<Report, executor::Error> {
    match executor.resume().await {
        Err(executor::Error::NothingToResume) => executor.run(event).await,
        ended => ended,
    }
}
