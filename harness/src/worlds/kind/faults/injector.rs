//! When the faults of a drill begin and end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, FutureExt as _, Shared, pending, select};

use super::super::clock::sleep;
use super::super::process::Victim;
use super::super::stage::Book;
use super::live::{Site, blocking};
use super::node::heal;
use crate::evidence::Ms;
use crate::scenario::fault::Need;
use crate::scenario::{Anchor, Scenario};
use crate::worlds::common::Schedule;

/// Faults as they become due: which one, and when, in µs of the drill.
pub(in super::super) type Due = mpsc::UnboundedReceiver<(usize, u64)>;

/// Begins and ends the faults of a drill.
pub(in super::super) struct Injector {
    book: Arc<Book>,
    pub(super) site: Site,
    schedule: Mutex<Schedule>,
    /// Faults, and when they are due, in µs of the drill.
    later: Mutex<Option<mpsc::UnboundedSender<(usize, u64)>>>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    stopped: Shared<oneshot::Receiver<()>>,
    /// The executor, where it may be killed.
    pub(in super::super) victim: Victim,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Injector {
    /// For the faults of `scenario`; the receiver is for [`Injector::run`].
    pub(in super::super) fn new(
        book: &Arc<Book>,
        site: Site,
        scenario: &Scenario,
        seed: u64,
    ) -> (Self, Due) {
        let (later, receiver) = mpsc::unbounded();
        let (stop, stopped) = oneshot::channel();
        let injector = Self {
            book: Arc::clone(book),
            site,
            schedule: Mutex::new(Schedule::new(scenario, seed)),
            later: Mutex::new(Some(later)),
            stop: Mutex::new(Some(stop)),
            stopped: stopped.shared(),
            victim: Victim::default(),
        };
        (injector, receiver)
    }

    /// The drill has come to `anchor`. Only the first time counts.
    pub(in super::super) fn reached(&self, anchor: &Anchor) {
        let now = self.book.clock.now_us();
        let due = lock(&self.schedule).reached(anchor);
        if let Some(later) = &*lock(&self.later) {
            for (index, after) in due {
                // Nobody listens once the drill is over.
                let _ = later.unbounded_send((index, now + after.0));
            }
        }
    }

    /// The numbers of ready pods of the deployed release that faults wait for, the smallest first.
    pub(in super::super) fn ready_awaited(&self) -> Vec<u32> {
        lock(&self.schedule).ready_awaited()
    }

    /// The numbers of the executor's requests that faults wait for, the smallest first.
    pub(in super::super) fn requests_awaited(&self) -> Vec<u32> {
        lock(&self.schedule).requests_awaited()
    }

    /// The drill is over: what has begun is ended, what has not, does not begin.
    pub(in super::super) fn stop(&self) {
        drop(lock(&self.later).take());
        drop(lock(&self.stop).take());
    }

    /// Waits for what is due, and ends what is over, until all is ended after [`stop`](Self::stop).
    pub(in super::super) async fn run(&self, due: Due) {
        due.for_each_concurrent(None, |(index, due_us)| self.follow(index, due_us))
            .await;
    }

    /// Waits; false if the drill ended first.
    async fn waited(&self, wait: impl Future<Output = ()>) -> bool {
        let wait = std::pin::pin!(wait);
        matches!(
            select(self.stopped.clone(), wait).await,
            Either::Right(((), _))
        )
    }

    async fn follow(&self, index: usize, due_us: u64) {
        let fault = lock(&self.schedule).get(index).0.clone();
        if !self.waited(self.book.clock.sleep_until_us(due_us)).await {
            return;
        }
        let kind = fault.kind.as_str();
        let began_ms = self.book.clock.now_ms();
        self.book.lock().evidence.faults[index].began_ms = Some(began_ms);
        self.book.tell("fault", kind, fault.in_words());
        let hits = match self.begin(&fault).await {
            Err(why) => Err(why),
            Ok(begun) => {
                if fault.kind.spec().lasts != Need::No {
                    self.waited(async {
                        match fault.lasts {
                            Some(lasts) => sleep(lasts).await,
                            None => pending().await,
                        }
                    })
                    .await;
                }
                self.end(begun).await
            }
        };
        let what = match hits {
            Ok(hits) => {
                let ended_ms: Ms = self.book.clock.now_ms();
                let seen = &mut self.book.lock().evidence.faults[index];
                seen.ended_ms = Some(ended_ms);
                seen.hits = hits;
                format!("over; hit {hits} times")
            }
            // What it did to the drill nobody knows, which is the harness's doing.
            Err(why) => {
                self.book.harness_failed(&format!(
                    "the fault `{}` went wrong: {why}",
                    fault.in_words()
                ));
                let node = self.site.node.clone();
                let healed = blocking(move || heal(&node)).await;
                let healed = healed.map_or_else(
                    |left| format!("; left in force: {left}"),
                    |()| String::new(),
                );
                format!("went wrong: {why}{healed}")
            }
        };
        self.book.tell("fault", kind, what);
    }
}
