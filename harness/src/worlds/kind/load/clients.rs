//! The loop that sends: as many orders a second as the scenario says, however slow the exchange is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use dex::service::api::OrderRequest;

use super::super::clock::{DrillClock, sleep};
use super::contention;
use super::flow::Flow;
use super::record::Record;
use super::request::{Http, InFlight, ask};
use super::thread;
use crate::scenario::Scenario;

/// Clients, each with a connection of its own that it keeps.
pub(super) const CLIENTS: u64 = 64;
/// No client sends faster than that, however late the loop is: at most this many requests at once.
const BURST: u32 = 64;

/// The running clients.
pub(in super::super) struct Load {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the clients share.
pub(super) struct Shared {
    pub(super) clock: DrillClock,
    pub(super) uri: http::Uri,
    pub(super) flow: Mutex<Flow>,
    pub(super) record: Mutex<Record>,
    stop: AtomicBool,
    pub(super) in_flight: AtomicU64,
    pub(super) panicked: AtomicBool,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    /// Starts the clients, who send to `base` until they are stopped, or the drill's longest duration has passed.
    pub(in super::super) fn start(
        clock: DrillClock,
        base: &str,
        scenario: &Scenario,
        seed: u64,
    ) -> Result<Self, String> {
        let uri = format!("{base}/orders")
            .parse()
            .map_err(|error| format!("{base}: {error}"))?;
        let shared = Arc::new(Shared {
            clock,
            uri,
            flow: Mutex::new(Flow::new(&scenario.load, seed)),
            record: Mutex::new(Record::new(crate::evidence::ms(scenario.expect.p99_max))),
            stop: AtomicBool::new(false),
            in_flight: AtomicU64::new(0),
            panicked: AtomicBool::new(false),
        });
        let until_us = u64::try_from(scenario.timing.duration.as_micros()).unwrap_or(u64::MAX);
        let inside = shared.clone();
        let thread = thread::start(move || send(inside, until_us))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// What the clients have seen so far.
    pub(in super::super) fn look<T>(&self, look: impl FnOnce(&Record) -> T) -> T {
        look(&lock(&self.shared.record))
    }

    /// Stops the clients once they have learned what became of their requests.
    ///
    /// # Errors
    /// They panicked: whatever was to be seen from then on, nobody saw.
    pub(in super::super) fn stop(&mut self) -> Result<(), String> {
        self.shared.stop.store(true, Ordering::Release);
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err("the clients panicked".to_owned()),
            _ if self.shared.panicked.load(Ordering::Acquire) => {
                Err("a client panicked".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Who wants to know stops them before.
        let _ = self.stop();
    }
}

/// The open loop: a slow exchange does not slow it down.
async fn send(shared: Arc<Shared>, until_us: u64) {
    let clients: Vec<Http> = (0..CLIENTS)
        .map(|_| thread::connection(Duration::from_secs(1)))
        .collect();
    let mut next = shared.clock.now_us();
    let mut machine = contention::Watch::start(next);
    while !shared.stop.load(Ordering::Acquire) && next < until_us {
        shared.clock.sleep_until_us(next).await;
        let now = shared.clock.now_us();
        if let Some((contention, stolen)) = machine.look(now) {
            lock(&shared.record).machine(now, contention, stolen);
        }
        for _ in 0..BURST {
            if next > now {
                break;
            }
            lock(&shared.record).sent(now, now - next);
            let (client, id, command, after) = lock(&shared.flow).next(CLIENTS, next);
            next = after;
            let client = usize::try_from(client).unwrap_or(0) % clients.len();
            let request = OrderRequest::new(id, &command);
            drop(tokio::spawn(ask(
                InFlight::begun(&shared),
                clients[client].clone(),
                request,
            )));
        }
    }
    while shared.in_flight.load(Ordering::Acquire) > 0 {
        sleep(Duration::from_millis(10)).await;
    }
}
