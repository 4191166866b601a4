//! Time, handed in: the executor never reads a clock of its own.

use std::future::Future;
use std::time::Duration;

use futures::future::{BoxFuture, Either, select};
use jiff::Timestamp;

/// The clock that everything in the executor goes by.
pub trait Clock: Send + Sync {
    /// The time of day of this host. Somebody may set it, forwards or back.
    fn now(&self) -> Timestamp;
    /// How long ago an instant was that stays the same for as long as the clock is used. It goes on steadily: nobody
    /// can set it, and it counts the time in which the host stood still, too (`CLOCK_BOOTTIME`, `clock_gettime(2)`).
    fn elapsed(&self) -> Duration;
    /// Completes once `duration` has passed.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The deadline passed before the future completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not done within {0:?}")]
pub struct Elapsed(pub Duration);

/// Runs `future` for at most `limit` on `clock`. The future is polled first, so one that is ready
/// at the deadline wins.
///
/// # Errors
/// [`Elapsed`] if `limit` passed first; the future is dropped.
pub async fn timeout<F: Future>(
    clock: &dyn Clock,
    limit: Duration,
    future: F,
) -> Result<F::Output, Elapsed> {
    let future = std::pin::pin!(future);
    match select(future, clock.sleep(limit)).await {
        Either::Left((output, _)) => Ok(output),
        Either::Right(((), _)) => Err(Elapsed(limit)),
    }
}
