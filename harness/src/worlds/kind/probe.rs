//! Looks at the ledger and the pods while a drill of the exchange runs; and what faults wait for, which is counted in
//! drills of any application.

use super::faults::Injector;
use super::harvest::live_pods;
use super::stage::{Book, Stage};
use crate::evidence::{Ms, PodSeen, Probe};
use crate::scenario::Anchor;

/// While nothing happens, in ms.
const CALM: Ms = 10_000;
/// From the deployment on: when harm began, and when it ended.
const CLOSE: Ms = 2_000;
/// Between two looks at most, with the time that they take, in ms.
const BETWEEN: Ms = CALM + 5_000;
/// How often the pods are counted that a fault waits for, in ms.
const COUNT: Ms = 200;
/// How long after the trigger to look closely.
const CLOSE_AFTER_TRIGGER: Ms = 90_000;

/// Looks now and then, until it is dropped.
pub(super) async fn keep_looking(stage: &Stage) {
    let mut next = 5_000;
    loop {
        stage.clock.sleep_until(next).await;
        look(stage).await;
        let now = stage.clock.now_ms();
        let notes = stage.lock();
        let trigger = notes.evidence.executor.trigger.as_ref();
        let step = match (trigger.map(|t| t.at_ms), notes.evidence.deployed_ms) {
            (Some(at), _) if now > at + CLOSE_AFTER_TRIGGER => CALM,
            (None, None) => CALM / 2,
            _ => CLOSE,
        };
        next = now + step;
    }
}

/// Tells the injector once as many pods of the deployed release are ready as a fault waits for; `pods` asks for all
/// pods.
pub(super) async fn count_ready(
    book: &Book,
    injector: &Injector,
    pods: impl AsyncFn() -> Result<Vec<PodSeen>, String>,
) {
    for awaited in injector.ready_awaited() {
        while ready(book, &pods).await < awaited {
            book.clock.sleep_until(book.clock.now_ms() + COUNT).await;
        }
        injector.reached(&Anchor::Ready(awaited));
    }
}

/// Tells the injector once the executor has sent as many requests since the trigger as a fault waits for.
pub(super) async fn count_requests(book: &Book, injector: &Injector) {
    for awaited in injector.requests_awaited() {
        while sent_since_the_trigger(book) < u64::from(awaited) {
            book.clock.sleep_until(book.clock.now_ms() + COUNT).await;
        }
        injector.reached(&Anchor::Request(awaited));
    }
}

/// How many requests the executor has sent to the API server since the trigger.
fn sent_since_the_trigger(book: &Book) -> u64 {
    let before = book.lock().requests_at_trigger;
    before.map_or(0, |before| book.trap.seen().saturating_sub(before))
}

/// How many pods of the deployed release are ready; none, if they can't be asked.
async fn ready(book: &Book, pods: &impl AsyncFn() -> Result<Vec<PodSeen>, String>) -> u32 {
    if book.lock().evidence.deployed_ms.is_none() {
        return 0;
    }
    let pods = pods().await.unwrap_or_default();
    book.lock().evidence.ready_of_deployed(&pods)
}

/// One look. If nothing can be seen (the executor has just disconnected everybody), there is none.
pub(super) async fn look(stage: &Stage) -> bool {
    // There is no bad build yet, or it has been seen live and serves no longer: no need to ask the pods again.
    let ask_pods = {
        let evidence = &stage.lock().evidence;
        let now_ms = stage.clock.now_ms();
        let served = evidence.deployed_served.last();
        let serves = served.is_some_and(|(_, to)| *to + BETWEEN >= now_ms);
        evidence.deployed_ms.is_some() && (!evidence.deployed_build_seen || serves)
    };
    if ask_pods && let Ok(pods) = live_pods(&stage.client).await {
        let at_ms = stage.clock.now_ms();
        let evidence = &mut stage.lock().evidence;
        let bad = pods.iter().any(|pod| evidence.runs_deployed(pod));
        evidence.deployed_build_seen |= bad;
        if evidence.ready_of_deployed(&pods) > 0 {
            evidence.deployed_serves(at_ms.saturating_sub(BETWEEN), at_ms);
        }
    }
    let at_ms = stage.clock.now_ms();
    match stage.ledger.violations().await {
        Ok(violations) => {
            stage
                .lock()
                .evidence
                .probes
                .push(Probe { at_ms, violations });
            true
        }
        Err(_) => false,
    }
}
