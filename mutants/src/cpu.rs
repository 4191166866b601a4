//! The time that this thread had on a processor.

use std::time::{Duration, Instant};

/// A beginning.
#[derive(Clone, Copy)]
pub(crate) struct Cpu {
    used: Option<Duration>,
    wall: Instant,
}

impl Cpu {
    /// Now.
    #[expect(
        clippy::disallowed_methods,
        reason = "it is measured how long a hunt takes; no drill sees this"
    )]
    pub(crate) fn now() -> Self {
        Self {
            used: used(),
            wall: Instant::now(),
        }
    }

    /// How much this thread had since then; where the system does not count that, how much time went by.
    pub(crate) fn spent(self) -> Duration {
        match (self.used, used()) {
            (Some(before), Some(now)) => now.saturating_sub(before),
            _ => self.wall.elapsed(),
        }
    }
}

/// What the kernel has counted for this thread (`Documentation/scheduler/sched-stats.rst`: the first number,
/// in nanoseconds).
fn used() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::Cpu;

    #[test]
    fn work_takes_time() {
        let began = Cpu::now();
        let mut sum = 0_u64;
        while began.spent().is_zero() {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(sum > 0);
    }
}
