//! What a step works with.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::baseline::Baseline;
use crate::budget::Budget;
use crate::error::Error;
use crate::event::Event;
use crate::kubernetes::Cluster;
use crate::planner::{Plan, PlannedStep, ServicePlan};
use crate::ports::{Ports, RestoreReport};
use crate::queries::Queries;
use crate::report::{Outcome, StepReport};
use crate::runbook::Terms;

/// What earlier steps left for later ones. Rebuilt from the journal by whoever resumes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    /// When `run` began.
    pub(crate) started_at: Timestamp,
    /// The end of the last step that delays recovery: `$WINDOW` and the claimed recovery begin here.
    pub(crate) window_start: Timestamp,
    /// Steps so far.
    pub(crate) steps: Vec<StepReport>,
    /// What the restore did.
    pub(crate) restore: Option<RestoreReport>,
    /// When each service's configuration was put back.
    pub(crate) config_restored: Vec<(Option<String>, Timestamp)>,
    /// Names of evidence.
    pub(crate) evidence: Vec<String>,
    /// What a person should know.
    pub(crate) notes: Vec<String>,
    /// How it ended, as far as it is known when evidence is written.
    pub(crate) outcome: Option<Outcome>,
}

impl Facts {
    /// Whether the step at `index` of the plan has come to a good end.
    pub(crate) fn succeeded(&self, index: usize) -> bool {
        let report = self.steps.get(index);
        report.is_some_and(|report| report.outcome.is_ok())
    }
}

/// One attempt at one step.
pub(crate) struct Context<'a> {
    pub(crate) ports: &'a Ports,
    pub(crate) cluster: &'a Cluster,
    pub(crate) queries: &'a Queries,
    pub(crate) terms: Terms<'a>,
    pub(crate) plan: &'a Plan,
    pub(crate) baseline: &'a Baseline,
    pub(crate) step: &'a PlannedStep,
    pub(crate) facts: &'a Facts,
    pub(crate) token: u64,
    pub(crate) budget: Budget,
    pub(crate) waiting: Mutex<String>,
}

/// A step that came to a good end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Success {
    /// Whether it had been so already.
    pub(crate) already: bool,
    /// What was found or done.
    pub(crate) detail: String,
    /// What later steps must know, for the journal.
    pub(crate) data: Value,
    /// Evidence that was stored.
    pub(crate) evidence: Vec<String>,
}

impl Success {
    /// Something was done.
    pub(crate) fn done(detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            ..Self::default()
        }
    }

    /// Nothing had to be done.
    pub(crate) fn already(detail: impl Into<String>) -> Self {
        Self {
            already: true,
            ..Self::done(detail)
        }
    }

    /// The results for several services as one.
    pub(crate) fn join(parts: Vec<Self>) -> Self {
        Self {
            already: parts.iter().all(|part| part.already),
            detail: parts
                .iter()
                .map(|part| part.detail.as_str())
                .collect::<Vec<_>>()
                .join("; "),
            data: Value::Null,
            evidence: parts.into_iter().flat_map(|part| part.evidence).collect(),
        }
    }
}

/// A step that did not.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It failed, or its budget is spent.
    Failed(String),
    /// Its budget is spent and there was too little to decide on.
    Inconclusive(String),
    /// What an earlier step had done is undone: somebody else changed it.
    Undone(String),
    /// This executor must not act any more.
    Fatal(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::Superseded { .. } => Self::Fatal(error),
            other => Self::Failed(other.chain()),
        }
    }
}

impl<'a> Context<'a> {
    /// The services that the step is about: its own, or all that are rolled back.
    pub(crate) fn services(&self) -> Vec<&'a ServicePlan> {
        match &self.step.service {
            Some(name) => self.plan.service(name).into_iter().collect(),
            None => self.plan.services.iter().collect(),
        }
    }

    /// Time left in the budget.
    pub(crate) fn left(&self) -> Duration {
        self.cluster.left(self.budget.end())
    }

    /// Tells the observer what the step waits for, if that is news.
    pub(crate) fn waiting(&self, why: &str) {
        let mut last = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == why {
            return;
        }
        why.clone_into(&mut last);
        let event = Event::StepWaiting {
            name: self.step.name.clone(),
            service: self.step.service.clone(),
            why: why.to_owned(),
        };
        self.cluster
            .observer
            .event(self.cluster.clock.now(), &event);
    }

    /// Waits for `pause` with a reason; at the deadline the reason becomes the failure.
    pub(crate) async fn wait(&self, why: &str, pause: Duration) -> Result<(), Stop> {
        self.waiting(why);
        if self.cluster.pause(pause, self.budget.end()).await {
            Ok(())
        } else {
            Err(Stop::Failed(self.late(why)))
        }
    }

    /// Waits for `pause` because a server refused what was tried at `began`: at the cost of the reserve.
    pub(crate) async fn refused(
        &self,
        what: &str,
        why: &str,
        began: Timestamp,
        pause: Duration,
    ) -> Result<(), Stop> {
        self.budget.lose(self.cluster.since(began) + pause);
        self.cluster.retrying(what, why, &self.budget);
        self.wait(&format!("could not {what} yet: {why}"), pause)
            .await
    }

    /// The failure at the deadline.
    pub(crate) fn late(&self, why: &str) -> String {
        let budget = self.step.budget.as_secs();
        match self.budget.reserve(self.cluster.clock.now()) {
            Some(reserve) if self.borrowed() => {
                format!("{why}; not so within {budget} s and {reserve}")
            }
            _ => format!("{why}; not so within {budget} s"),
        }
    }

    /// Whether the step is at work beyond its own budget.
    pub(crate) fn borrowed(&self) -> bool {
        !self.budget.borrowed(self.cluster.clock.now()).is_zero()
    }

    /// Stores evidence.
    pub(crate) async fn store(&self, name: &str, content: String) -> Result<(), Stop> {
        self.ports
            .evidence
            .put(name, content.into())
            .await
            .map_err(|error| Stop::Failed(format!("could not store {name}: {error}")))
    }
}

/// Folder of the incident's evidence.
pub(crate) fn incident(plan: &Plan) -> String {
    format!("incident-{}", plan.observed_at.as_second())
}
