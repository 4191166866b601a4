//! What a step works with.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::application::Application;
use crate::baseline::Baseline;
use crate::budget::Budget;
use crate::error::Error;
use crate::event::Event;
use crate::kubernetes::Cluster;
use crate::planner::{Plan, PlannedStep, ServicePlan};
use crate::ports::{Ports, RestoreReport};
use crate::queries::Queries;
use crate::report::{Outcome, StepReport};
use crate::runbook::{Phase, Terms};

/// What earlier steps left for later ones. Rebuilt from the journal by whoever resumes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    /// When `run` began.
    pub(crate) started_at: Timestamp,
    /// The end of the last step that delays recovery, or when a pod was seen last that did not serve: `$WINDOW` and the
    /// claimed recovery begin here.
    pub(crate) window_start: Timestamp,
    /// Where the looks of the proof began that found nothing: no later one begins earlier.
    pub(crate) looked_from: Option<Timestamp>,
    /// Whether the window began anew after the proof.
    pub(crate) disturbed: bool,
    /// Steps so far.
    pub(crate) steps: Vec<StepReport>,
    /// What the restore did.
    pub(crate) restore: Option<RestoreReport>,
    /// When what somebody else had changed was made good last.
    pub(crate) made_good_at: Option<Timestamp>,
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
    pub(crate) application: &'a Application,
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
    /// A server refused or did not answer when the time was over. What was wrong before that is for
    /// [`Context::explain`] to add.
    Unanswered(String),
    /// Somebody else changed a service while it is rolled back.
    Changed {
        /// Deployment.
        service: String,
        /// What of it.
        what: Changed,
        /// For a reader.
        why: String,
    },
    /// This executor must not act any more.
    Fatal(Error),
}

/// What somebody else changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// Its pod template is not the recorded one any more.
    Template,
    /// It is paused.
    Paused,
    /// It wants fewer replicas than were recorded.
    Scaled,
}

impl Changed {
    /// What is done about it, for a reader.
    pub(crate) fn cure(self) -> &'static str {
        match self {
            Self::Template => "it is undone again",
            Self::Paused => "it is resumed",
            Self::Scaled => "it is scaled up again",
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::Superseded { .. } | Error::LeaseRanOut { .. } => Self::Fatal(error),
            Error::Kubernetes { .. } | Error::Deadline { .. } => Self::Unanswered(error.chain()),
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
        if self.budget.too_late(self.cluster.clock.now()) {
            return Err(Stop::Failed(too_late(self, why)));
        }
        self.pause(why, pause).await
    }

    /// Takes what a review found: what is well, which goes to `parts`, or why not, and then it waits a second until the
    /// next look. Whether it was well.
    pub(super) async fn is_reviewed(
        &self,
        found: Result<String, String>,
        parts: &mut Vec<Success>,
    ) -> Result<bool, Stop> {
        match found {
            Ok(text) => {
                parts.push(Success::done(text));
                Ok(true)
            }
            Err(why) => {
                self.wait(&why, Duration::from_secs(1)).await?;
                Ok(false)
            }
        }
    }

    /// Waits for `pause`, which may be for a server's sake.
    async fn pause(&self, why: &str, pause: Duration) -> Result<(), Stop> {
        self.waiting(why);
        if self.cluster.pause(pause, self.budget.end()).await {
            Ok(())
        } else {
            self.in_time(why)
        }
    }

    /// The failure with `why` if the time is over: the step's own, and what may be waited beyond it.
    pub(crate) fn in_time(&self, why: &str) -> Result<(), Stop> {
        if !self.left().is_zero() {
            return Ok(());
        }
        if !self.budget.wait_on() {
            return Err(Stop::Failed(self.late(why)));
        }
        let text = format!(
            "{}: {why}; not so within {} s. The application can still recover in time, so it is waited for until {}",
            self.step.label(),
            self.step.budget.as_secs(),
            self.budget.end()
        );
        let now = self.cluster.clock.now();
        self.cluster.observer.event(now, &Event::Note { text });
        Ok(())
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
        self.pause(&format!("could not {what} yet: {why}"), pause)
            .await
    }

    /// A stop in the words that help whoever is called: what the step waited for says more than that the last look at
    /// it got no answer any more.
    pub(crate) fn explain(&self, stop: Stop) -> Stop {
        match stop {
            Stop::Unanswered(why) => {
                let waited = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                Stop::Failed(after(&waited, &why))
            }
            other => other,
        }
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

/// The failure of a proof that no later recovery can make good, or of a look after it at what does not pass.
pub(super) fn too_late(context: &Context<'_>, why: &str) -> String {
    let because = match context.step.phase {
        Phase::After => {
            "what fails for so long after the recovery was proven is no disturbance that passes"
        }
        _ => "a recovery from now on would miss the objective",
    };
    format!("{why}; {because}, so a person is paged at once")
}

/// What was waited for, and how the last look at it ended.
pub(super) fn after(waited: &str, why: &str) -> String {
    if waited.is_empty() || waited.contains(why) {
        why.to_owned()
    } else {
        format!("{waited}; at last: {why}")
    }
}

/// Folder of the incident's evidence.
pub(crate) fn incident(plan: &Plan) -> String {
    format!("incident-{}", plan.observed_at.as_second())
}
