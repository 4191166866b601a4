//! Who carries out the phases of a rollback, outside this process.

use async_trait::async_trait;
use executor::TriggerEvent;
use sim::{Application, World};
use sim_serve::answer::Gate;

use crate::worlds::common::host::Failed;
use crate::worlds::recording::Ended;

/// A phase of a rollback, on a host.
#[derive(Clone, Copy, Debug)]
pub(in crate::worlds::sim) struct Phase<'a> {
    /// The number of the host, counted from 1.
    pub(super) host: u32,
    /// `prepare`, `run` or `resume`.
    pub(super) name: &'a str,
    /// The release to go back to.
    pub(super) prior: &'a str,
    /// What fired, where it has.
    pub(super) trigger: Option<&'a TriggerEvent>,
}

/// Carries out phases.
#[async_trait]
pub(in crate::worlds::sim) trait Actor<A: Application>: Send + Sync {
    /// What lets it take part in the world.
    fn gate(&self) -> &Gate;

    /// Carries out a phase to its end. Dropped, it is killed.
    async fn act(&self, world: &World<A>, phase: Phase<'_>) -> Result<Ended, Failed>;

    /// Whether it has something to do although no trigger fired.
    fn acts_without_a_trigger(&self) -> bool {
        false
    }
}
