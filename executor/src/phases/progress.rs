//! What is known of a rollback that is under way, so that one that can't go on still tells a person where it stands.

use std::sync::{Mutex, PoisonError};

use super::standing::{stopped, where_it_stands};
use crate::error::Error;
use crate::journal::State;
use crate::planner::{Plan, PlannedStep};
use crate::report::{Outcome, Report, StepOutcome};
use crate::runbook::Command;
use crate::steps::Facts;

/// How far this host knows that the rollback has come.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Option<Known>>);

#[derive(Clone, Debug)]
struct Known {
    plan: Plan,
    facts: Facts,
    state: State,
    /// How it ended, if only the entry that says so is missing.
    outcome: Option<Outcome>,
}

impl Progress {
    /// Notes where it stands.
    pub(super) fn note(&self, plan: &Plan, facts: &Facts, state: &State) {
        *self.lock() = Some(Known {
            plan: plan.clone(),
            facts: facts.clone(),
            state: state.clone(),
            outcome: None,
        });
    }

    /// Notes how it ended.
    pub(super) fn ends(&self, outcome: &Outcome) {
        if let Some(known) = &mut *self.lock() {
            known.outcome = Some(outcome.clone());
        }
    }

    /// What a phase hands back that ended so: once there is a plan, an error is an escalation,
    /// unless another executor acts.
    pub(super) fn settle(&self, ended: Result<Report, Error>) -> Result<Report, Error> {
        let Err(error) = ended else {
            return ended;
        };
        let Some(known) = self.lock().take() else {
            return Err(error);
        };
        match error {
            Error::Superseded { .. } | Error::WouldLose { .. } => Err(error),
            Error::LeaseHeld { holder, .. } => Err(Error::Superseded {
                by: format!("`{holder}` holds the lease"),
            }),
            Error::Interrupted => Ok(stopped(&known.plan, known.facts, &known.state)),
            error => {
                let outcome = known.outcome.clone();
                let outcome = outcome.unwrap_or_else(|| known.given_up(&error));
                Ok(known.facts.report(&known.plan, outcome, &known.state))
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn given_up(&self, error: &Error) -> Outcome {
        let next = self
            .state
            .next_step()
            .and_then(|at| self.plan.steps.get(at));
        let (at, by_hand) = match next {
            Some(step) => (format!("at step `{}`", step.label()), by_hand(step)),
            None => (
                "after its last step".to_owned(),
                "close the incident by hand".to_owned(),
            ),
        };
        let standing = where_it_stands(&self.plan, &self.facts, &self.state);
        Outcome::Escalated {
            reason: format!(
                "the executor can't go on {at}: {}.{standing} A person must: remove the cause and `rollback resume`, or {by_hand}",
                error.chain()
            ),
        }
    }
}

/// What a person does in place of the step. Typed as it stands, the deletion of broken pods would take those away, too,
/// that are ready: where the prior release does not start, nobody else serves.
fn by_hand(step: &PlannedStep) -> String {
    let (title, text) = (&step.title, &step.text);
    match step.command {
        Command::DeleteBrokenPods => format!(
            "go on by hand from \"{title}\": delete the pods that are not ready, one at a time, of those that `{}` \
             shows, and none that is ready",
            text.replacen("delete pods", "get pods", 1)
        ),
        _ => format!("go on by hand from \"{title}\": {text}"),
    }
}

/// Whether the error is that something did not answer, or refused, for as long as there was time.
pub(super) fn cannot_begin(error: &Error) -> bool {
    matches!(
        error,
        Error::Kubernetes { .. } | Error::Deadline { .. } | Error::Database { .. }
    )
}

/// What went wrong, where things stand, what a person must do.
pub(super) fn reason(plan: &Plan, facts: &Facts, state: &State, failed: &PlannedStep) -> String {
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
    text.push_str(&where_it_stands(plan, facts, state));
    text.push_str(&format!(
        " A person must: remove the cause and `rollback resume`, or {}",
        by_hand(failed)
    ));
    text
}
