//! The acts of a drill on the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contract::wire::ReportLine;
use dex::release::Release;
use executor::live::{Layout, PostgresDatabase, SystemClock, http_client};
use executor::ports::{Database, Ports};
use executor::runbook::Runbook;
use executor::{Executor, Observer, Options, TriggerEvent};
use futures::future::{BoxFuture, Either, join, select};

use super::by_command::{ByCommand, Outsider};
use super::by_process::ByProcess;
use super::clock::sleep;
use super::harvest;
use super::path_taken::Seen;
use super::place::Place;
use super::process::Program;
use super::stage::ActsRecord;
use super::timing::Timing;
use crate::evidence::ms;
use crate::worlds::DrillPlan;
use crate::worlds::common::acts::ArtifactStore;
use crate::worlds::common::acts::Stage;
use crate::worlds::common::deployer;
use crate::worlds::common::host::{Death, Failed, Host, identity};

/// What the acts of a drill need.
pub(super) struct LiveActs<'a> {
    pub(super) plan: &'a DrillPlan,
    pub(super) place: &'a Place,
    pub(super) timing: Timing,
    /// What runs, and what is deployed.
    pub(super) releases: (Release, Release),
    pub(super) record: ActsRecord,
    /// The executor's program, where it is a process of its own.
    pub(super) program: Option<Arc<Program>>,
    /// Somebody else's program, where that carries out the rollback.
    pub(super) outsider: Option<Arc<Outsider>>,
}

/// What the executor follows: the plan's runbook, with this world's addresses. There is no Loki here, so the runbook's
/// log check reads the pods' own logs.
pub(super) fn runbook(plan: &DrillPlan, place: &Place) -> Arc<Runbook> {
    let mut runbook = Runbook::clone(&plan.runbook.runbook);
    runbook.prometheus.clone_from(&place.prometheus);
    runbook.loki = None;
    Arc::new(runbook)
}

impl LiveActs<'_> {
    /// An executor in this process.
    async fn here(&self, identity: &str, observer: Arc<dyn Observer>) -> Result<Executor, String> {
        let stage = &self.record.stage;
        let database = PostgresDatabase::from_url(&stage.ledger.executor_url(), Layout::default())
            .map_err(|error| error.to_string())?;
        let database: Arc<dyn Database> = Arc::new(database);
        let ports = Ports {
            kube: self.place.executor(Some(&stage.trap)).await?,
            http: http_client().map_err(|error| error.to_string())?,
            database,
            clock: Arc::new(SystemClock),
            evidence: Arc::new(ArtifactStore(self.record.clone())),
        };
        let options = Options::new(identity).with_observer(observer);
        Ok(Executor::new(
            ports,
            runbook(self.plan, self.place),
            options,
        ))
    }
}

impl Stage for LiveActs<'_> {
    type Record = ActsRecord;

    fn record(&self) -> &ActsRecord {
        &self.record
    }

    fn instants(&self) -> (Duration, Duration) {
        self.timing.instants()
    }

    async fn sleep_until(&self, since_the_beginning: Duration) {
        let clock = self.record.stage.clock;
        clock.sleep_until(ms(since_the_beginning)).await;
    }

    async fn sleep(&self, duration: Duration) {
        sleep(duration).await;
    }

    async fn lasting_state(&self) -> Result<BTreeMap<String, String>, String> {
        let stage = &self.record.stage;
        harvest::lasting_state(&stage.client, &stage.ledger).await
    }

    async fn host(
        &self,
        number: u32,
        observer: Arc<dyn Observer>,
    ) -> Result<Arc<dyn Host>, String> {
        let identity = identity(number);
        if let Some(program) = &self.outsider {
            return Ok(Arc::new(ByCommand {
                program: Arc::clone(program),
                watcher: self.here(&identity, observer).await?,
                number,
                record: self.record.clone(),
            }));
        }
        Ok(match &self.program {
            Some(program) => {
                let (program, record) = (Arc::clone(program), self.record.clone());
                let host = ByProcess::new(program, number, identity, record, observer);
                Arc::new(host)
            }
            None => Arc::new(self.here(&identity, observer).await?),
        })
    }

    async fn deploy(&self) -> Result<(), String> {
        let (from, to) = &self.releases;
        let stage = &self.record.stage;
        deployer::deploy(&stage.client, from, to, stage.ledger.migrate(to)).await
    }

    fn release(&self) -> &str {
        &self.plan.scenario.release.to
    }

    async fn triggered(&self, _: &TriggerEvent) -> Result<(), String> {
        let stage = &self.record.stage;
        stage.lock().requests_at_trigger = Some(stage.trap.seen());
        if self.outsider.is_some() {
            let (state, ledger) = join(
                harvest::lasting_state(&stage.client, &stage.ledger),
                stage.ledger.identity(),
            )
            .await;
            let (state, ledger) = (state?, ledger?);
            stage.lock().at_trigger = Some(Seen { state, ledger });
        }
        if let Some(crash) = self.plan.scenario.crash {
            stage.trap.arm(crash.request);
        }
        Ok(())
    }

    async fn on_host(
        &self,
        run: BoxFuture<'_, Result<ReportLine, Failed>>,
    ) -> Result<ReportLine, Failed> {
        let Some(crash) = self.plan.scenario.crash else {
            return run.await;
        };
        match select(Box::pin(self.record.stage.trap.sprung()), run).await {
            Either::Right((ended, _)) => ended,
            Either::Left(_) => Err(Failed::Killed(Death {
                at_request: true,
                resume_after: crash.resume_after,
            })),
        }
    }
}
