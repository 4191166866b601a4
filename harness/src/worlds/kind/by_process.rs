//! The executor as a process of its own, where it may be killed at any instant (`executor-killed`):
//! one process for each phase, as people run the program.

use std::sync::Arc;

use async_trait::async_trait;
use contract::wire::{Body, Line, ReportLine};
use executor::{ErrorKind, Event, Observer, TriggerEvent};

use super::process::{Ended, Program, Victim};
use super::stage::ActsRecord;
use crate::scenario::fault::Hosts;
use crate::scenario::{Fault, Scenario};
use crate::worlds::common::host::{Death, Failed, Host};

/// Whether the executor must be a process of its own.
pub(super) fn is_needed(scenario: &Scenario) -> bool {
    let killed = |fault: &Fault| fault.kind.spec().hosts == Hosts::Killed;
    scenario.faults.iter().any(killed)
}

/// An executor whose phases are processes.
pub(super) struct ByProcess {
    program: Arc<Program>,
    number: u32,
    identity: String,
    record: ActsRecord,
    observer: Arc<dyn Observer>,
}

impl ByProcess {
    /// `program` on host `number`, acting as `identity`.
    pub(super) fn new(
        program: Arc<Program>,
        number: u32,
        identity: String,
        record: ActsRecord,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self {
            program,
            number,
            identity,
            record,
            observer,
        }
    }

    /// Runs a phase to its end, or to its death if it is `victim`'s; the last line that it wrote, which is its result.
    async fn phase(&self, arguments: &[&str], victim: &Victim) -> Result<Body, Failed> {
        let hear = |line: &Line| {
            if let Some(event) = event_of(&line.body) {
                self.observer.event(line.at, &event);
            }
        };
        let ended = self
            .program
            .run(self.number, &self.identity, arguments, victim, hear)
            .await
            .map_err(Failed::Harness)?;
        let mut files = self.program.files(self.number);
        self.record.book.lock().evidence.files.append(&mut files);
        match ended {
            Ended::Killed(resume_after) => Err(Failed::Killed(Death {
                at_request: false,
                resume_after,
            })),
            Ended::Silent(message) => Err(Failed::Executor {
                message,
                kind: ErrorKind::Other,
            }),
            Ended::Said(body) => result(*body),
        }
    }

    async fn rollback(&self, arguments: &[&str]) -> Result<ReportLine, Failed> {
        let victim = &self.record.injector.victim;
        match self.phase(arguments, victim).await? {
            Body::Report(report) => Ok(report),
            other => Err(unexpected(arguments, &other)),
        }
    }
}

/// The result of a phase, or the error that it ended in.
fn result(body: Body) -> Result<Body, Failed> {
    match body {
        Body::Error { message, kind, .. } => Err(Failed::Executor {
            message,
            kind: kind.unwrap_or(ErrorKind::Other),
        }),
        body => Ok(body),
    }
}

/// A phase ended with a line that is not its result.
fn unexpected(arguments: &[&str], body: &Body) -> Failed {
    Failed::Executor {
        message: format!("`{}` ended with {body:?}", arguments.join(" ")),
        kind: ErrorKind::Other,
    }
}

#[async_trait]
impl Host for ByProcess {
    async fn prepare(&self) -> Result<(), Failed> {
        match self.phase(&["prepare"], &Victim::default()).await? {
            Body::Done { .. } => Ok(()),
            other => Err(unexpected(&["prepare"], &other)),
        }
    }

    async fn watch(&self) -> Result<Option<TriggerEvent>, Failed> {
        match self.phase(&["watch"], &Victim::default()).await? {
            Body::WatchEnded { trigger, .. } => Ok(trigger),
            other => Err(unexpected(&["watch"], &other)),
        }
    }

    async fn run(&self, event: &TriggerEvent) -> Result<ReportLine, Failed> {
        self.rollback(&["run", "--trigger", &event.name]).await
    }

    async fn resume(&self) -> Result<ReportLine, Failed> {
        self.rollback(&["resume"]).await
    }
}

/// What a line says, as the executor's observers hear it; `None` for what a drill does without.
fn event_of(line: &Body) -> Option<Event> {
    Some(match line.clone() {
        Body::Lease { token, taken_from } => Event::LeaseAcquired { token, taken_from },
        Body::TriggerPending { name, value } => Event::TriggerPending {
            trigger: name,
            value: value.unwrap_or(f64::NAN),
        },
        Body::TriggerCleared { name } => Event::TriggerCleared { trigger: name },
        Body::TriggerFired(event) => Event::TriggerFired(event),
        Body::TriggerPredatesRelease { name, baseline } => Event::TriggerPredatesRelease {
            trigger: name,
            baseline: baseline.unwrap_or(f64::NAN),
        },
        Body::StepStarted {
            step,
            service,
            budget_ms,
        } => Event::StepStarted {
            name: step,
            service,
            budget: std::time::Duration::from_millis(budget_ms),
        },
        Body::StepWaiting { step, service, why } => Event::StepWaiting {
            name: step,
            service,
            why,
        },
        Body::Retrying { what, why } => Event::Retrying { what, why },
        Body::StepFinished {
            step,
            service,
            outcome,
            detail,
        } => Event::StepFinished {
            name: step,
            service,
            outcome,
            detail,
        },
        Body::Note { text } => Event::Note { text },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::scenario::built_in;

    #[test]
    fn lines_are_heard_as_the_events_that_they_tell() {
        let line = json!({"schema": "rollback/1", "at": "2026-05-04T10:00:00Z", "event": "step-finished",
            "step": "undo-app", "service": "gateway", "outcome": "already-so", "detail": "x"});
        let line: Line = serde_json::from_value(line).expect("a line");
        let event = Event::StepFinished {
            name: "undo-app".to_owned(),
            service: Some("gateway".to_owned()),
            outcome: executor::StepOutcome::AlreadySo,
            detail: "x".to_owned(),
        };
        assert_eq!(event_of(&line.body), Some(event.clone()));
        assert_eq!(
            event_of(&executor::wire::body(&event).expect("it has a line")),
            Some(event)
        );
    }

    #[test]
    fn an_error_is_the_same_in_this_process_and_in_one_of_its_own() {
        let since = Timestamp::UNIX_EPOCH;
        let why = || "x".to_owned();
        let errors = [
            (executor::Error::Superseded { by: why() }, true),
            (
                executor::Error::LeaseHeld {
                    holder: why(),
                    until: since,
                },
                true,
            ),
            (executor::Error::InProgress { since }, true),
            (executor::Error::WasEscalated { since }, true),
            (executor::Error::LeaseRanOut { why: why() }, false),
            (executor::Error::Query { reason: why() }, false),
            (executor::Error::NothingToResume, false),
        ];
        for (error, gives_way) in errors {
            let told = Body::Error {
                message: error.chain(),
                kind: Some(error.kind()),
                exit_code: 1,
            };
            let told = serde_json::to_string(&told).expect("a line");
            let told: Body = serde_json::from_str(&told).expect("it reads it back");
            let there = result(told).expect_err("an error");
            assert_eq!(there.gives_way(), gives_way, "{error}");
            assert_eq!(there, Failed::from(error));
        }
        // The words decide nothing.
        let error = executor::Error::InProgress { since };
        let told = Body::Error {
            message: error.chain(),
            kind: None,
            exit_code: 1,
        };
        assert!(!result(told).expect_err("an error").gives_way());
    }

    #[test]
    fn only_an_executor_that_may_be_killed_is_a_process() {
        let is = |name| is_needed(&built_in(name, &[]).expect("built in").expect("right"));
        assert!(is("executor-killed"));
        assert!(!is("latency-regression"));
    }
}
