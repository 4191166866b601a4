//! How long this host stood still while it worked: a virtual machine that is moved, a process that gets no CPU.
//!
//! Work is polled at least every [`BEAT`], so a longer gap between two polls is time in which this host could do
//! nothing. It is known before the work goes on, whatever the work waited for.
//! Budgets count what the executor could use.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures::future::poll_fn;
use jiff::SignedDuration;

use crate::clock::Clock;

/// How often work is polled at least.
const BEAT: Duration = Duration::from_millis(500);
/// How late a beat may come on a host that is merely busy.
const SLACK: Duration = Duration::from_millis(250);

/// What one host knows of its own standstills. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse(Arc<Mutex<Beats>>);

#[derive(Debug, Default)]
struct Beats {
    /// By [`Clock::elapsed`].
    last: Option<Duration>,
    stood_still: Duration,
}

impl Pulse {
    /// How long the host stood still in all, as far as that is certain.
    pub(crate) fn stood_still(&self) -> SignedDuration {
        SignedDuration::try_from(self.lock().stood_still).unwrap_or(SignedDuration::MAX)
    }

    /// Does `work` while standstills are noticed.
    pub(crate) async fn during<F: Future>(&self, clock: &dyn Clock, work: F) -> F::Output {
        let mut work = pin!(work);
        let mut next = clock.sleep(BEAT);
        self.lock().last = None;
        let output = poll_fn(|cx| {
            self.beat(clock.elapsed());
            while next.as_mut().poll(cx).is_ready() {
                next = clock.sleep(BEAT);
            }
            match work.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(output),
                Poll::Pending => Poll::Pending,
            }
        });
        let output = output.await;
        self.lock().last = None;
        output
    }

    fn beat(&self, now: Duration) {
        let mut beats = self.lock();
        if let Some(last) = beats.last.replace(now) {
            let late = now.saturating_sub(last).saturating_sub(BEAT);
            if late > SLACK {
                beats.stood_still += late;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Beats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::Pulse;

    #[test]
    fn only_gaps_beyond_the_beat_count() {
        let pulse = Pulse::default();
        for now in [0, 400, 900, 1_600] {
            pulse.beat(Duration::from_millis(now));
        }
        assert_eq!(pulse.stood_still(), SignedDuration::ZERO);
        pulse.beat(Duration::from_millis(11_100));
        pulse.beat(Duration::from_millis(11_600));
        assert_eq!(pulse.stood_still(), SignedDuration::from_secs(9));
    }
}
