//! What affects the hosts that run the executor: one stands still for a while, another one runs the rollback beside it,
//! the clock of one is wrong.
//!
//! A host that stands still is not polled: its clock's alarms go off late, answers wait for it, and then it goes on
//! with the token that it has, as a virtual machine does that was moved.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use contract::wire::ReportLine;
use executor::clock::Clock;
use executor::{ErrorKind, TriggerEvent};
use futures::channel::oneshot;
use futures::future::{BoxFuture, poll_fn};
use jiff::SignedDuration;
use sim::time::Micros;
use sim::{Application, World};

use super::super::ports::{self, Skew};
use super::{Begun, Injector};
use crate::scenario::Fault;
use crate::worlds::common::host::{Failed, Host, carry_on};

/// How another host's rollback ends.
pub(super) type Ending = oneshot::Receiver<Result<ReportLine, Failed>>;

/// What the faults need to know of the hosts.
#[derive(Default)]
pub(super) struct Hosts {
    /// Hosts that wait for their fault, with what triggered the rollback.
    spare: Vec<(Arc<dyn Host>, TriggerEvent)>,
    /// Until when the executor's host stands still.
    still: Option<BoxFuture<'static, ()>>,
    /// What the other hosts that have begun will say.
    others: Vec<Ending>,
    /// How many other hosts are at work, or wait until they begin.
    at_work: usize,
    /// By how much the clock of the first host is off.
    first_clock: Arc<Skew>,
    /// By how much the clocks of those hosts are off that run the executor later, or beside it.
    next_clocks: Arc<Skew>,
}

impl<A: Application> Injector<A> {
    /// How many further hosts the scenario's faults need.
    pub(in super::super) fn hosts_needed(&self) -> usize {
        let state = self.lock();
        let kinds = (0..state.schedule.len()).map(|index| state.schedule.get(index).0.kind);
        kinds.filter(|kind| kind.spec().hosts.are_two()).count()
    }

    /// A host for one of those faults.
    pub(in super::super) fn add_host(&self, host: Arc<dyn Host>, event: TriggerEvent) {
        self.lock().hosts.spare.push((host, event));
    }

    /// The clock of the host whose requests are numbered as those of `origin`. It goes on being the one that faults
    /// set.
    pub(in super::super) fn clock_of(&self, origin: &str) -> Arc<dyn Clock> {
        let skew = {
            let hosts = &self.lock().hosts;
            let is_first = origin == ports::ORIGIN;
            Arc::clone(if is_first {
                &hosts.first_clock
            } else {
                &hosts.next_clocks
            })
        };
        ports::clock_off_by(self.world(), skew)
    }

    /// Whether another host is at work, or will be.
    pub(in super::super) fn others_at_work(&self) -> bool {
        self.lock().hosts.at_work > 0
    }

    /// `run` on a host that stands still while a fault says so.
    pub(in super::super) async fn on_host<T>(&self, run: impl Future<Output = T>) -> T {
        let mut run = pin!(run);
        let mut still: Option<BoxFuture<'static, ()>> = None;
        poll_fn(|cx| {
            loop {
                if let Some(wait) = &mut still {
                    if wait.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    still = None;
                }
                if let Poll::Ready(ended) = run.as_mut().poll(cx) {
                    return Poll::Ready(ended);
                }
                still = self.lock().hosts.still.take();
                if still.is_none() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// How the rollback ended on the other host that took over, if one did.
    pub(in super::super) async fn taken_over(&self) -> Option<Result<ReportLine, Failed>> {
        let others = std::mem::take(&mut self.lock().hosts.others);
        for other in others {
            // One that was refused, or that was dropped, has not taken over.
            let Ok(ended) = other.await else { continue };
            let refused = ended.as_ref().err().and_then(Failed::kind);
            if !matches!(
                refused,
                Some(ErrorKind::LeaseHeld | ErrorKind::InProgress | ErrorKind::WasEscalated)
            ) {
                return Some(ended);
            }
        }
        None
    }
}

/// Another host begins to roll back, too.
pub(super) fn second<A: Application>(
    injector: &Injector<A>,
    world: &World<A>,
    fault: &Fault,
) -> Begun<A> {
    another(injector, world, fault, false)
}

/// The executor's host stands still, and another one takes over.
pub(super) fn paused<A: Application>(
    injector: &Injector<A>,
    world: &World<A>,
    fault: &Fault,
) -> Begun<A> {
    another(injector, world, fault, true)
}

/// The clock of the executor's host is off, or those of the hosts are that follow it.
pub(super) fn clock_skewed<A: Application>(injector: &Injector<A>, fault: &Fault) -> Begun<A> {
    let skew = {
        let hosts = &injector.lock().hosts;
        match fault.target.as_deref() {
            Some("next-hosts") => Arc::clone(&hosts.next_clocks),
            _ => Arc::clone(&hosts.first_clock),
        }
    };
    let before = skew.read();
    skew.set(fault.by.unwrap_or_default());
    Begun::until(move |_| {
        skew.set(SignedDuration::ZERO);
        skew.read() - before
    })
}

fn another<A: Application>(
    injector: &Injector<A>,
    world: &World<A>,
    fault: &Fault,
    paused: bool,
) -> Begun<A> {
    let Some((host, event)) = injector.lock().hosts.spare.pop() else {
        // There is no rollback that another host could run.
        return Begun::until(|_| 0);
    };
    let refused = Arc::new(AtomicBool::new(false));
    let (tell, told) = oneshot::channel();
    {
        let hosts = &mut injector.lock().hosts;
        hosts.others.push(told);
        hosts.at_work += 1;
    }
    let start_at = world.now() + Micros::from(fault.delay.unwrap_or_default());
    let start = world.sleep_until(start_at);
    let (seen, notes, clock) = (
        Arc::clone(&refused),
        injector.recorder.clone(),
        world.clone(),
    );
    let hosts = injector.clone();
    tokio::spawn(async move {
        start.await;
        let ended = if paused {
            carry_on(&*host, &event).await
        } else {
            host.run(&event).await
        };
        if let Err(failed) = &ended {
            seen.store(true, Ordering::Relaxed);
            let why = failed.to_string();
            notes.tell(clock.now(), "executor", "another host", why);
        }
        hosts.lock().hosts.at_work -= 1;
        // The first host may have no use for it.
        let _ = tell.send(ended);
    });
    if paused {
        let lasts: Micros = Micros::from(fault.lasts.unwrap_or_default());
        let still = world.sleep(lasts);
        injector.lock().hosts.still = Some(still);
        return Begun::until(|_| 1);
    }
    Begun::until(move |_| u64::from(refused.load(Ordering::Relaxed)))
}
