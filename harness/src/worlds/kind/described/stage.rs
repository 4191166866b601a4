//! What happens in the acts of a drill of a described application.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contract::wire::ReportLine;
use executor::live::{SystemClock, http_client};
use executor::ports::Ports;
use executor::{Executor, Observer, Options, TriggerEvent};
use futures::future::BoxFuture;
use jiff::Timestamp;

use super::super::acts::runbook;
use super::super::clock::sleep;
use super::super::harvest;
use super::super::place::Place;
use super::super::stage::Book;
use super::super::timing::Timing;
use crate::drill::timeline::Told;
use crate::evidence::{Evidence, Ms, ms};
use crate::scenario::{Anchor, Described};
use crate::worlds::DrillPlan;
use crate::worlds::common::acts::{ArtifactStore, Record, Stage};
use crate::worlds::common::described::{bounds, deploy};
use crate::worlds::common::host::{Failed, Host, identity};
use crate::worlds::common::no_ledger;

/// The record of the acts. No fault waits for them.
#[derive(Clone)]
pub(super) struct AppRecord(pub(super) Arc<Book>);

impl Record for AppRecord {
    fn now_ms(&self) -> Ms {
        self.0.clock.now_ms()
    }

    fn ms_of(&self, at: Timestamp) -> Ms {
        self.0.clock.of(at)
    }

    fn evidence<T>(&self, change: impl FnOnce(&mut Evidence) -> T) -> T {
        change(&mut self.0.lock().evidence)
    }

    fn tell_of(&self, told: Told, who: &'static str, step: &str, what: String) {
        self.0.tell_of(told, who, step, what);
    }

    fn reached(&self, _: &Anchor) {}
}

/// Where the acts happen.
pub(super) struct AppStage<'a> {
    pub(super) plan: &'a DrillPlan,
    pub(super) app: &'a Described,
    pub(super) place: &'a Place,
    pub(super) client: &'a kube::Client,
    pub(super) timing: Timing,
    pub(super) record: AppRecord,
}

impl Stage for AppStage<'_> {
    type Record = AppRecord;

    fn record(&self) -> &AppRecord {
        &self.record
    }

    fn instants(&self) -> (Duration, Duration) {
        self.timing.instants()
    }

    async fn sleep_until(&self, since_the_beginning: Duration) {
        self.record
            .0
            .clock
            .sleep_until(ms(since_the_beginning))
            .await;
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
        let (place, trap) = (self.place, &self.record.0.trap);
        let ports = Ports {
            kube: place.executor_in(&self.app.namespace, trap).await?,
            http: http_client().map_err(|error| error.to_string())?,
            database: no_ledger(),
            clock: Arc::new(SystemClock),
            evidence: Arc::new(ArtifactStore(self.record.clone())),
        };
        let options = Options {
            application: bounds(&self.plan.scenario),
            ..Options::new(identity(number)).with_observer(observer)
        };
        Ok(Arc::new(Executor::new(
            ports,
            runbook(self.plan, place),
            options,
        )))
    }

    async fn deploy(&self) -> Result<(), String> {
        let release = &self.plan.scenario.release;
        deploy(self.client, self.app, &release.from, &release.to).await
    }

    fn release(&self) -> &str {
        &self.plan.scenario.release.to
    }

    async fn triggered(&self, _: &TriggerEvent) -> Result<(), String> {
        let book = &self.record.0;
        book.lock().requests_at_trigger = Some(book.trap.seen());
        Ok(())
    }

    async fn on_host(
        &self,
        run: BoxFuture<'_, Result<ReportLine, Failed>>,
    ) -> Result<ReportLine, Failed> {
        run.await
    }
}
