//! What happens in this world in the acts of a drill.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::wire::ReportLine;
use executor::{Executor, Observer, Options, TriggerEvent};
use futures::future::{BoxFuture, Either, select};
use sim::World;
use sim_services::engine::Services;

use super::{deployer, looks, store};
use crate::scenario::Described;
use crate::worlds::DrillPlan;
use crate::worlds::common::acts::Stage;
use crate::worlds::common::described::bounds;
use crate::worlds::common::host::{Death, Failed, Host, identity};
use crate::worlds::common::no_ledger;
use crate::worlds::sim::faults::Injector;
use crate::worlds::sim::ports;
use crate::worlds::sim::recorder::{ActsRecord, Recorder};
use crate::worlds::sim::stage::{Crash, armed};

/// Where the acts of a drill happen.
pub(super) struct AppStage<'a> {
    plan: &'a DrillPlan,
    app: &'a Described,
    record: ActsRecord<Services>,
    crash: Mutex<Option<Crash>>,
}

impl<'a> AppStage<'a> {
    pub(super) fn new(
        world: &World<Services>,
        plan: &'a DrillPlan,
        app: &'a Described,
        recorder: &Recorder,
        injector: &Injector<Services>,
    ) -> Self {
        Self {
            plan,
            app,
            record: ActsRecord::new(world, recorder, injector),
            crash: Mutex::new(None),
        }
    }

    fn world(&self) -> &World<Services> {
        &self.record.world
    }
}

impl Stage for AppStage<'_> {
    type Record = ActsRecord<Services>;

    fn record(&self) -> &ActsRecord<Services> {
        &self.record
    }

    fn instants(&self) -> (Duration, Duration) {
        self.plan.scenario.timing.instants()
    }

    async fn sleep_until(&self, since_the_beginning: Duration) {
        self.world().sleep_until(since_the_beginning.into()).await;
    }

    async fn sleep(&self, duration: Duration) {
        self.world().sleep(duration.into()).await;
    }

    async fn lasting_state(&self) -> Result<BTreeMap<String, String>, String> {
        looks::all_have_room(self.world(), self.app)?;
        looks::all_can_start(self.world(), self.app)?;
        looks::all_have_started(self.world(), self.app)?;
        Ok(looks::lasting_state(self.world(), self.app))
    }

    async fn host(
        &self,
        number: u32,
        observer: Arc<dyn Observer>,
    ) -> Result<Arc<dyn Host>, String> {
        let origin = ports::origin(number);
        let database = if self.app.store.is_some() {
            store::database(self.world(), &origin)
        } else {
            no_ledger()
        };
        let ports = ports::of(&self.record, &origin, &self.app.namespace, database);
        let options = Options {
            poll_interval: self.plan.scenario.timing.poll_interval,
            application: bounds(&self.plan.scenario),
            ..Options::new(identity(number)).with_observer(observer)
        };
        let runbook = Arc::clone(&self.plan.runbook.runbook);
        Ok(Arc::new(Executor::new(ports, runbook, options)))
    }

    async fn deploy(&self) -> Result<(), String> {
        let release = &self.plan.scenario.release;
        deployer::deploy(self.world(), self.app, &release.from, &release.to).await
    }

    fn release(&self) -> &str {
        &self.plan.scenario.release.to
    }

    async fn triggered(&self, _: &TriggerEvent) -> Result<(), String> {
        let requests = self.world().requests(ports::ORIGIN);
        self.record.injector.await_requests(ports::ORIGIN, requests);
        let mut notes = self.record.recorder.lock();
        notes.requests_at_trigger = Some(requests);
        let logs = looks::bad_logs(self.world(), self.app, &notes.evidence);
        notes.evidence.bad_logs = logs;
        let crash = armed(self.world(), &self.plan.scenario, requests);
        *self.crash.lock().unwrap_or_else(PoisonError::into_inner) = crash;
        Ok(())
    }

    async fn on_host(
        &self,
        run: BoxFuture<'_, Result<ReportLine, Failed>>,
    ) -> Result<ReportLine, Failed> {
        let crash = self
            .crash
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some((at, resume_after)) = crash else {
            return run.await;
        };
        match select(at, run).await {
            Either::Right((ended, _)) => ended,
            Either::Left(_) => Err(Failed::Killed(Death {
                at_request: true,
                resume_after,
            })),
        }
    }
}
