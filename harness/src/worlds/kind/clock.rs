//! The drill's clock: real time since the drill began.

use std::future::Future;
use std::time::{Duration, Instant};

use executor::clock::Clock as _;
use executor::live::SystemClock;
use jiff::Timestamp;

use crate::evidence::Ms;

/// When the drill began, on both clocks: the monotonic one counts, the other translates what the executor reports.
#[derive(Clone, Copy, Debug)]
pub(super) struct DrillClock {
    began: Instant,
    began_at: Timestamp,
}

impl DrillClock {
    /// The drill begins now.
    #[expect(
        clippy::disallowed_methods,
        reason = "a drill on a real cluster takes real time"
    )]
    pub(super) fn start() -> Self {
        Self {
            began: Instant::now(),
            began_at: SystemClock.now(),
        }
    }

    /// Since the drill began, in µs.
    #[expect(
        clippy::disallowed_methods,
        reason = "a drill on a real cluster takes real time"
    )]
    pub(super) fn now_us(&self) -> u64 {
        let since = Instant::now().saturating_duration_since(self.began);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    /// Since the drill began, in ms.
    pub(super) fn now_ms(&self) -> Ms {
        self.now_us() / 1_000
    }

    /// Completes at `at_us` of the drill, or at once if that has passed.
    pub(super) async fn sleep_until_us(&self, at_us: u64) {
        let left = at_us.saturating_sub(self.now_us());
        if left > 0 {
            sleep(Duration::from_micros(left)).await;
        }
    }

    /// Completes at `at_ms` of the drill.
    pub(super) async fn sleep_until(&self, at_ms: Ms) {
        self.sleep_until_us(at_ms.saturating_mul(1_000)).await;
    }

    /// An instant of the executor's as one of the drill.
    pub(super) fn of(&self, at: Timestamp) -> Ms {
        u64::try_from(at.as_millisecond() - self.began_at.as_millisecond()).unwrap_or(0)
    }
}

/// Completes once `duration` has passed.
pub(super) async fn sleep(duration: Duration) {
    SystemClock.sleep(duration).await;
}

/// Runs `future` for at most `limit`; `None`: it was not done by then, and is dropped.
pub(super) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    executor::clock::timeout(&SystemClock, limit, future)
        .await
        .ok()
}
