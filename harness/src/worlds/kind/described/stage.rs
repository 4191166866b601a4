//! What happens in the acts of a drill of a described application.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contract::wire::ReportLine;
use executor::{Observer, TriggerEvent, no_ledger};
use futures::future::BoxFuture;

use super::super::clock::sleep;
use super::super::harvest;
use super::super::hosts::Hosts;
use super::super::path_taken::Seen;
use super::super::stage::ActsRecord;
use super::super::timing::Timing;
use crate::evidence::ms;
use crate::scenario::Described;
use crate::worlds::DrillPlan;
use crate::worlds::common::acts::Stage;
use crate::worlds::common::described::deploy;
use crate::worlds::common::host::{Failed, Host};

/// Where the acts happen.
pub(super) struct AppStage<'a> {
    pub(super) plan: &'a DrillPlan,
    pub(super) app: &'a Described,
    pub(super) client: &'a kube::Client,
    pub(super) timing: Timing,
    pub(super) record: ActsRecord,
    pub(super) hosts: Hosts<'a>,
}

impl Stage for AppStage<'_> {
    type Record = ActsRecord;

    fn record(&self) -> &ActsRecord {
        &self.record
    }

    fn instants(&self) -> (Duration, Duration) {
        self.timing.instants()
    }

    async fn sleep_until(&self, since_the_beginning: Duration) {
        let clock = self.record.book.clock;
        clock.sleep_until(ms(since_the_beginning)).await;
    }

    async fn sleep(&self, duration: Duration) {
        sleep(duration).await;
    }

    async fn lasting_state(&self) -> Result<BTreeMap<String, String>, String> {
        harvest::state_of(self.client, &self.app.namespace).await
    }

    async fn host(
        &self,
        number: u32,
        observer: Arc<dyn Observer>,
    ) -> Result<Arc<dyn Host>, String> {
        let record = &self.record;
        self.hosts.host(number, record, no_ledger(), observer).await
    }

    async fn deploy(&self) -> Result<(), String> {
        let release = &self.plan.scenario.release;
        deploy(self.client, self.app, &release.from, &release.to).await
    }

    fn release(&self) -> &str {
        &self.plan.scenario.release.to
    }

    async fn triggered(&self, _: &TriggerEvent) -> Result<(), String> {
        let seen = async {
            let state = harvest::state_of(self.client, &self.app.namespace).await?;
            let ledger = None;
            Ok(Seen { state, ledger })
        };
        self.hosts.triggered(&self.record.book, seen).await
    }

    async fn on_host(
        &self,
        run: BoxFuture<'_, Result<ReportLine, Failed>>,
    ) -> Result<ReportLine, Failed> {
        self.record.book.trap.on_host(run).await
    }
}
