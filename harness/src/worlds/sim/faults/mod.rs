//! Faults in the simulated world: begun when their instant comes, ended when their time is over, and counted.
//!
//! ```text
//! reached(anchor) ──▶ due now: begins at once, before anything else happens
//!        └──────────▶ due later: `run` waits for it
//! ```
//!
//! - `messages`: what befalls requests of the executor on their way.
//! - `ledger`: what befalls the database, its undo scripts, and the gateways that should stop writing.
//! - `sight`: what keeps the executor from seeing how the exchange fares.
//! - `hosts`: what befalls the hosts that run the executor.
//! - `cluster`: what befalls pods, nodes and watches.
//! - `node`: what befalls the node as a whole, its API server, and connections that everybody shares.
//! - `alarms`: what sets a trigger off though the release is not to blame.
//! - `exchange`: what befalls the exchange's processes, its clients and its books beside the bad release.
//! - `others`: what other people and controllers do.

mod alarms;
mod cluster;
mod exchange;
mod hosts;
mod ledger;
mod messages;
mod node;
mod others;
mod sight;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dex::release::{Release, Service};
use futures::StreamExt as _;
use futures::channel::{mpsc, oneshot};
use futures::future::{BoxFuture, pending, select};
use sim::rng::Rng;
use sim::time::Micros;
use sim_exchange::Alarm;
use sim_exchange::World;
use sim_exchange::database::DbFault;

use super::recorder::Recorder;
use crate::scenario::fault::{Need, kinds};
use crate::scenario::{Anchor, Fault, FaultKind, Scenario};
use crate::worlds::common::Schedule;

/// Takes a fault back and says how often it hit.
type Ending = Box<dyn FnOnce(&World) -> u64 + Send>;

/// A fault that has begun.
pub(super) struct Begun {
    /// What ends it; also called at the drill's end.
    ending: Ending,
    /// What goes on while it lasts, if anything does.
    work: Option<BoxFuture<'static, ()>>,
    /// How often it hit, if it was over at once.
    done: Option<u64>,
}

impl Begun {
    /// A fault of one instant, which is over, and hit so often.
    fn done(hits: u64) -> Self {
        Self {
            done: Some(hits),
            ..Self::until(move |_| hits)
        }
    }

    /// A fault that `ending` takes back.
    fn until(ending: impl FnOnce(&World) -> u64 + Send + 'static) -> Self {
        Self {
            ending: Box::new(ending),
            work: None,
            done: None,
        }
    }
}

/// How far a fault of the scenario has come.
#[derive(Default)]
struct Slot {
    due: Option<Micros>,
    ending: Option<Ending>,
    work: Option<BoxFuture<'static, ()>>,
}

struct State {
    schedule: Schedule,
    slots: Vec<Slot>,
    kills: Vec<oneshot::Sender<Micros>>,
    hosts: hosts::Hosts,
}

/// A service that the bad release changes, and its images.
#[derive(Clone)]
struct Changed {
    service: &'static str,
    good: String,
    bad: String,
}

impl Changed {
    fn all(scenario: &Scenario) -> Vec<Self> {
        let named = |name: &str| Release::by_name(name);
        let (Some(from), Some(to)) = (named(&scenario.release.from), named(&scenario.release.to))
        else {
            return Vec::new();
        };
        let images = |service| (from.build(service).image(), to.build(service).image());
        Service::ALL
            .into_iter()
            .map(|service| (service, images(service)))
            .filter(|(_, (good, bad))| good != bad)
            .map(|(service, (good, bad))| Self {
                service: service.name(),
                good,
                bad,
            })
            .collect()
    }
}

/// Begins and ends the faults of a drill. Clones share it.
#[derive(Clone)]
pub(super) struct Injector {
    world: World,
    recorder: Recorder,
    changed: Arc<[Changed]>,
    state: Arc<Mutex<State>>,
    /// Slots that are due, or have begun and will end.
    later: mpsc::UnboundedSender<usize>,
}

impl Injector {
    /// For the faults of `scenario`; the receiver is for [`Injector::run`].
    pub(super) fn new(
        world: &World,
        recorder: &Recorder,
        scenario: &Scenario,
        seed: u64,
    ) -> (Self, mpsc::UnboundedReceiver<usize>) {
        let schedule = Schedule::new(scenario, seed);
        let slots = (0..schedule.len()).map(|_| Slot::default()).collect();
        let (later, receiver) = mpsc::unbounded();
        let injector = Self {
            world: world.clone(),
            recorder: recorder.clone(),
            changed: Changed::all(scenario).into(),
            state: Arc::new(Mutex::new(State {
                schedule,
                slots,
                kills: Vec::new(),
                hosts: hosts::Hosts::default(),
            })),
            later,
        };
        (injector, receiver)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The drill has come to `anchor`. Only the first time counts.
    pub(super) fn reached(&self, anchor: &Anchor) {
        let now = self.world.now();
        let due = {
            let mut state = self.lock();
            let due = state.schedule.reached(anchor);
            for (index, after) in &due {
                state.slots[*index].due = Some(now + *after);
            }
            due
        };
        for (index, after) in due {
            if after == Micros::ZERO {
                self.begin(index);
            }
            // Nobody listens once the drill is over.
            let _ = self.later.unbounded_send(index);
        }
    }

    /// The numbers of ready pods of the deployed release that faults wait for, the smallest first.
    pub(super) fn ready_awaited(&self) -> Vec<u32> {
        self.lock().schedule.ready_awaited()
    }

    /// Waits for what is due, and ends what is over; goes on until it is dropped.
    pub(super) async fn run(&self, later: mpsc::UnboundedReceiver<usize>) {
        later
            .for_each_concurrent(None, |index| self.follow(index))
            .await;
        pending().await
    }

    async fn follow(&self, index: usize) {
        let (due, lasts, begun) = {
            let state = self.lock();
            let slot = &state.slots[index];
            let lasts = state.schedule.get(index).0.lasts;
            (slot.due, lasts, slot.ending.is_some())
        };
        if !begun {
            self.world.sleep_until(due.unwrap_or_default()).await;
            self.begin(index);
        }
        let work = self.lock().slots[index].work.take();
        let over = async {
            match lasts {
                Some(lasts) => self.world.sleep(Micros::from(lasts)).await,
                None => pending().await,
            }
        };
        let work = work.unwrap_or_else(|| Box::pin(pending()));
        select(work, Box::pin(over)).await;
        if lasts.is_some() {
            self.end(index);
        }
    }

    fn begin(&self, index: usize) {
        let (fault, label) = {
            let state = self.lock();
            let (fault, label) = state.schedule.get(index);
            (fault.clone(), label.to_owned())
        };
        let begun = self.start(&fault, &label);
        let at = self.world.now();
        {
            let mut state = self.lock();
            state.slots[index].ending = Some(begun.ending);
            state.slots[index].work = begun.work;
        }
        {
            let seen = &mut self.recorder.lock().evidence.faults[index];
            seen.began_ms = Some(at.as_millis());
            if let Some(hits) = begun.done {
                seen.ended_ms = Some(at.as_millis());
                seen.hits = hits;
            }
        }
        self.recorder
            .tell(at, "fault", fault.kind.as_str(), fault.in_words());
    }

    fn end(&self, index: usize) {
        let (ending, fault) = {
            let mut state = self.lock();
            let ending = state.slots[index].ending.take();
            (ending, state.schedule.get(index).0.clone())
        };
        let Some(ending) = ending else { return };
        let hits = ending(&self.world);
        let at = self.world.now();
        {
            let seen = &mut self.recorder.lock().evidence.faults[index];
            seen.ended_ms.get_or_insert(at.as_millis());
            seen.hits = hits;
        }
        if fault.kind.spec().lasts != Need::No {
            let what = format!("over; hit {hits} times");
            self.recorder.tell(at, "fault", fault.kind.as_str(), what);
        }
    }

    /// Ends whatever is still in force: the drill is over.
    pub(super) fn finish(&self) {
        let count = self.lock().slots.len();
        for index in 0..count {
            self.end(index);
        }
    }

    /// Completes, with the time until another host takes over, when the executor is killed.
    pub(super) async fn killed(&self) -> Micros {
        let (kill, killed) = oneshot::channel();
        self.lock().kills.push(kill);
        match killed.await {
            Ok(resume_after) => resume_after,
            Err(oneshot::Canceled) => pending().await,
        }
    }

    fn kill(&self, resume_after: Micros) -> u64 {
        let waiting = std::mem::take(&mut self.lock().kills);
        let listening = waiting
            .into_iter()
            .map(|kill| u64::from(kill.send(resume_after).is_ok()));
        listening.sum::<u64>().min(1)
    }

    /// Begins what `fault` is, as the table of kinds says.
    fn start(&self, fault: &Fault, label: &str) -> Begun {
        let it = Beginning {
            injector: self,
            world: &self.world,
            fault,
            label,
        };
        begin(fault.kind, &it)
    }
}

/// A fault that is to begin.
struct Beginning<'a> {
    injector: &'a Injector,
    world: &'a World,
    fault: &'a Fault,
    /// Names its streams of the seed.
    label: &'a str,
}

impl<'a> Beginning<'a> {
    /// The service that the fault is about, if the release changes it.
    fn changed(&self) -> Option<&'a Changed> {
        let mut changed = self.injector.changed.iter();
        changed.find(|it| Some(it.service) == self.fault.target.as_deref())
    }

    fn stream(&self) -> Rng {
        self.injector.lock().schedule.stream(self.label)
    }

    /// Kills the executor; another host resumes after the fault's delay.
    fn kill(&self) -> Begun {
        let resume_after = Micros::from(self.fault.delay.unwrap_or_default());
        Begun::done(self.injector.kill(resume_after))
    }
}

/// Makes the match over the kinds of the table's rows: one arm for each, so that none does another's work.
macro_rules! beginnings {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $what:literal, { $($facts:tt)* } => $begin:expr;)*) => {
        fn begin(kind: FaultKind, it: &Beginning<'_>) -> Begun {
            let begin: fn(&Beginning<'_>) -> Begun = match kind {
                $(FaultKind::$kind => $begin,)*
            };
            begin(it)
        }
    };
}

kinds!(beginnings);
