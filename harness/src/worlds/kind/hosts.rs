//! Who carries out the rollback of a drill on a cluster, of whichever application.

use std::sync::Arc;

use executor::live::{SystemClock, http_client};
use executor::ports::{Database, Ports};
use executor::runbook::Runbook;
use executor::{Application, Executor, Observer, Options};

use super::by_command::{ByCommand, Outsider, Task};
use super::by_process::{self, ByProcess};
use super::path_taken::Seen;
use super::place::Place;
use super::process::Program;
use super::stage::{ActsRecord, Book};
use crate::worlds::DrillPlan;
use crate::worlds::common::acts::ArtifactStore;
use crate::worlds::common::host::{Host, identity};

/// Whoever carries it out.
pub(super) enum By {
    /// Our own executor, in this process.
    Ours,
    /// Our own executor, in a process of its own, which may be killed.
    Process(Arc<Program>),
    /// Somebody else's program.
    Command(Arc<Outsider>),
}

impl By {
    /// Who does `task` in a drill of `plan`: the program that it names, or else our own executor, as its scenario needs
    /// it. Our own goes by `application`.
    ///
    /// # Errors
    /// The program of our own executor is missing, or a file can't be written.
    pub(super) fn of(
        plan: &DrillPlan,
        place: &Place,
        task: &Task<'_>,
        application: &Application,
    ) -> Result<Self, String> {
        if let Some(program) = &plan.executor {
            let outsider = Outsider::new(&program.command, place, task)?;
            return Ok(Self::Command(Arc::new(outsider)));
        }
        if !by_process::is_needed(&plan.scenario) {
            return Ok(Self::Ours);
        }
        let database = task.ledger.as_ref().map(|ledger| ledger.url.clone());
        let program = Program::new(place, &plan.runbook.text, database, application)?;
        Ok(Self::Process(Arc::new(program)))
    }
}

/// Looks for the program of our own executor, where `plan` needs it.
///
/// # Errors
/// It is not there.
pub(super) fn find_program(plan: &DrillPlan) -> Result<(), String> {
    if plan.executor.is_none() && by_process::is_needed(&plan.scenario) {
        Program::find()?;
    }
    Ok(())
}

/// What the executor follows: the plan's runbook, with this world's addresses. There is no Loki here, so the runbook's
/// log check reads the pods' own logs.
pub(super) fn runbook(plan: &DrillPlan, place: &Place) -> Arc<Runbook> {
    let mut runbook = Runbook::clone(&plan.runbook.runbook);
    runbook.prometheus.clone_from(&place.prometheus);
    runbook.loki = None;
    Arc::new(runbook)
}

/// The hosts of a drill.
pub(super) struct Hosts<'a> {
    pub(super) plan: &'a DrillPlan,
    pub(super) place: &'a Place,
    /// Namespace of what is rolled back.
    pub(super) namespace: &'a str,
    /// What our own executor takes for granted of it.
    pub(super) application: Application,
    pub(super) by: By,
}

impl Hosts<'_> {
    /// Host `number`, from 1. Our own executor in this process reaches the ledger by `database`, and `observer` hears
    /// what it does.
    ///
    /// # Errors
    /// There is no way to the cluster.
    pub(super) async fn host(
        &self,
        number: u32,
        record: &ActsRecord,
        database: Arc<dyn Database>,
        observer: Arc<dyn Observer>,
    ) -> Result<Arc<dyn Host>, String> {
        let (identity, record) = (identity(number), record.clone());
        Ok(match &self.by {
            By::Ours => Arc::new(self.here(&identity, &record, database, observer).await?),
            By::Process(program) => {
                let program = Arc::clone(program);
                let host = ByProcess::new(program, number, identity, record, observer);
                Arc::new(host)
            }
            By::Command(program) => Arc::new(ByCommand {
                program: Arc::clone(program),
                watcher: self.here(&identity, &record, database, observer).await?,
                number,
                record,
            }),
        })
    }

    /// A trigger has fired. What is there now is `seen` and written down where a program acts, which does not say which
    /// way it takes.
    ///
    /// # Errors
    /// It could not be seen.
    pub(super) async fn triggered(
        &self,
        book: &Book,
        seen: impl Future<Output = Result<Seen, String>>,
    ) -> Result<(), String> {
        if let By::Command(_) = self.by {
            let seen = seen.await?;
            book.lock().at_trigger = Some(seen);
        }
        book.triggered();
        Ok(())
    }

    /// An executor in this process.
    async fn here(
        &self,
        identity: &str,
        record: &ActsRecord,
        database: Arc<dyn Database>,
        observer: Arc<dyn Observer>,
    ) -> Result<Executor, String> {
        let (plan, place) = (self.plan, self.place);
        let ports = Ports {
            kube: place.executor_in(self.namespace, &record.book.trap).await?,
            http: http_client().map_err(|error| error.to_string())?,
            database,
            clock: Arc::new(SystemClock),
            evidence: Arc::new(ArtifactStore(record.clone())),
        };
        let options = Options {
            application: self.application,
            ..Options::new(identity).with_observer(observer)
        };
        Ok(Executor::new(ports, runbook(plan, place), options))
    }
}
