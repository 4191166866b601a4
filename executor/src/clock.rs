//! Time, handed in: the executor never reads a clock of its own.

use std::future::Future;
use std::time::Duration;

use futures::future::{BoxFuture, Either, select};
use jiff::Timestamp;

/// The clock that everything in the executor goes by.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
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
