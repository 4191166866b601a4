//! The rollback itself: by the executor in this process, which may die at a request (`[crash]`), or by one in a process of
//! its own, which may be killed at any instant (`executor-killed`).

use executor::planner::LedgerPath;
use executor::wire::{Body, OutcomeKind, ReportLine};
use executor::{ErrorKind, Event, Executor, Report, TriggerEvent};
use futures::future::{Either, select};
use jiff::Timestamp;

use super::clock::sleep;
use super::process::{Ended, Program};
use super::{Drill, Trouble, executor as executor_of};
use crate::evidence::{ExecutorSaid, Ms, Outcome, StepSaid};
use crate::scenario::{Anchor, FaultKind, Path, Scenario};
use crate::worlds::common::{carry_on, copy_report, told};

/// Whether the executor must be a process of its own.
pub(super) fn in_a_process(scenario: &Scenario) -> bool {
    let killed = |fault: &crate::scenario::Fault| fault.kind == FaultKind::ExecutorKilled;
    scenario.faults.iter().any(killed)
}

/// Rolls back, and writes down what the executor says of it.
///
/// # Errors
/// Why there is no report.
pub(super) async fn roll_back(
    drill: &Drill<'_>,
    executor: Executor,
    event: TriggerEvent,
) -> Result<(), Trouble> {
    let stage = drill.stage;
    if in_a_process(&drill.plan.scenario) {
        drop(executor);
        return by_processes(drill, &event).await;
    }
    let ended = here(drill, executor, event).await?;
    let ended_ms = stage.clock.now_ms();
    let mut notes = stage.lock();
    let said = &mut notes.evidence.executor;
    said.ended_ms = Some(ended_ms);
    let report = ended.map_err(|error| Trouble::of(&error))?;
    copy_report(&report, |at| stage.clock.of(at), said);
    Ok(())
}

/// By the executor in this process.
async fn here(
    drill: &Drill<'_>,
    executor: Executor,
    event: TriggerEvent,
) -> Result<Result<Report, executor::Error>, Trouble> {
    let stage = drill.stage;
    let Some(crash) = drill.plan.scenario.crash else {
        return Ok(executor.run(event).await);
    };
    let trap = &stage.trap;
    trap.arm(crash.request);
    let run = Box::pin(executor.run(event.clone()));
    let run = match select(Box::pin(trap.sprung()), run).await {
        Either::Right((ended, _)) => return Ok(ended),
        Either::Left((_, run)) => run,
    };
    drop(run);
    let at = stage.clock.now_ms();
    stage.lock().evidence.crash_ms = Some(Some(at));
    stage.tell("executor", "", "killed");
    sleep(crash.resume_after).await;
    let second = executor_of(drill, "firedrill-2")
        .await
        .map_err(Trouble::Harness)?;
    Ok(carry_on(&second, event).await)
}

/// By one process after the other.
async fn by_processes(drill: &Drill<'_>, event: &TriggerEvent) -> Result<(), Trouble> {
    let stage = drill.stage;
    let program = Program::new(
        drill.place,
        &drill.plan.runbook.text,
        stage.ledger.executor_url(),
    )
    .map_err(Trouble::Harness)?;
    let run = ["run", "--trigger", &event.name];
    let (mut host, mut arguments): (u32, &[&str]) = (1, &run);
    loop {
        let identity = format!("firedrill-{host}");
        let hear = |line: &Body| {
            if let Body::StepStarted { step, .. } = line {
                drill.injector.reached(&Anchor::Step(step.clone()));
            }
            if let Some((step, what)) = event_of(line).as_ref().and_then(told) {
                stage.tell("executor", &step, what);
            }
        };
        let victim = &drill.injector.victim;
        let ended = program
            .run(host, &identity, arguments, victim, hear)
            .await
            .map_err(Trouble::Harness)?;
        let at = stage.clock.now_ms();
        stage.lock().evidence.files.append(&mut program.files(host));
        match ended {
            Ended::Killed(resume_after) => {
                stage.tell("executor", "", "killed");
                sleep(resume_after).await;
                (host, arguments) = (host + 1, &["resume"]);
            }
            // It died before it had journaled a plan.
            Ended::Failed {
                kind: Some(ErrorKind::NothingToResume),
                ..
            } if arguments == ["resume"] => {
                (host, arguments) = (host + 1, &run);
            }
            Ended::Failed { message, kind } => {
                stage.lock().evidence.executor.ended_ms = Some(at);
                return Err(failed(arguments[0], &message, kind));
            }
            Ended::Report(report) => {
                let said = &mut stage.lock().evidence.executor;
                said.ended_ms = Some(at);
                copy(*report, |at| stage.clock.of(at), said);
                return Ok(());
            }
        }
    }
}

/// How the executor's process ended that failed with `message`. Where another host is at work or was before, it was
/// refused, as it should be.
fn failed(phase: &str, message: &str, kind: Option<ErrorKind>) -> Trouble {
    let why = format!("{phase}: {message}");
    Trouble::Executor(if kind.is_some_and(ErrorKind::gives_way) {
        Outcome::Refused(why)
    } else {
        Outcome::Failed(why)
    })
}

/// What a line says, as the executor's observers hear it; `None` for what a timeline does without.
fn event_of(line: &Body) -> Option<Event> {
    Some(match line.clone() {
        Body::Lease { token, taken_from } => Event::LeaseAcquired { token, taken_from },
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

/// Copies the report into the evidence.
fn copy(report: ReportLine, drill_ms: impl Fn(Timestamp) -> Ms, said: &mut ExecutorSaid) {
    let reason = report.reason.unwrap_or_default();
    said.outcome = match report.outcome {
        OutcomeKind::Recovered => Outcome::Recovered,
        OutcomeKind::Escalated | OutcomeKind::Stopped => Outcome::Escalated(reason),
        OutcomeKind::NothingToDo => Outcome::NothingToDo(reason),
    };
    said.recovered_ms = report.recovered_at.map(&drill_ms);
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
    use executor::wire::Line;
    use serde_json::json;

    use super::*;
    use crate::evidence::Evidence;
    use crate::scenario::built_in;

    #[test]
    fn lines_and_reports_are_read() {
        let line = json!({"schema": "rollback/1", "at": "2026-05-04T10:00:00Z", "event": "step-finished",
            "step": "undo-app", "service": "gateway", "outcome": "already-so", "detail": "x"});
        let line: Line = serde_json::from_value(line).expect("a line");
        let told = event_of(&line.body).as_ref().and_then(told);
        let told = told.expect("a step that ends is told");
        assert_eq!(
            told,
            ("undo-app gateway".to_owned(), "already so: x".to_owned())
        );

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
        assert_eq!(said.outcome, Outcome::Recovered);
        assert_eq!(said.path, Path::Application);
        assert_eq!(said.recovered_ms, Some(9_000));
        assert_eq!(said.steps[0].finished_ms, Some(2_000));
        let stopped = ReportLine {
            outcome: OutcomeKind::Stopped,
            reason: Some("SIGTERM".to_owned()),
            ..report
        };
        copy(stopped, ms, &mut said);
        assert_eq!(said.outcome, Outcome::Escalated("SIGTERM".to_owned()));
    }

    #[test]
    fn whoever_leaves_the_rollback_to_another_host_is_refused_in_a_process_or_not() {
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
        for (error, refused) in errors {
            let here = Trouble::of(&error);
            let told = Body::Error {
                message: error.chain(),
                kind: Some(error.kind()),
                exit_code: 1,
            };
            let told = serde_json::to_string(&told).expect("a line");
            let Ok(Body::Error { message, kind, .. }) = serde_json::from_str(&told) else {
                panic!("{told}");
            };
            assert_eq!(here, failed("run", &message, kind), "{error}");
            // The words decide nothing.
            assert!(matches!(
                failed("run", &message, None),
                Trouble::Executor(Outcome::Failed(_))
            ));
            let is_refused = matches!(here, Trouble::Executor(Outcome::Refused(_)));
            assert_eq!(is_refused, refused, "{error}");
        }
    }

    #[test]
    fn only_an_executor_that_may_be_killed_is_a_process() {
        let is = |name| in_a_process(&built_in(name, &[]).expect("built in").expect("right"));
        assert!(is("executor-killed"));
        assert!(!is("latency-regression"));
    }
}
