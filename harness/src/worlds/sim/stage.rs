//! The acts of a drill in the simulated world.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::wire::ReportLine;
use executor::ports::Ports;
use executor::{Executor, Observer, Options, TriggerEvent};
use futures::channel::oneshot;
use futures::future::{BoxFuture, Either, select};
use sim::fabric::EffectSide;
use sim::time::Micros;
use sim::{Application, World};
use sim_exchange::SimulatedExchange;

use super::application::Drilled;
use super::drill::Drill;
use super::outside::{Actor, OutsideHost, Tape};
use super::recorder::{ActsRecord, Recorder};
use super::{harvest, ports};
use crate::scenario::{CrashSide, Scenario};
use crate::worlds::DrillPlan;
use crate::worlds::common::acts::{Stage, witness};
use crate::worlds::common::host::{Death, Failed, Host, identity};

/// What is made of an executor's ports before it gets them.
pub type PortDecorator<A = SimulatedExchange> = dyn Fn(&World<A>, Ports) -> Ports + Sync;

/// The request of the rollback at which the executor dies, and how long after it another host resumes.
type Crash = (oneshot::Receiver<()>, Duration);

/// Who carries out the rollback, where it is nobody in this process.
pub(super) struct Outside<A: Application> {
    pub(super) actor: Arc<dyn Actor<A>>,
    /// What is recorded, if anything is.
    pub(super) tape: Option<Tape>,
    /// For how long a trigger is waited for where somebody acts without one, too, since the drill began.
    pub(super) watch_until: Duration,
}

/// Where the acts of a drill happen.
pub(super) struct SimStage<'a, D: Drilled> {
    drilled: &'a D,
    plan: &'a DrillPlan,
    decorate: &'a PortDecorator<D::Application>,
    record: ActsRecord<D::Application>,
    crash: Mutex<Option<Crash>>,
    outside: Option<Outside<D::Application>>,
}

impl<'a, D: Drilled> SimStage<'a, D> {
    pub(super) fn new(
        drill: &Drill<'a, D>,
        decorate: &'a PortDecorator<D::Application>,
        outside: Option<Outside<D::Application>>,
    ) -> Self {
        Self {
            drilled: drill.drilled,
            plan: drill.plan,
            decorate,
            record: ActsRecord::new(drill.world, drill.recorder, drill.injector),
            crash: Mutex::new(None),
            outside,
        }
    }

    fn drill(&self) -> Drill<'_, D> {
        Drill {
            drilled: self.drilled,
            world: &self.record.world,
            plan: self.plan,
            recorder: &self.record.recorder,
            injector: &self.record.injector,
        }
    }

    fn world(&self) -> &World<D::Application> {
        &self.record.world
    }

    fn recorder(&self) -> &Recorder {
        &self.record.recorder
    }

    fn scenario(&self) -> &Scenario {
        &self.plan.scenario
    }

    /// An executor that acts under the name `identity`, whose requests are numbered as those of `origin`.
    fn executor(&self, identity: String, origin: &str, observer: Arc<dyn Observer>) -> Executor {
        let options = Options {
            poll_interval: self.scenario().timing.poll_interval,
            application: self.drilled.taken_for_granted(self.scenario()),
            ..Options::new(identity).with_observer(observer)
        };
        let database = self.drilled.database(self.world(), origin);
        let ports = ports::of(&self.record, origin, self.drilled.namespace(), database);
        let ports = (self.decorate)(self.world(), ports);
        Executor::new(ports, Arc::clone(&self.plan.runbook.runbook), options)
    }

    /// Arms the executor's death at the request that the scenario names, after those that it has made already.
    fn arm(&self, requests: u64) {
        let armed = self.scenario().crash.map(|crash| {
            let side = match crash.side {
                CrashSide::Before => EffectSide::Before,
                CrashSide::After => EffectSide::After,
            };
            let number = requests + crash.request;
            let at = self.world().crash_at(ports::ORIGIN, number, side);
            (at, crash.resume_after)
        });
        *self.crash.lock().unwrap_or_else(PoisonError::into_inner) = armed;
    }
}

impl<D: Drilled> Stage for SimStage<'_, D> {
    type Record = ActsRecord<D::Application>;

    fn record(&self) -> &ActsRecord<D::Application> {
        &self.record
    }

    fn instants(&self) -> (Duration, Duration) {
        self.scenario().timing.instants()
    }

    async fn sleep_until(&self, since_the_beginning: Duration) {
        self.world().sleep_until(since_the_beginning.into()).await;
    }

    async fn sleep(&self, duration: Duration) {
        self.world().sleep(duration.into()).await;
    }

    async fn lasting_state(&self) -> Result<BTreeMap<String, String>, String> {
        self.drilled.is_ready(self.world())?;
        Ok(harvest::lasting_state(&self.drill()))
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
        Ok(Arc::new(OutsideHost {
            actor: Arc::clone(&outside.actor),
            // The watch is ours, and its requests are not those of whoever acts.
            watcher: self.executor(identity(number), &format!("watcher-{number}"), observer),
            record: self.record.clone(),
            number,
            origin,
            prior: self.scenario().release.from.clone(),
            tape: outside.tape.clone(),
            watch_until: outside.watch_until,
        }))
    }

    fn deploying(&self) {
        self.drilled.before_deployment(self.world());
    }

    async fn deploy(&self) -> Result<(), String> {
        self.drilled.deploy(self.world(), self.scenario()).await
    }

    fn release(&self) -> &str {
        &self.scenario().release.to
    }

    async fn triggered(&self, event: &TriggerEvent) -> Result<(), String> {
        let (world, recorder) = (self.world(), self.recorder());
        let bad_logs = harvest::bad_logs(&self.drill());
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
        self.arm(requests);
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
