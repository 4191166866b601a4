//! What a person sees while it runs.

use std::sync::Mutex;

use anstyle::{AnsiColor, Style};
use executor::{Event, Observer, Outcome, Report, StepOutcome};
use jiff::Timestamp;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const DIM: Style = AnsiColor::BrightBlack.on_default();

/// Prints events, with the seconds since the first.
#[derive(Default)]
pub(crate) struct Console {
    began: Mutex<Option<Timestamp>>,
}

impl Observer for Console {
    fn event(&self, at: Timestamp, event: &Event) {
        let mut began = self
            .began
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let began = *began.get_or_insert(at);
        let seconds = at.duration_since(began).as_secs_f64();
        anstream::println!("{DIM}{seconds:>7.1}{DIM:#}  {}", line(event));
    }
}

fn label(name: &str, service: Option<&String>) -> String {
    service.map_or_else(|| name.to_owned(), |service| format!("{name} ({service})"))
}

fn line(event: &Event) -> String {
    match event {
        Event::PhaseStarted { stage } => format!("== {} ==", stage.name()),
        Event::LeaseAcquired {
            token,
            taken_from: None,
        } => format!("lease taken, token {token}"),
        Event::LeaseAcquired {
            token,
            taken_from: Some(from),
        } => {
            format!("lease taken over from {from}, token {token}")
        }
        Event::TriggerPending { trigger, value } => format!("{trigger}: pending at {value}"),
        Event::TriggerCleared { trigger } => format!("{trigger}: cleared"),
        Event::TriggerFired(event) => {
            format!("{BAD}{} fired{BAD:#}: {}", event.name, event.reason)
        }
        Event::TriggerPredatesRelease { trigger, baseline } => format!(
            "{BAD}{trigger} holds{BAD:#}, but was {baseline} before the deployment too: a rollback can't help, get help"
        ),
        Event::Planned { summary } => format!("plan: {summary}"),
        Event::StepStarted {
            name,
            service,
            budget,
        } => {
            format!(
                "{} (at most {} s)",
                label(name, service.as_ref()),
                budget.as_secs()
            )
        }
        Event::StepWaiting { why, .. } => format!("  {DIM}{why}{DIM:#}"),
        Event::Retrying { what, why } => format!("  {DIM}again: {what}: {why}{DIM:#}"),
        Event::StepFinished {
            name,
            service,
            outcome,
            detail,
        } => {
            let style = if outcome.is_ok() { GOOD } else { BAD };
            let label = label(name, service.as_ref());
            format!("  {style}{outcome}{style:#} {label}: {detail}")
        }
        Event::Note { text } => text.clone(),
        Event::Finished { outcome } => match outcome {
            Outcome::Recovered => format!("{GOOD}recovered{GOOD:#}"),
            Outcome::Escalated { .. } => format!("{BAD}escalated{BAD:#}"),
            Outcome::NothingToDo { .. } => "nothing to do".to_owned(),
        },
    }
}

/// Prints a report and gives its exit code.
pub(crate) fn report(report: &Report) -> u8 {
    match &report.outcome {
        Outcome::Recovered => {
            let time = report.rto_claimed().map_or(0.0, |time| time.as_secs_f64());
            anstream::println!(
                "{GOOD}Recovered{GOOD:#} {time:.1} s after the trigger, by the runbook's checks."
            );
        }
        Outcome::Escalated { reason } => anstream::println!("{BAD}Escalated{BAD:#}: {reason}"),
        Outcome::NothingToDo { reason } => anstream::println!("Nothing to do: {reason}"),
    }
    for note in &report.notes {
        anstream::println!("Note: {note}");
    }
    for name in &report.evidence {
        anstream::println!("Evidence: {name}");
    }
    let unsettled = report
        .steps
        .iter()
        .any(|step| step.outcome == StepOutcome::Inconclusive);
    match &report.outcome {
        Outcome::Escalated { .. } if unsettled && report.is_inconclusive() => 3,
        Outcome::Escalated { .. } => 1,
        Outcome::Recovered | Outcome::NothingToDo { .. } => 0,
    }
}
