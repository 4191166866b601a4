//! A bug of an executor: what is wrong with it, and how the executor is made to have it.

use std::sync::atomic::{AtomicUsize, Ordering};

use executor::ports::Ports;
use firedrill::drill::{self, DrillResult};
use firedrill::worlds::{DrillPlan, WorldError};
use sim_exchange::World;

use crate::planted;

/// A host that runs the executor in a drill.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// The world that it is in.
    pub world: &'a World,
    /// How many hosts ran the executor before it in this drill.
    pub before: usize,
}

/// What is made of a host's ports.
pub type Bend = fn(&Host<'_>, Ports) -> Ports;

/// How an executor comes to have a bug.
#[derive(Clone, Copy)]
pub enum How {
    /// It acts through ports that are bent.
    Bent(Bend),
    /// Its own source is another one, by the patch of the bug's name. Only a build that has the patches can do it.
    Patched,
}

/// A bug.
#[derive(Clone)]
pub struct Bug {
    /// Its name, in kebab-case.
    pub name: String,
    /// What the executor does, in one sentence.
    pub what: String,
    /// Words of scenario files that it has to do with: kinds of fault, releases, paths, steps.
    /// What mentions them is drilled first.
    pub stresses: Vec<String>,
    /// Why no drill shows it, where that is known: another layer does the same work.
    pub masked: Option<String>,
    /// How it is made.
    pub how: How,
}

impl Bug {
    /// Performs and judges a drill with an executor that has the bug, on each of its hosts.
    ///
    /// # Errors
    /// As [`drill::run`].
    pub fn run(&self, plan: &DrillPlan) -> Result<DrillResult, WorldError> {
        match self.how {
            How::Bent(bend) => {
                let hosts = AtomicUsize::new(0);
                drill::run_decorated(plan, &move |world, ports| {
                    let before = hosts.fetch_add(1, Ordering::Relaxed);
                    bend(&Host { world, before }, ports)
                })
            }
            How::Patched => planted::with(&self.name, || drill::run(plan)),
        }
    }

    /// Whether this build can make it.
    #[must_use]
    pub fn is_built(&self) -> bool {
        match self.how {
            How::Bent(_) => true,
            How::Patched => planted::BUILT,
        }
    }
}

/// A row of the catalogue.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) stresses: &'static [&'static str],
    pub(crate) masked: Option<&'static str>,
    pub(crate) bend: Bend,
}

impl From<&Row> for Bug {
    fn from(row: &Row) -> Self {
        Self {
            name: row.name.to_owned(),
            what: row.what.to_owned(),
            stresses: row.stresses.iter().map(|&word| word.to_owned()).collect(),
            masked: row.masked.map(str::to_owned),
            how: How::Bent(row.bend),
        }
    }
}
