//! How much of this machine's CPU time its hypervisor gave to others, second by second.
//!
//! A virtual machine that does not get its CPUs makes an exchange look slow although nobody in it is: the kernel counts such time as
//! "steal" in the first line of `/proc/stat` (`proc_stat(5)`).

use crate::evidence::{Ms, Stolen};

/// CPU time of all CPUs since the machine started, in clock ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    stolen: u64,
    all: u64,
}

impl Times {
    /// Where the file says it: user, nice, system, idle, iowait, irq, softirq, steal. The two guest times behind them are in
    /// user and nice already.
    fn parse(stat: &str) -> Option<Self> {
        let numbers = stat.lines().next()?.strip_prefix("cpu ")?;
        let times: Vec<u64> = numbers
            .split_ascii_whitespace()
            .take(8)
            .map_while(|number| number.parse().ok())
            .collect();
        Some(Self {
            stolen: *times.get(7)?,
            all: times.iter().sum(),
        })
    }

    /// Now; `None` where there is no such file.
    fn now() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// The share that was stolen from `earlier` until now, in thousandths; `None` if no time passed.
    fn permille_since(self, earlier: Self) -> Option<u64> {
        let stolen = self.stolen.saturating_sub(earlier.stolen);
        (stolen * 1_000).checked_div(self.all.saturating_sub(earlier.all))
    }
}

/// A look at the machine once a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steal {
    first: Times,
    last: Times,
    second: u64,
    seen: Stolen,
}

impl Steal {
    /// Begins; `None` on a machine that does not tell.
    pub(super) fn start() -> Option<Self> {
        Times::now().map(Self::from)
    }

    /// Looks again if a new second of the drill has begun; then what was seen up to `at_us`.
    pub(super) fn look(&mut self, at_us: u64) -> Option<Stolen> {
        let second = at_us / 1_000_000;
        if second == self.second {
            return None;
        }
        self.second = second;
        let times = Times::now()?;
        Some(self.add(times, at_us / 1_000))
    }

    fn add(&mut self, times: Times, at_ms: Ms) -> Stolen {
        if let Some(permille) = times.permille_since(self.last)
            && permille > self.seen.worst_permille
        {
            self.seen.worst_permille = permille;
            self.seen.worst_ms = at_ms;
        }
        self.last = times;
        self.seen.permille = times.permille_since(self.first).unwrap_or_default();
        self.seen
    }
}

impl From<Times> for Steal {
    fn from(times: Times) -> Self {
        Self {
            first: times,
            last: times,
            second: 0,
            seen: Stolen::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  100 10 50 800 5 0 5 30 7 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n";

    #[test]
    fn guests_are_not_counted_twice_and_what_is_no_stat_is_none() {
        let times = Times::parse(STAT);
        assert_eq!(
            times,
            Some(Times {
                stolen: 30,
                all: 1_000
            })
        );
        for text in [
            "",
            "cpu0 1 2 3 4 5 6 7 8\n",
            "cpu  1 2 3 4 5 6 7\n",
            "cpu  1 2 x 4 5 6 7 8\n",
        ] {
            assert_eq!(Times::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_whole_and_the_worst_second_are_kept() {
        let times = |stolen, all| Times { stolen, all };
        let mut steal = Steal::from(times(30, 1_000));
        steal.add(times(30, 1_200), 1_000);
        steal.add(times(110, 1_400), 2_000);
        steal.add(times(120, 1_600), 3_000);
        // No time has passed: nothing can be said.
        let seen = steal.add(times(120, 1_600), 4_000);
        let expected = Stolen {
            permille: 150,
            worst_permille: 400,
            worst_ms: 2_000,
        };
        assert_eq!(seen, expected);
    }
}
