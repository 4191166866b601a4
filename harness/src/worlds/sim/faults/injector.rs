//! When the faults of a drill begin and end, and how often they hit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use futures::channel::{mpsc, oneshot};
use futures::future::{BoxFuture, pending, select};
use sim::time::Micros;
use sim::{Application, World};

use super::super::recorder::Recorder;
use super::beginning::{Beginning, Begun, Ending, Scope};
use super::executor_hosts;
use crate::scenario::fault::Need;
use crate::scenario::{Anchor, Fault, FaultKind, Scenario};
use crate::worlds::common::Schedule;

/// How far a fault of the scenario has come.
struct Slot<A: Application> {
    due: Option<Micros>,
    ending: Option<Ending<A>>,
    work: Option<BoxFuture<'static, ()>>,
}

impl<A: Application> Default for Slot<A> {
    fn default() -> Self {
        Self {
            due: None,
            ending: None,
            work: None,
        }
    }
}

/// What clones of an injector share.
pub(super) struct State<A: Application> {
    pub(super) schedule: Schedule,
    slots: Vec<Slot<A>>,
    kills: Vec<oneshot::Sender<Micros>>,
    pub(super) hosts: executor_hosts::Hosts,
}

/// How faults of an application begin.
type Begin<A> = fn(FaultKind, &Beginning<'_, A>) -> Begun<A>;

/// Begins and ends the faults of a drill. Clones share it.
pub(in super::super) struct Injector<A: Application> {
    world: World<A>,
    pub(super) recorder: Recorder,
    pub(super) scope: Arc<Scope>,
    begins: Begin<A>,
    state: Arc<Mutex<State<A>>>,
    later: mpsc::UnboundedSender<Later>,
}

impl<A: Application> Clone for Injector<A> {
    fn clone(&self) -> Self {
        Self {
            world: self.world.clone(),
            recorder: self.recorder.clone(),
            scope: Arc::clone(&self.scope),
            begins: self.begins,
            state: Arc::clone(&self.state),
            later: self.later.clone(),
        }
    }
}

/// What is to be waited for.
pub(in super::super) enum Later {
    /// The slot that is due, or has begun and will end.
    Slot(usize),
    /// A request of the executor, by its number since the trigger.
    Request(u32, oneshot::Receiver<()>),
}

impl<A: Application> Injector<A> {
    /// For the faults of `scenario`, each of which `begins` begins; the receiver is for [`Injector::run`].
    pub(in super::super) fn new(
        world: &World<A>,
        recorder: &Recorder,
        scenario: &Scenario,
        seed: u64,
        scope: Scope,
        begins: Begin<A>,
    ) -> (Self, mpsc::UnboundedReceiver<Later>) {
        let schedule = Schedule::new(scenario, seed);
        let slots = (0..schedule.len()).map(|_| Slot::default()).collect();
        let (later, receiver) = mpsc::unbounded();
        let injector = Self {
            world: world.clone(),
            recorder: recorder.clone(),
            scope: Arc::new(scope),
            begins,
            state: Arc::new(Mutex::new(State {
                schedule,
                slots,
                kills: Vec::new(),
                hosts: executor_hosts::Hosts::default(),
            })),
            later,
        };
        (injector, receiver)
    }

    pub(super) fn world(&self) -> &World<A> {
        &self.world
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The drill has come to `anchor`. Only the first time counts.
    pub(in super::super) fn reached(&self, anchor: &Anchor) {
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
            let _ = self.later.unbounded_send(Later::Slot(index));
        }
    }

    /// The numbers of ready pods of the deployed release that faults wait for, the smallest first.
    pub(in super::super) fn ready_awaited(&self) -> Vec<u32> {
        self.lock().schedule.ready_awaited()
    }

    /// A trigger has fired: faults wait for requests that `origin` sends after its first `before`.
    pub(in super::super) fn await_requests(&self, origin: &str, before: u64) {
        let awaited = self.lock().schedule.requests_awaited();
        for number in awaited {
            let nth = before + u64::from(number);
            let sent = self.world.with(|state| state.fabric.sent(origin, nth));
            // Nobody listens once the drill is over.
            let _ = self.later.unbounded_send(Later::Request(number, sent));
        }
    }

    /// Waits for what is due, and ends what is over; goes on until it is dropped.
    pub(in super::super) async fn run(&self, later: mpsc::UnboundedReceiver<Later>) {
        later
            .for_each_concurrent(None, |later| async {
                match later {
                    Later::Slot(index) => self.follow(index).await,
                    Later::Request(number, sent) => {
                        if sent.await.is_ok() {
                            self.reached(&Anchor::Request(number));
                        }
                    }
                }
            })
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

    /// The harness is at fault: the drill shows nothing.
    pub(super) fn harness_failed(&self, why: String) {
        let mut record = self.recorder.lock();
        record.evidence.harness_failed.get_or_insert(why);
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
    pub(in super::super) fn finish(&self) {
        let count = self.lock().slots.len();
        for index in 0..count {
            self.end(index);
        }
    }

    /// Completes, with the time until another host takes over, when the executor is killed.
    pub(in super::super) async fn killed(&self) -> Micros {
        let (kill, killed) = oneshot::channel();
        self.lock().kills.push(kill);
        match killed.await {
            Ok(resume_after) => resume_after,
            Err(oneshot::Canceled) => pending().await,
        }
    }

    /// Kills every executor that waits for it; 1 if there was one, else 0.
    pub(super) fn kill(&self, resume_after: Micros) -> u64 {
        let waiting = std::mem::take(&mut self.lock().kills);
        let listening = waiting
            .into_iter()
            .map(|kill| u64::from(kill.send(resume_after).is_ok()));
        listening.sum::<u64>().min(1)
    }

    /// Begins what `fault` is, as the table of kinds says.
    fn start(&self, fault: &Fault, label: &str) -> Begun<A> {
        let it = Beginning {
            injector: self,
            world: &self.world,
            fault,
            label,
        };
        (self.begins)(fault.kind, &it)
    }
}
