//! The acts of a drill in the simulated world.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::wire::ReportLine;
use executor::ports::Ports;
use executor::{Executor, Observer, Options, TriggerEvent};
use futures::channel::oneshot;
use futures::future::{BoxFuture, Either, select};
use sim::Application;
use sim::fabric::EffectSide;
use sim::time::Micros;
use sim_exchange::World;

use super::faults::Injector;
use super::outside::{Actor, OutsideHost, Tape};
use super::recorder::{ActsRecord, Recorder};
use super::{deployer, harvest, ports, probe, record};
use crate::scenario::{CrashSide, Scenario};
use crate::worlds::DrillPlan;
use crate::worlds::common::acts::{Stage, witness};
use crate::worlds::common::host::{Death, Failed, Host, identity};
use crate::worlds::common::manifests::NAMESPACE;

/// What is made of an executor's ports before it gets them.
pub type PortDecorator = dyn Fn(&World, Ports) -> Ports + Sync;

/// The request of the rollback at which the executor dies, and how long after it another host resumes.
pub(super) type Crash = (oneshot::Receiver<()>, Duration);

/// Who carries out the rollback, where it is nobody in this process.
#[derive(Clone)]
pub(super) struct Outside {
    pub(super) actor: Arc<dyn Actor>,
    /// What is recorded, if anything is.
    pub(super) tape: Option<Tape>,
    /// For how long a trigger is waited for where somebody acts without one, too, since the drill began.
    pub(super) watch_until: Duration,
}

/// Where the acts of a drill happen.
pub(super) struct SimStage<'a> {
    plan: &'a DrillPlan,
    decorate: &'a PortDecorator,
    record: ActsRecord,
    crash: Mutex<Option<Crash>>,
    outside: Option<Outside>,
}

impl<'a> SimStage<'a> {
    pub(super) fn new(
        world: &World,
        plan: &'a DrillPlan,
        decorate: &'a PortDecorator,
        recorder: &Recorder,
        injector: &Injector,
        outside: Option<Outside>,
    ) -> Self {
        Self {
            outside,
            plan,
            decorate,
            record: ActsRecord::new(world, recorder, injector),
            crash: Mutex::new(None),
        }
    }

    fn world(&self) -> &World {
        &self.record.world
    }

    fn recorder(&self) -> &Recorder {
        &self.record.recorder
    }

    /// An executor that acts under the name `identity`, whose requests are numbered as those of `origin`.
    fn executor(&self, identity: String, origin: &str, observer: Arc<dyn Observer>) -> Executor {
        let options = Options {
            poll_interval: self.plan.scenario.timing.poll_interval,
            ..Options::new(identity).with_observer(observer)
        };
        let database = ports::database(self.world(), origin);
        let ports = ports::of(&self.record, origin, NAMESPACE, database);
        let ports = (self.decorate)(self.world(), ports);
        Executor::new(ports, Arc::clone(&self.plan.runbook.runbook), options)
    }
}

/// Arms the executor's death at the request that `scenario` names, after those that it has made already.
pub(super) fn armed<A: Application>(
    world: &sim::World<A>,
    scenario: &Scenario,
    requests: u64,
) -> Option<Crash> {
    let crash = scenario.crash?;
    let side = match crash.side {
        CrashSide::Before => EffectSide::Before,
        CrashSide::After => EffectSide::After,
    };
    let at = world.crash_at(ports::ORIGIN, requests + crash.request, side);
    Some((at, crash.resume_after))
}

impl Stage for SimStage<'_> {
    type Record = ActsRecord;

    fn record(&self) -> &ActsRecord {
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
        Ok(harvest::lasting_state(self.world()))
    }

    async fn host(
        &self,
        number: u32,
        observer: Arc<dyn Observer>,
    ) -> Result<Arc<dyn Host>, String> {
        let origin = ports::origin(number);
        let Some(outside) = &self.outside else {
            return Ok(Arc::new(self.executor(identity(number), &origin, observer)));
        };
        let Outside {
            actor,
            tape,
            watch_until,
        } = outside.clone();
        Ok(Arc::new(OutsideHost {
            actor,
            // The watch is ours, and its requests are not those of whoever acts.
            watcher: self.executor(identity(number), &format!("watcher-{number}"), observer),
            record: self.record.clone(),
            number,
            origin,
            prior: self.plan.scenario.release.from.clone(),
            tape,
            watch_until,
        }))
    }

    fn deploying(&self) {
        let ledger = self
            .world()
            .with(|state| record::Deployed::of(state.application.database().ledger()));
        self.recorder().lock().deployed = Some(ledger);
    }

    async fn deploy(&self) -> Result<(), String> {
        deployer::deploy(self.world(), &self.plan.scenario).await
    }

    fn release(&self) -> &str {
        &self.plan.scenario.release.to
    }

    async fn triggered(&self, event: &TriggerEvent) -> Result<(), String> {
        let (world, recorder) = (self.world(), self.recorder());
        let bad_logs = probe::bad_logs(world, recorder);
        recorder.lock().evidence.bad_logs = bad_logs;
        let requests = world.requests(ports::ORIGIN);
        recorder.lock().requests_at_trigger = Some(requests);
        self.record.injector.await_requests(ports::ORIGIN, requests);
        for n in 1..=self.record.injector.hosts_needed() {
            let identity = format!("firedrill-other-{n}");
            let origin = format!("{}-other-{n}", ports::ORIGIN);
            let other = self.executor(identity, &origin, witness(self));
            self.record
                .injector
                .add_host(Arc::new(other), event.clone());
        }
        let crash = armed(world, &self.plan.scenario, requests);
        *self.crash.lock().unwrap_or_else(PoisonError::into_inner) = crash;
        Ok(())
    }

    async fn on_host(
        &self,
        run: BoxFuture<'_, Result<ReportLine, Failed>>,
    ) -> Result<ReportLine, Failed> {
        let injector = &self.record.injector;
        // Taken for as long as this host lives; put back if it died of something else.
        let mut crash = self
            .crash
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let dies = async {
            let by_fault = |resume_after: Micros| Death {
                at_request: false,
                resume_after: resume_after.as_duration(),
            };
            let Some((at, resume_after)) = &mut crash else {
                return by_fault(injector.killed().await);
            };
            match select(at, Box::pin(injector.killed())).await {
                Either::Left(_) => Death {
                    at_request: true,
                    resume_after: *resume_after,
                },
                Either::Right((resume_after, _)) => by_fault(resume_after),
            }
        };
        let run = injector.on_host(run);
        let ended = match select(Box::pin(dies), Box::pin(run)).await {
            Either::Right((ended, _)) => return ended,
            Either::Left((death, _)) => death,
        };
        if !ended.at_request {
            *self.crash.lock().unwrap_or_else(PoisonError::into_inner) = crash;
        }
        Err(Failed::Killed(ended))
    }

    async fn taken_over(&self) -> Option<Result<ReportLine, Failed>> {
        self.record.injector.taken_over().await
    }
}
