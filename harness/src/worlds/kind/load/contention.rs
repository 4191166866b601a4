//! Whether this machine had its CPUs to itself, second by second.
//!
//! A drill that does not get the CPU time it wants sees an exchange that looks slow although nobody in it is.
//! The time is taken from outside the machine or inside it:
//!
//! - a hypervisor gives it to other machines: "steal" in the first line of `/proc/stat` (`proc_stat(5)`);
//! - other processes have it: tasks that are ready wait for a CPU (`some` in `/proc/pressure/cpu`,
//!   `Documentation/accounting/psi.rst`). The drill's own processes wait for one another too.

use crate::evidence::{Contention, Ms, Share};

/// How much of a whole has gone to something since the machine started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    part: u64,
    whole: u64,
}

impl Reading {
    /// Ticks of all CPUs that were stolen. The file says: user, nice, system, idle, iowait, irq, softirq, steal.
    /// The two guest times behind them are in user and nice already.
    fn stolen(stat: &str) -> Option<Self> {
        let numbers = stat.lines().next()?.strip_prefix("cpu ")?;
        let times: Vec<u64> = numbers
            .split_ascii_whitespace()
            .take(8)
            .map_while(|number| number.parse().ok())
            .collect();
        Some(Self {
            part: *times.get(7)?,
            whole: times.iter().sum(),
        })
    }

    /// Microseconds of the drill in which at least one task waited for a CPU.
    fn waited(pressure: &str, at_us: u64) -> Option<Self> {
        let some = pressure
            .lines()
            .find_map(|line| line.strip_prefix("some "))?;
        let total = some
            .split_ascii_whitespace()
            .find_map(|field| field.strip_prefix("total="));
        Some(Self {
            part: total?.parse().ok()?,
            whole: at_us,
        })
    }

    /// The part's share of the whole from `earlier` until now, in thousandths; `None` if nothing of the whole passed.
    fn permille_since(self, earlier: Self) -> Option<u64> {
        let part = self.part.saturating_sub(earlier.part);
        (part * 1_000).checked_div(self.whole.saturating_sub(earlier.whole))
    }
}

/// One share, over all readings and in the worst stretch between two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Meter {
    first: Reading,
    last: Reading,
    seen: Share,
}

impl Meter {
    fn new(first: Reading) -> Self {
        Self {
            first,
            last: first,
            seen: Share::default(),
        }
    }

    /// Adds a reading; the share since the one before, in thousandths.
    fn add(&mut self, reading: Reading, at_ms: Ms) -> Option<u64> {
        let since = reading.permille_since(self.last);
        if let Some(permille) = since
            && permille > self.seen.worst_permille
        {
            self.seen.worst_permille = permille;
            self.seen.worst_ms = at_ms;
        }
        self.last = reading;
        self.seen.permille = reading.permille_since(self.first).unwrap_or_default();
        since
    }
}

/// A look at the machine once a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    second: u64,
    stolen: Option<Meter>,
    waited: Option<Meter>,
}

/// What the machine tells; `None` where it does not.
fn readings(at_us: u64) -> [Option<Reading>; 2] {
    let file = |path| std::fs::read_to_string(path).ok();
    let stolen = file("/proc/stat").and_then(|stat| Reading::stolen(&stat));
    let pressure = file("/proc/pressure/cpu");
    let waited = pressure.and_then(|pressure| Reading::waited(&pressure, at_us));
    [stolen, waited]
}

impl Watch {
    /// Begins at `at_us` of the drill.
    pub(super) fn start(at_us: u64) -> Self {
        let [stolen, waited] = readings(at_us).map(|reading| reading.map(Meter::new));
        Self {
            second: at_us / 1_000_000,
            stolen,
            waited,
        }
    }

    /// Looks again if a new second of the drill has begun; then what was seen up to `at_us`, and the share that was
    /// stolen since the last look, in thousandths.
    pub(super) fn look(&mut self, at_us: u64) -> Option<(Contention, Option<u64>)> {
        let second = at_us / 1_000_000;
        if second == self.second {
            return None;
        }
        self.second = second;
        let meters = [&mut self.stolen, &mut self.waited];
        let mut since = [None, None];
        for ((meter, reading), since) in meters.into_iter().zip(readings(at_us)).zip(&mut since) {
            if let (Some(meter), Some(reading)) = (meter, reading) {
                *since = meter.add(reading, at_us / 1_000);
            }
        }
        let contention = Contention {
            stolen: self.stolen.map(|meter| meter.seen),
            waited: self.waited.map(|meter| meter.seen),
        };
        Some((contention, since[0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  100 10 50 800 5 0 5 30 7 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n";
    const PRESSURE: &str = "some avg10=1.50 avg60=0.44 avg300=1.02 total=92243948\n\
                            full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";

    fn reading(part: u64, whole: u64) -> Reading {
        Reading { part, whole }
    }

    #[test]
    fn guests_are_not_counted_twice_and_what_is_no_stat_is_none() {
        assert_eq!(Reading::stolen(STAT), Some(reading(30, 1_000)));
        for text in [
            "",
            "cpu0 1 2 3 4 5 6 7 8\n",
            "cpu  1 2 3 4 5 6 7\n",
            "cpu  1 2 x 4 5 6 7 8\n",
        ] {
            assert_eq!(Reading::stolen(text), None, "{text:?}");
        }
    }

    #[test]
    fn tasks_that_wait_are_in_the_line_of_some() {
        assert_eq!(
            Reading::waited(PRESSURE, 5_000),
            Some(reading(92_243_948, 5_000))
        );
        for text in ["", "full total=7\n", "some avg10=0.00\n", "some total=x\n"] {
            assert_eq!(Reading::waited(text, 5_000), None, "{text:?}");
        }
    }

    #[test]
    fn the_whole_and_the_worst_second_are_kept() {
        let mut meter = Meter::new(reading(30, 1_000));
        meter.add(reading(30, 1_200), 1_000);
        assert_eq!(meter.add(reading(110, 1_400), 2_000), Some(400));
        meter.add(reading(120, 1_600), 3_000);
        // No time has passed: nothing can be said.
        assert_eq!(meter.add(reading(120, 1_600), 4_000), None);
        let expected = Share {
            permille: 150,
            worst_permille: 400,
            worst_ms: 2_000,
        };
        assert_eq!(meter.seen, expected);
    }

    #[test]
    fn this_machine_is_looked_at_once_a_second() {
        let mut watch = Watch::start(200_000);
        assert_eq!(watch.look(999_999), None);
        let (seen, _) = watch.look(1_000_000).expect("a new second");
        assert_eq!(
            seen.stolen.is_some(),
            std::path::Path::new("/proc/stat").exists()
        );
        assert_eq!(watch.look(1_500_000), None);
    }
}
