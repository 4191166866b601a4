//! The acts of a drill of the exchange on the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contract::wire::ReportLine;
use dex::release::Release;
use executor::live::{Layout, PostgresDatabase};
use executor::{Observer, TriggerEvent};
use futures::future::{BoxFuture, join};

use super::clock::sleep;
use super::harvest;
use super::hosts::Hosts;
use super::path_taken::Seen;
use super::stage::{self, ActsRecord};
use super::timing::Timing;
use crate::evidence::ms;
use crate::worlds::DrillPlan;
use crate::worlds::common::acts::Stage;
use crate::worlds::common::deployer;
use crate::worlds::common::host::{Failed, Host};

/// What the acts of a drill need.
pub(super) struct LiveActs<'a> {
    pub(super) plan: &'a DrillPlan,
    pub(super) stage: &'a stage::Stage,
    pub(super) timing: Timing,
    /// What runs, and what is deployed.
    pub(super) releases: (Release, Release),
    pub(super) record: ActsRecord,
    pub(super) hosts: Hosts<'a>,
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
        let clock = self.stage.clock;
        clock.sleep_until(ms(since_the_beginning)).await;
    }

    async fn sleep(&self, duration: Duration) {
        sleep(duration).await;
    }

    async fn lasting_state(&self) -> Result<BTreeMap<String, String>, String> {
        let stage = self.stage;
        harvest::lasting_state(&stage.client, &stage.ledger).await
    }

    async fn host(
        &self,
        number: u32,
        observer: Arc<dyn Observer>,
    ) -> Result<Arc<dyn Host>, String> {
        let url = self.stage.ledger.executor_url();
        let database = PostgresDatabase::from_url(&url, Layout::default());
        let database = Arc::new(database.map_err(|error| error.to_string())?);
        let record = &self.record;
        self.hosts.host(number, record, database, observer).await
    }

    async fn deploy(&self) -> Result<(), String> {
        let (from, to) = &self.releases;
        let stage = self.stage;
        deployer::deploy(&stage.client, from, to, stage.ledger.migrate(to)).await
    }

    fn release(&self) -> &str {
        &self.plan.scenario.release.to
    }

    async fn triggered(&self, _: &TriggerEvent) -> Result<(), String> {
        let stage = self.stage;
        let seen = async {
            let (state, ledger) = join(
                harvest::lasting_state(&stage.client, &stage.ledger),
                stage.ledger.identity(),
            )
            .await;
            Ok(Seen {
                state: state?,
                ledger: Some(ledger?),
            })
        };
        self.hosts.triggered(&stage.book, seen).await
    }

    async fn on_host(
        &self,
        run: BoxFuture<'_, Result<ReportLine, Failed>>,
    ) -> Result<ReportLine, Failed> {
        self.stage.trap.on_host(run).await
    }
}
