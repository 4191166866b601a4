//! Events as lines of text, for a terminal's history and for logs.

use anstyle::{AnsiColor, Style};
use executor::{Event, Outcome, Report, show_value};
use jiff::Timestamp;

use super::progress::label;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const DIM: Style = AnsiColor::BrightBlack.on_default();

/// The line for `event`, with the seconds since the first one.
pub(crate) fn line(began: Timestamp, at: Timestamp, event: &Event) -> Option<String> {
    let seconds = at.duration_since(began).as_secs_f64();
    let text = text(event)?;
    Some(format!("{DIM}{seconds:>7.1}{DIM:#}  {text}"))
}

fn text(event: &Event) -> Option<String> {
    Some(match event {
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
        Event::TriggerPending { trigger, value } => {
            format!("{trigger}: pending at {}", show_value(*value))
        }
        Event::TriggerCleared { trigger } => format!("{trigger}: cleared"),
        Event::TriggerFired(event) => {
            format!("{BAD}{} fired{BAD:#}: {}", event.name, event.reason)
        }
        Event::TriggerPredatesRelease { trigger, baseline } => format!(
            "{BAD}{trigger} holds{BAD:#}, but was {} before the deployment too: a rollback can't help, get help",
            show_value(*baseline)
        ),
        Event::PlanInForce { plan, next } => {
            let went = if *next > 0 {
                format!("; {next} of them are done")
            } else {
                String::new()
            };
            format!("plan: {}{went}", plan.summary())
        }
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
        Event::StepWaiting { why, .. } => format!("  {DIM}waits: {why}{DIM:#}"),
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
        // The plan in force and the report say the same.
        Event::Observed(_) | Event::Planned { .. } | Event::Finished { .. } => return None,
    })
}

/// The report, and what to do next.
pub(crate) fn report(report: &Report, evidence_dir: &str, resume: Option<&str>) -> String {
    let mut text = match &report.outcome {
        Outcome::Recovered => {
            let time = report.rto_claimed().map_or(0.0, |time| time.as_secs_f64());
            format!(
                "{GOOD}Recovered{GOOD:#} {time:.1} s after the trigger, by the runbook's checks.\n"
            )
        }
        Outcome::Escalated { reason } => format!("{BAD}Escalated{BAD:#}: {reason}\n"),
        Outcome::Stopped { reason } => format!("{BAD}Stopped{BAD:#}: {reason}\n"),
        Outcome::NothingToDo { reason } => format!("Nothing to do: {reason}\n"),
    };
    for note in &report.notes {
        text.push_str(&format!("Note: {note}\n"));
    }
    for name in &report.evidence {
        text.push_str(&format!("Evidence: {evidence_dir}/{name}\n"));
    }
    if let Some(resume) = resume {
        text.push_str(&format!("To go on, on this host or another:\n  {resume}\n"));
    }
    text
}
