//! What clients saw of their requests, second by second, whatever they ask for.

use std::collections::BTreeMap;

use crate::evidence::{
    Contention, Evidence, HostSeen, LATE_MS, Ms, STILL_MS, STOLEN_PERMILLE, Second,
};

/// Errors by kind: how many, the first and the last, in ms of the drill.
pub(in crate::worlds::kind) type Errors = BTreeMap<String, (u64, Ms, Ms)>;

/// What clients saw.
#[derive(Clone, Debug)]
pub(in crate::worlds::kind) struct Tally {
    /// Beyond that a request was slow, in µs.
    slow_us: u64,
    /// One entry for each second since the drill began, by when clients learned it.
    pub(in crate::worlds::kind) seconds: Vec<Second>,
    /// What went wrong.
    pub(in crate::worlds::kind) errors: Errors,
    /// How punctual the clients themselves were.
    pub(in crate::worlds::kind) host: HostSeen,
}

impl Tally {
    pub(super) fn new(slow_ms: Ms) -> Self {
        Self {
            slow_us: slow_ms * 1_000,
            seconds: Vec::new(),
            errors: Errors::new(),
            host: HostSeen::default(),
        }
    }

    /// The clients sent a request at `at_us`, which was due `late_us` earlier.
    pub(super) fn sent(&mut self, at_us: u64, late_us: u64) {
        self.host.sent += 1;
        if late_us > LATE_MS * 1_000 {
            self.host.late += 1;
            self.host.worst_ms = self.host.worst_ms.max(late_us / 1_000);
            let (due_ms, at_ms) = (at_us.saturating_sub(late_us) / 1_000, at_us / 1_000);
            self.host.was_late(due_ms, at_ms);
            if late_us >= STILL_MS * 1_000 {
                self.host.stood_still(due_ms, at_ms);
            }
        }
    }

    /// What CPU time the host did not get so far, and in the second that ended at `at_us`: the share of it that was
    /// stolen, in thousandths.
    pub(super) fn machine(&mut self, at_us: u64, contention: Contention, stolen: Option<u64>) {
        self.host.contention = contention;
        if stolen.is_some_and(|permille| permille >= STOLEN_PERMILLE) {
            let at_ms = at_us / 1_000;
            self.host.stood_still(at_ms.saturating_sub(1_000), at_ms);
        }
    }

    /// The second of the drill in which `at_us` lies.
    pub(super) fn second(&mut self, at_us: u64) -> &mut Second {
        let second = usize::try_from(at_us / 1_000_000).unwrap_or(usize::MAX);
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, Second::default());
        }
        &mut self.seconds[second]
    }

    /// A request was answered rightly at `at_us` after `took_us`.
    pub(super) fn answered(&mut self, at_us: u64, took_us: u64) {
        let slow = u32::from(took_us > self.slow_us);
        let second = self.second(at_us);
        second.answered += 1;
        second.slow += slow;
    }

    /// A request failed at `at_us` after `took_us`.
    pub(super) fn failed(&mut self, at_us: u64, took_us: u64, kind: String) {
        let slow = u32::from(took_us > self.slow_us);
        let second = self.second(at_us);
        second.errors += 1;
        second.slow += slow;
        let at = at_us / 1_000;
        let errors = self.errors.entry(kind).or_insert((0, at, at));
        errors.0 += 1;
        errors.2 = at;
    }

    /// Puts what was seen until `end_ms` into `evidence`. Seconds at the end in which no client learned anything are
    /// seconds, too.
    pub(in crate::worlds::kind) fn tell(&self, end_ms: Ms, evidence: &mut Evidence) {
        let whole = usize::try_from(end_ms / 1_000).unwrap_or(usize::MAX);
        evidence.end_ms = end_ms;
        evidence.seconds = self.seconds.iter().take(whole).copied().collect();
        evidence.seconds.resize(whole, Second::default());
        evidence.host = Some(self.host.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_stood_still_is_known_by_late_requests_and_by_stolen_seconds() {
        let mut tally = Tally::new(100);
        // Two requests that were due while nothing ran, and one that was late for less.
        tally.sent(5_000_000, 1_500_000);
        tally.sent(5_000_100, 1_000_000);
        tally.sent(9_000_000, 999_999);
        let nothing = Contention::default();
        tally.machine(20_000_000, nothing, Some(499));
        tally.machine(21_000_000, nothing, Some(500));
        tally.machine(22_000_000, nothing, None);
        assert_eq!(tally.host.stalls, [(3_500, 5_000), (20_000, 21_000)]);
    }
}
