//! The executor's front: options and phases.

use std::sync::Arc;
use std::time::Duration;

use crate::baseline::Baseline;
use crate::error::Error;
use crate::event::{Observer, silent};
use crate::planner::Plan;
use crate::ports::Ports;
use crate::report::{Report, TriggerEvent, WatchOutcome};
use crate::runbook::Runbook;

/// How an executor behaves.
#[derive(Clone)]
pub struct Options {
    /// Who acts, unique among executors that may run at the same time: host and process, for instance.
    pub identity: String,
    /// Who looks on.
    pub observer: Arc<dyn Observer>,
    /// How long the lease outlives its last renewal. It is renewed at a third of that.
    pub lease_duration: Duration,
    /// How often the triggers are evaluated.
    pub poll_interval: Duration,
    /// How long one request may go unanswered before it is repeated.
    pub request_timeout: Duration,
    /// Overrides the validation window, the comparison with the baseline and an unfinished journal.
    pub force: bool,
}

impl Options {
    /// Defaults for `identity`: lease 20 s, triggers every 5 s, requests 5 s, not forced, nobody looking on.
    #[must_use]
    pub fn new(identity: impl Into<String>) -> Self {
        Self {
            identity: identity.into(),
            observer: silent(),
            lease_duration: Duration::from_secs(20),
            poll_interval: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
            force: false,
        }
    }

    /// The same with `observer` looking on.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new("executor")
    }
}

/// Carries out a runbook.
#[derive(Clone)]
pub struct Executor {
    pub(crate) ports: Ports,
    pub(crate) runbook: Arc<Runbook>,
    pub(crate) options: Options,
}

impl Executor {
    /// An executor of `runbook` that acts through `ports`.
    #[must_use]
    pub fn new(ports: Ports, runbook: Arc<Runbook>, options: Options) -> Self {
        Self {
            ports,
            runbook,
            options,
        }
    }
}

/// The phases.
impl Executor {
    /// Records the baseline and takes the snapshot, before a deployment.
    ///
    /// # Errors
    /// A step of the prepare phase failed, a rollback is under way, or the cluster can't be reached.
    pub async fn prepare(&self) -> Result<Baseline, Error> {
        Err(Error::NoBaseline)
    }

    /// Evaluates the triggers until one fires or the validation window closes.
    ///
    /// # Errors
    /// There is no baseline. Unanswered queries are no error: they are "no data".
    pub async fn watch(&self) -> Result<WatchOutcome, Error> {
        Err(Error::NoBaseline)
    }

    /// What [`run`](Self::run) would do and why. Changes nothing.
    ///
    /// # Errors
    /// No plan can be made, or the state can't be observed.
    pub async fn plan(&self, _trigger: Option<TriggerEvent>) -> Result<Plan, Error> {
        Err(Error::NoBaseline)
    }

    /// Rolls back.
    ///
    /// # Errors
    /// Another executor is at work, a rollback is unfinished ([`resume`](Self::resume) it), the lease was lost, or the
    /// journal can't be written. A rollback that can't go on is no error but [`Outcome::Escalated`](crate::Outcome::Escalated).
    pub async fn run(&self, _trigger: TriggerEvent) -> Result<Report, Error> {
        Err(Error::NoBaseline)
    }

    /// Carries on a rollback that was interrupted, on this host or another, with the targets that its
    /// journal pins. Waits for the interrupted executor's lease to run out. A rollback that had already
    /// recovered is reported again.
    ///
    /// # Errors
    /// [`Error::NothingToResume`] if no plan was journaled: nothing had been changed, [`run`](Self::run) again. Otherwise as `run`.
    pub async fn resume(&self) -> Result<Report, Error> {
        Err(Error::NothingToResume)
    }
}
