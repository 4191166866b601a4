//! An executor at work on a host: the one interface through which both worlds drive it, whether it runs in this process
//! or is a program of its own that speaks `rollback/1` (`contract`).

use std::time::Duration;

use async_trait::async_trait;
use contract::wire::ReportLine;
use executor::wire::report_line;
use executor::{ErrorKind, Executor, TriggerEvent, WatchOutcome};

/// Why a phase of an executor ended without its result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(in crate::worlds) enum Failed {
    /// Something of the harness's own failed: a file, a process, a request that it made for itself.
    #[error("{0}")]
    Harness(String),
    /// The executor's host died, as the drill wants it.
    #[error("killed")]
    Killed(Death),
    /// The executor ended in an error.
    #[error("{message}")]
    Executor {
        /// The error and its sources in one line.
        message: String,
        /// What a program may go by.
        kind: ErrorKind,
    },
}

/// How a host died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::worlds) struct Death {
    /// Whether it was at the request that the scenario's `[crash]` names, and not by a fault.
    pub(in crate::worlds) at_request: bool,
    /// When another host resumes.
    pub(in crate::worlds) resume_after: Duration,
}

impl Failed {
    /// The kind of the executor's error, if it is one.
    pub(in crate::worlds) fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Executor { kind, .. } => Some(*kind),
            Self::Harness(_) | Self::Killed(_) => None,
        }
    }

    /// Whether the rollback is left to another executor, which works on it or has begun it.
    pub(in crate::worlds) fn gives_way(&self) -> bool {
        self.kind().is_some_and(ErrorKind::gives_way)
    }
}

impl From<executor::Error> for Failed {
    fn from(error: executor::Error) -> Self {
        Self::Executor {
            message: error.chain(),
            kind: error.kind(),
        }
    }
}

/// An executor on a host. To drop a phase that is under way kills the executor.
#[async_trait]
pub(in crate::worlds) trait Host: Send + Sync {
    /// Records the release that runs, before a deployment.
    async fn prepare(&self) -> Result<(), Failed>;

    /// Evaluates the triggers after a deployment; `None` if the validation window closed without one.
    async fn watch(&self) -> Result<Option<TriggerEvent>, Failed>;

    /// Rolls back.
    async fn run(&self, event: &TriggerEvent) -> Result<ReportLine, Failed>;

    /// Carries on a rollback that was interrupted, on whichever host.
    async fn resume(&self) -> Result<ReportLine, Failed>;
}

#[async_trait]
impl Host for Executor {
    async fn prepare(&self) -> Result<(), Failed> {
        Self::prepare(self).await?;
        Ok(())
    }

    async fn watch(&self) -> Result<Option<TriggerEvent>, Failed> {
        Ok(match Self::watch(self).await? {
            WatchOutcome::Triggered(event) => Some(event),
            WatchOutcome::WindowClosed { .. } => None,
        })
    }

    async fn run(&self, event: &TriggerEvent) -> Result<ReportLine, Failed> {
        let report = Self::run(self, event.clone()).await?;
        Ok(report_line(&report, "", None, 0))
    }

    async fn resume(&self) -> Result<ReportLine, Failed> {
        let report = Self::resume(self).await?;
        Ok(report_line(&report, "", None, 0))
    }
}

/// Who acts on host `number`, from 1, in lease and journal.
pub(in crate::worlds) fn identity(number: u32) -> String {
    match number {
        1 => "firedrill".to_owned(),
        number => format!("firedrill-{number}"),
    }
}

/// What another host does that finds an interrupted rollback: it resumes, or begins where nothing had begun.
pub(in crate::worlds) async fn carry_on(
    host: &dyn Host,
    event: &TriggerEvent,
) -> Result<ReportLine, Failed> {
    match host.resume().await {
        Err(failed) if failed.kind() == Some(ErrorKind::NothingToResume) => host.run(event).await,
        ended => ended,
    }
}
