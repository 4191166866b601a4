//! The system's clock.

use std::time::Duration;
#[cfg(not(target_os = "linux"))]
use std::{sync::LazyLock, time::Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::clock::Clock;

/// The time of day of this host, and tokio's timer. Needs a tokio runtime with its time driver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the real clock is")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Since the host was started.
    #[cfg(target_os = "linux")]
    fn elapsed(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::try_from(time).unwrap_or_default()
    }

    /// Since it was first asked for. Whether the time counts in which the host stood still is up to the platform.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::disallowed_methods, reason = "this is where the real clock is")]
    fn elapsed(&self) -> Duration {
        static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
        FIRST.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is where the real clock is")]
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}
