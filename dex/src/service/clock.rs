//! The real clock and timers: the one place of the services that asks the operating system for the time.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime};

use futures::future::{Either, select};
use futures::pin_mut;

#[expect(clippy::disallowed_methods, reason = "the services run in real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Microseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the services run in real time")]
pub(super) fn unix_micros() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "the services run in real time")]
pub(super) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Blocks the calling thread until `at`.
#[expect(
    clippy::disallowed_methods,
    reason = "a gateway's worker is a thread that is busy"
)]
pub(super) fn block_until(at: Instant) {
    std::thread::sleep(at.saturating_duration_since(now()));
}

/// `None` if `future` is not done by `deadline`.
pub(super) async fn by<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let timer = sleep(deadline.saturating_duration_since(now()));
    pin_mut!(future, timer);
    match select(future, timer).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}
