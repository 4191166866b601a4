//! The drills that this process simulates just now: how far they are, and whether to abandon them.
//!
//! Nothing here has an influence on a drill, except that one which is abandoned ends without a result.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use super::WorldError;
use crate::scenario::Scenario;

/// What a second of a drill costs beside its requests, in requests.
const SECOND_COSTS: u64 = 50;
/// It is noted how far a drill is each time that its future was polled so often.
const NOTED_EACH: u32 = 8;

static ABANDONED: AtomicBool = AtomicBool::new(false);
static RUNNING: Mutex<BTreeMap<u64, Arc<AtomicU64>>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Ends the drills that are simulated now or later: each ends with [`WorldError::Interrupted`] at its next event.
pub fn abandon() {
    ABANDONED.store(true, Ordering::Relaxed);
}

/// How much work a drill of `scenario` is, in requests that cost as much. It compares drills,
/// and says nothing about a machine.
#[must_use]
pub fn work(scenario: &Scenario) -> u64 {
    work_until(scenario, scenario.timing.duration)
}

fn work_until(scenario: &Scenario, at: Duration) -> u64 {
    let each_second = u64::from(scenario.load.rate_per_s) + SECOND_COSTS;
    at.as_secs().saturating_mul(each_second)
}

/// The [work] that has been done on drills which are not over yet.
#[must_use]
pub fn done() -> u64 {
    let done = running();
    let each = done.values().map(|done| done.load(Ordering::Relaxed));
    each.fold(0, u64::saturating_add)
}

fn running() -> MutexGuard<'static, BTreeMap<u64, Arc<AtomicU64>>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A drill in [`RUNNING`], for as long as the value lives.
struct Entry {
    id: u64,
    done: Arc<AtomicU64>,
}

impl Entry {
    fn new() -> Self {
        let entry = Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            done: Arc::default(),
        };
        running().insert(entry.id, Arc::clone(&entry.done));
        entry
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        running().remove(&self.id);
    }
}

/// `drill` of `scenario`, until it is abandoned; `now` is its own clock.
pub(super) async fn until_abandoned<T>(
    scenario: &Scenario,
    drill: impl Future<Output = Result<T, WorldError>>,
    now: impl Fn() -> Duration,
) -> Result<T, WorldError> {
    until(&ABANDONED, scenario, drill, now).await
}

async fn until<T>(
    abandoned: &AtomicBool,
    scenario: &Scenario,
    drill: impl Future<Output = Result<T, WorldError>>,
    now: impl Fn() -> Duration,
) -> Result<T, WorldError> {
    let entry = Entry::new();
    let mut drill = pin!(drill);
    let mut polls = 0_u32;
    poll_fn(move |cx| {
        if abandoned.load(Ordering::Relaxed) {
            return Poll::Ready(Err(WorldError::Interrupted));
        }
        if polls.is_multiple_of(NOTED_EACH) {
            let done = work_until(scenario, now());
            entry.done.store(done, Ordering::Relaxed);
        }
        polls = polls.wrapping_add(1);
        drill.as_mut().poll(cx)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;
    use crate::scenario::built_in;

    #[test]
    fn a_drill_that_is_abandoned_ends_without_a_result() {
        let scenario = built_in("latency-regression", &[]).expect("it is built in");
        let scenario = scenario.expect("it loads");
        let stop = AtomicBool::new(false);
        let endless = poll_fn(|_| Poll::<Result<(), WorldError>>::Pending);
        let mut drill = Box::pin(until(&stop, &scenario, endless, || Duration::from_secs(90)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(drill.as_mut().poll(&mut cx).is_pending());
        // Other tests may simulate at the same time.
        assert!(done() >= 90 * (200 + SECOND_COSTS));
        stop.store(true, Ordering::Relaxed);
        let ended = drill.as_mut().poll(&mut cx);
        assert_eq!(ended, Poll::Ready(Err(WorldError::Interrupted)));
    }
}
