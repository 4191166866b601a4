//! The program as an executor on a host of the drill.

use std::fs;
use std::sync::Arc;

use async_trait::async_trait;
use contract::wire::{Body, Line, OutcomeKind, ReportLine};
use executor::{ErrorKind, Executor, TriggerEvent};
use jiff::Timestamp;
use sim_exchange::World;

use super::Reach;
use super::child::{Ended, Running};
use crate::worlds::common::acts::Record as _;
use crate::worlds::common::host::{Failed, Host};
use crate::worlds::sim::recorder::ActsRecord;

/// A host that runs the program. Its triggers are watched by our own executor, whose clients are others.
pub(in crate::worlds::sim) struct OutsideHost {
    reach: Arc<Reach>,
    watcher: Executor,
    record: ActsRecord,
    number: u32,
    origin: String,
    /// The release to go back to.
    prior: String,
}

impl OutsideHost {
    /// On host `number`, whose requests are numbered under `origin`.
    pub(in crate::worlds::sim) fn new(
        reach: Arc<Reach>,
        watcher: Executor,
        record: ActsRecord,
        number: u32,
        origin: String,
        prior: String,
    ) -> Self {
        Self {
            reach,
            watcher,
            record,
            number,
            origin,
            prior,
        }
    }

    fn world(&self) -> &World {
        &self.record.world
    }

    /// Runs a phase to its end.
    async fn phase(&self, phase: &str, trigger: Option<&TriggerEvent>) -> Result<Ended, Failed> {
        let mut more = vec![("FIREDRILL_PRIOR_RELEASE", self.prior.as_str())];
        more.extend(trigger.map(|event| ("FIREDRILL_TRIGGER", event.name.as_str())));
        self.record
            .tell("harness", "", format!("runs the program for `{phase}`"));
        self.reach.gate.with_others(&self.origin);
        let _alone = Alone(&self.reach);
        let started = Running::start(&self.reach, self.number, phase, &more);
        let mut running = started.map_err(Failed::Harness)?;
        let ended = running.ended().await.map_err(Failed::Harness)?;
        drop(running);
        let mut files = self.reach.files(self.number);
        self.record
            .evidence(|evidence| evidence.files.append(&mut files));
        let how = match ended.code {
            Some(code) => format!("exit code {code}"),
            None => "ended by a signal".to_owned(),
        };
        let last = ended.errors.iter().rev().find(|line| !line.is_empty());
        let last = last.map(|line| format!(": {line}")).unwrap_or_default();
        self.record.tell("executor", phase, format!("{how}{last}"));
        if ended.overdue {
            return Err(Failed::Executor {
                message: format!(
                    "the program did not end `{phase}`, and waited for nothing that ever came"
                ),
                kind: ErrorKind::Other,
            });
        }
        Ok(ended)
    }

    /// What the end of a rollback says: the report that the program wrote, or else its exit code.
    fn report(&self, began: Timestamp, ended: &Ended) -> Result<ReportLine, Failed> {
        let mut lines = ended.output.iter().rev();
        let written = lines.find_map(|line| match serde_json::from_str::<Line>(line).ok()?.body {
            Body::Report(report) => Some(report),
            _ => None,
        });
        if let Some(report) = written {
            return Ok(report);
        }
        let now = self.world().now().to_timestamp();
        let Some(code) = ended.code else {
            return Err(Failed::Executor {
                message: "a signal ended the program".to_owned(),
                kind: ErrorKind::Other,
            });
        };
        let recovered = code == 0;
        let last = ended.errors.iter().rev().find(|line| !line.is_empty());
        let reason = last.cloned().unwrap_or_else(|| format!("exit code {code}"));
        let since = fs::read_to_string(self.reach.recovered_at(self.number));
        let since = since.ok().and_then(|text| text.trim().parse().ok());
        Ok(ReportLine {
            outcome: if recovered {
                OutcomeKind::Recovered
            } else {
                OutcomeKind::Escalated
            },
            reason: (!recovered).then_some(reason),
            path: None,
            trigger: None,
            started_at: began,
            // Whoever does not say since when, says so for the instant of its end.
            recovered_at: recovered.then(|| since.unwrap_or(now)),
            rto_claimed_ms: None,
            steps: Vec::new(),
            evidence_dir: String::new(),
            files: Vec::new(),
            notes: Vec::new(),
            resume: None,
            exit_code: u8::try_from(code).unwrap_or(u8::MAX),
        })
    }

    async fn roll_back(
        &self,
        phase: &str,
        trigger: Option<&TriggerEvent>,
    ) -> Result<ReportLine, Failed> {
        let began = self.world().now().to_timestamp();
        let ended = self.phase(phase, trigger).await?;
        self.report(began, &ended)
    }
}

/// The world goes on by itself again when this goes.
struct Alone<'a>(&'a Reach);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.gate.alone();
    }
}

#[async_trait]
impl Host for OutsideHost {
    async fn prepare(&self) -> Result<(), Failed> {
        self.watcher.prepare().await?;
        let ended = self.phase("prepare", None).await?;
        match ended.code {
            Some(0) => Ok(()),
            _ => Err(Failed::Executor {
                message: ended.errors.join("; "),
                kind: ErrorKind::Other,
            }),
        }
    }

    async fn watch(&self) -> Result<Option<TriggerEvent>, Failed> {
        Host::watch(&self.watcher).await
    }

    async fn run(&self, event: &TriggerEvent) -> Result<ReportLine, Failed> {
        self.roll_back("run", Some(event)).await
    }

    async fn resume(&self) -> Result<ReportLine, Failed> {
        self.roll_back("resume", None).await
    }
}
