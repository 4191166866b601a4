//! The time of a host as an executor sees it that reads its clock wrongly.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use executor::clock::Clock;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

/// Longer than the executor ever goes without a look at its clock. With the third of a lease after which it is renewed,
/// it is shorter than a lease, so that a host which sees no more than that go by does not see its lease run out.
const MOST: Duration = Duration::from_secs(12);

/// The clock of a host that does not notice that it stood still: it never sees more than 12 s pass at once.
pub struct Stopped {
    inner: Arc<dyn Clock>,
    /// What it showed when it was last looked at, in truth, and by how much it is late.
    last: Mutex<(Duration, Duration)>,
    lost_ms: Arc<AtomicU64>,
}

impl Stopped {
    /// `inner` as such a host sees it. How much time it lost is counted in `lost_ms`, in milliseconds.
    #[must_use]
    pub fn new(inner: Arc<dyn Clock>, lost_ms: Arc<AtomicU64>) -> Self {
        let last = Mutex::new((inner.elapsed(), Duration::ZERO));
        Self {
            inner,
            last,
            lost_ms,
        }
    }
}

impl Stopped {
    /// By how much it is late.
    fn late(&self) -> Duration {
        let now = self.inner.elapsed();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let beyond = now.saturating_sub(last.0).saturating_sub(MOST);
        if !beyond.is_zero() {
            last.1 += beyond;
            let lost = u64::try_from(last.1.as_millis()).unwrap_or(0);
            self.lost_ms.store(lost, Ordering::Relaxed);
        }
        last.0 = now;
        last.1
    }
}

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        let late = SignedDuration::try_from(self.late()).unwrap_or(SignedDuration::ZERO);
        self.inner.now() - late
    }

    fn elapsed(&self) -> Duration {
        let late = self.late();
        self.inner.elapsed().saturating_sub(late)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.inner.sleep(duration)
    }
}

/// A clock by which every pause takes `times` as long, and which shows the time `ahead`.
pub struct Slow {
    /// The host's clock.
    pub inner: Arc<dyn Clock>,
    /// How many times as long a pause takes.
    pub times: u32,
    /// How far it shows another time.
    pub ahead: SignedDuration,
}

impl Clock for Slow {
    fn now(&self) -> Timestamp {
        self.inner.now() + self.ahead
    }

    fn elapsed(&self) -> Duration {
        self.inner.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.inner.sleep(duration * self.times)
    }
}

/// A clock that takes the time of day for the time that went by, so that whoever sets the one sets the other.
pub struct Settable(pub Arc<dyn Clock>);

impl Clock for Settable {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn elapsed(&self) -> Duration {
        let since = self.0.now().duration_since(Timestamp::UNIX_EPOCH);
        Duration::try_from(since).unwrap_or_default()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(duration)
    }
}
