//! What an executor says, for the timeline and the evidence.

use contract::wire::{OutcomeKind, ReportLine};
use executor::planner::LedgerPath;
use executor::{Event, Stage, show_value};
use jiff::Timestamp;

use crate::drill::timeline::Told;
use crate::evidence::{ExecutorOutcome, ExecutorSaid, Ms, StepSaid};
use crate::scenario::Path;

fn step_name(name: &str, service: Option<&String>) -> String {
    service.map_or_else(|| name.to_owned(), |s| format!("{name} {s}"))
}

/// Why the event pages a person while nothing is rolled back, if it does.
pub(super) fn calls_a_person(event: &Event) -> Option<String> {
    match event {
        Event::TriggerPredatesRelease { trigger, .. } => Some(format!(
            "{trigger} held before the deployment already, so a rollback can't help"
        )),
        _ => None,
    }
}

/// Which line of a timeline the event is: what it tells of, step and what happened. `None` for what a timeline can do
/// without.
pub(super) fn told(event: &Event) -> Option<(Told, String, String)> {
    let line = |told: Told, step: &str, what: String| Some((told, step.to_owned(), what));
    match event {
        Event::PhaseStarted { stage } => {
            let told = match stage {
                // The other hosts are given up, the plan is asked for, or all is done that recovery waits for.
                Stage::Resume | Stage::Plan | Stage::After => Told::Over,
                Stage::Prepare | Stage::Watch | Stage::Run => Told::Else,
            };
            line(told, stage.name(), "begins".to_owned())
        }
        Event::LeaseAcquired {
            token,
            taken_from: None,
        } => line(Told::Over, "lease", format!("taken, fencing token {token}")),
        Event::LeaseAcquired {
            token,
            taken_from: Some(from),
        } => line(
            Told::Over,
            "lease",
            format!("taken from {from}, fencing token {token}"),
        ),
        Event::TriggerPending { trigger, value } => line(
            Told::Else,
            "watch",
            format!("{trigger} pending at {}", show_value(*value)),
        ),
        Event::TriggerCleared { trigger } => {
            line(Told::Else, "watch", format!("{trigger} cleared"))
        }
        Event::TriggerFired(event) => line(Told::Else, "watch", format!("{} fired", event.name)),
        Event::TriggerPredatesRelease { trigger, baseline } => line(
            Told::Else,
            "watch",
            format!(
                "{trigger} held before the deployment, at {}",
                show_value(*baseline)
            ),
        ),
        Event::Planned { summary } => line(Told::Planned, "plan", summary.clone()),
        Event::Observed(_) | Event::PlanInForce { .. } | Event::StepStarted { .. } => None,
        Event::StepWaiting { name, service, why } => {
            let step = step_name(name, service.as_ref());
            line(Told::Else, &step, format!("waits: {why}"))
        }
        Event::Retrying { what, why } => line(Told::Retried, "retry", format!("{what}: {why}")),
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
            line(Told::Over, &step_name(name, service.as_ref()), what)
        }
        Event::Note { text } => line(Told::Else, "note", text.clone()),
        Event::Finished { outcome } => line(Told::Else, "end", ended(outcome)),
    }
}

/// How a rollback ended, in words.
fn ended(outcome: &executor::Outcome) -> String {
    match outcome {
        executor::Outcome::Recovered => "Recovered".to_owned(),
        executor::Outcome::Escalated { reason } => format!("paged a person: {reason}"),
        executor::Outcome::Stopped { reason } => format!("stopped: {reason}"),
        executor::Outcome::NothingToDo { reason } => format!("nothing to do: {reason}"),
    }
}

/// Copies the report into the evidence.
pub(super) fn copy(
    report: ReportLine,
    drill_ms: impl Fn(Timestamp) -> Ms,
    said: &mut ExecutorSaid,
) {
    let reason = report.reason.unwrap_or_default();
    said.outcome = match report.outcome {
        OutcomeKind::Recovered => ExecutorOutcome::Recovered,
        // Nobody stops a drill's executor.
        OutcomeKind::Escalated | OutcomeKind::Stopped => ExecutorOutcome::Escalated(reason),
        OutcomeKind::NothingToDo => ExecutorOutcome::NothingToDo(reason),
    };
    said.recovered_ms = report.recovered_at.map(&drill_ms);
    said.standing = report.standing;
    said.path = match report.path {
        None => Path::None,
        Some(LedgerPath::Application) => Path::Application,
        Some(LedgerPath::Undo) => Path::Undo,
        Some(LedgerPath::Restore) => Path::Restore,
    };
    let steps = report.steps.into_iter().map(|step| StepSaid {
        name: step.name,
        title: step.title,
        service: step.service,
        started_ms: drill_ms(step.started_at),
        finished_ms: Some(drill_ms(step.finished_at)),
        budget_ms: step.budget_ms,
        outcome: step.outcome,
        detail: step.detail,
    });
    said.steps = steps.collect();
}

#[cfg(test)]
mod tests {
    use contract::wire::{Body, Line};
    use serde_json::json;

    use super::*;
    use crate::evidence::Evidence;
    use crate::scenario::built_in;

    /// Whatever a runbook calls its steps: none of them is taken for a plan or for another attempt.
    #[test]
    fn an_event_is_told_as_what_it_is() {
        let finished = |name: &str| Event::StepFinished {
            name: name.to_owned(),
            service: None,
            outcome: executor::StepOutcome::Done,
            detail: String::new(),
        };
        let waiting = Event::StepWaiting {
            name: "rollout-status".to_owned(),
            service: None,
            why: "1 of 3".to_owned(),
        };
        let retrying = Event::Retrying {
            what: "the lease".to_owned(),
            why: "a timeout".to_owned(),
        };
        let planned = Event::Planned {
            summary: "application".to_owned(),
        };
        for (event, of, step) in [
            (finished("plan"), Told::Over, "plan"),
            (finished("retry"), Told::Over, "retry"),
            (waiting, Told::Else, "rollout-status"),
            (retrying, Told::Retried, "retry"),
            (planned, Told::Planned, "plan"),
        ] {
            let line = told(&event).expect("it has a line");
            assert_eq!((line.0, line.1.as_str()), (of, step));
        }
    }

    #[test]
    fn a_report_is_copied() {
        let scenario = built_in("executor-killed", &[])
            .expect("built in")
            .expect("right");
        let mut said = Evidence::empty(&scenario).executor;
        let report = json!({"schema": "rollback/1", "at": "2026-05-04T10:00:10Z", "event": "report", "outcome": "recovered",
            "reason": null, "path": "application", "trigger": null, "started_at": "2026-05-04T10:00:00Z",
            "recovered_at": "2026-05-04T10:00:09Z", "rto_claimed_ms": 9000,
            "steps": [{"name": "undo-app", "title": "Undo", "service": null, "started_at": "2026-05-04T10:00:01Z",
                "finished_at": "2026-05-04T10:00:02Z", "budget_ms": 2000, "outcome": "done", "detail": ""}],
            "evidence_dir": "evidence", "files": [], "notes": [], "resume": null, "exit_code": 0});
        let line: Line = serde_json::from_value(report).expect("a line");
        let Body::Report(report) = line.body else {
            panic!("a report");
        };
        let ms = |at: Timestamp| u64::try_from(at.as_millisecond() % 60_000).unwrap_or(0);
        copy(report.clone(), ms, &mut said);
        assert_eq!(said.outcome, ExecutorOutcome::Recovered);
        assert_eq!(said.path, Path::Application);
        assert_eq!(said.recovered_ms, Some(9_000));
        assert_eq!(said.steps[0].finished_ms, Some(2_000));
        let stopped = ReportLine {
            outcome: OutcomeKind::Stopped,
            reason: Some("SIGTERM".to_owned()),
            ..report
        };
        copy(stopped, ms, &mut said);
        assert_eq!(
            said.outcome,
            ExecutorOutcome::Escalated("SIGTERM".to_owned())
        );
    }
}
