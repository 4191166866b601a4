//! The executor's front: options and phases.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::application::Application;
use crate::event::{Observer, silent};
use crate::planner::LossKind;
use crate::ports::Ports;
use crate::pulse::Pulse;
use crate::runbook::Runbook;
use crate::server_time::ServerTime;

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
    /// What a plan may lose; one that may lose more is refused before anything is changed.
    pub may_lose: LossKind,
    /// What is taken for granted of the application.
    pub application: Application,
    /// Cancelled to ask for a stop at the next safe point: between two steps, or while a step that changes nothing
    /// waits. Never between an act and its journal entry.
    pub stop: CancellationToken,
}

impl Options {
    /// Defaults for `identity`: lease 20 s, triggers every 5 s, requests 5 s, not forced, whatever the runbook may
    /// lose, the defaults of the application, nobody looking on, nobody to stop it.
    #[must_use]
    pub fn new(identity: impl Into<String>) -> Self {
        Self {
            identity: identity.into(),
            observer: silent(),
            lease_duration: Duration::from_secs(20),
            poll_interval: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
            force: false,
            may_lose: LossKind::Acknowledged,
            application: Application::default(),
            stop: CancellationToken::new(),
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
    /// What the clock of `ports` goes by.
    pub(crate) time: ServerTime,
    /// Of the host that it runs on.
    pub(crate) pulse: Pulse,
}

impl Executor {
    /// An executor of `runbook` that acts through `ports`. Its instants are the API server's: the clock of `ports`, and
    /// by how much that is off, as the answers of the API server tell. Needs a tokio runtime, as `kube::Client` does.
    #[must_use]
    pub fn new(ports: Ports, runbook: Arc<Runbook>, options: Options) -> Self {
        let time = ServerTime::new(ports.clock, Arc::clone(&options.observer));
        let ports = Ports {
            kube: time.heard_by(ports.kube),
            clock: Arc::new(time.clone()),
            ..ports
        };
        Self {
            ports,
            runbook,
            options,
            time,
            pulse: Pulse::default(),
        }
    }

    /// The same, whose plans may lose as much as `kind`.
    #[must_use]
    pub fn that_may_lose(mut self, kind: LossKind) -> Self {
        self.options.may_lose = kind;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Executor;
    use crate::report::TriggerEvent;

    fn is_send(_: impl Send) {}

    #[expect(dead_code, reason = "compiling it is the test")]
    fn phases_may_move_between_threads(executor: &Executor, trigger: TriggerEvent) {
        is_send(executor.prepare());
        is_send(executor.watch());
        is_send(executor.plan(None));
        is_send(executor.run(trigger));
        is_send(executor.resume());
    }
}
