//! A program that a process is run of for each phase.

use std::time::Duration;

use async_trait::async_trait;
use sim::{Application, World};
use sim_serve::answer::Gate;

use super::actor::{Actor, Phase};
use super::child::Running;
use super::reach::Reach;
use crate::worlds::common::host::Failed;
use crate::worlds::recording::Ended;

/// The program of a drill.
pub(in crate::worlds::sim) struct ByProgram {
    pub(in crate::worlds::sim) reach: Reach,
    /// The command that a shell runs.
    pub(in crate::worlds::sim) command: String,
    /// How long it may run without a request, by the wall clock.
    pub(in crate::worlds::sim) patience: Duration,
}

#[async_trait]
impl<A: Application> Actor<A> for ByProgram {
    fn gate(&self) -> &Gate {
        &self.reach.gate
    }

    async fn act(&self, _: &World<A>, phase: Phase<'_>) -> Result<Ended, Failed> {
        let failed = |error: std::io::Error| {
            Failed::Harness(format!("the program's folder for its evidence: {error}"))
        };
        let environment = self.reach.environment(&phase).map_err(failed)?;
        let started = Running::start(&self.reach, &self.command, environment, self.patience);
        let mut running = started.map_err(Failed::Harness)?;
        let ended = running.ended().await.map_err(Failed::Harness)?;
        drop(running);
        Ok(self.reach.with_files(phase.host, ended))
    }
}
