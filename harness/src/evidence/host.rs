//! Whether the host let the clients, who are part of the harness, do their work.

use super::Ms;

/// How punctual the clients were, who are part of the harness: a host that is too busy for them makes an exchange look
/// slow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSeen {
    /// Requests sent.
    pub sent: u64,
    /// Those that were sent later than they were due by more than [`LATE_MS`].
    pub late: u64,
    /// By how much at most, ms.
    pub worst_ms: Ms,
    /// From when to when such requests were due and not yet sent, in the order of time and apart from one another.
    pub delays: Vec<(Ms, Ms)>,
    /// CPU time that it did not get.
    pub contention: Contention,
    /// From when to when it stood still ([`STILL_MS`], [`STOLEN_PERMILLE`]), in the order of time and apart from one
    /// another.
    pub stalls: Vec<(Ms, Ms)>,
}

impl HostSeen {
    /// It stood still from `from_ms` to `to_ms`, as it tells in the order of time.
    pub fn stood_still(&mut self, from_ms: Ms, to_ms: Ms) {
        add(&mut self.stalls, from_ms, to_ms);
    }

    /// It sent at `to_ms` what was due at `from_ms`, as it tells in the order of time.
    pub fn was_late(&mut self, from_ms: Ms, to_ms: Ms) {
        add(&mut self.delays, from_ms, to_ms);
    }

    /// Whether what was seen from `from_ms` to `to_ms` may come from its having stood still. `busy`: or from its having
    /// been late.
    #[must_use]
    pub fn held_up_within(&self, from_ms: Ms, to_ms: Ms, busy: bool) -> bool {
        let seen = |spans: &[(Ms, Ms)], after_ms: Ms| {
            spans.iter().any(|(began, ended)| {
                *began <= to_ms.saturating_add(ECHO_MS) && ended.saturating_add(after_ms) >= from_ms
            })
        };
        seen(&self.stalls, AFTERMATH_MS) || busy && seen(&self.delays, ECHO_MS)
    }
}

/// Adds a span that ends no earlier than those before. What touches is one.
fn add(spans: &mut Vec<(Ms, Ms)>, from_ms: Ms, to_ms: Ms) {
    let (mut from, mut to) = (from_ms, to_ms);
    while let Some((began, ended)) = spans.pop_if(|(_, ended)| from <= *ended) {
        (from, to) = (from.min(began), to.max(ended));
    }
    spans.push((from, to));
}

/// CPU time that the drill wanted and did not get; `None` where the machine does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contention {
    /// What the hypervisor of a virtual machine gave to other machines while this one wanted it: the share of all CPU
    /// time.
    pub stolen: Option<Share>,
    /// The share of the time in which at least one process of this machine was ready and waited for a CPU.
    pub waited: Option<Share>,
}

/// A share, over the whole drill and in its worst second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Over the whole drill, in thousandths.
    pub permille: u64,
    /// The same in the worst second.
    pub worst_permille: u64,
    /// When that ended, ms of the drill.
    pub worst_ms: Ms,
}

/// A request that is sent later than it is due by more than this says more about the host than about the exchange: its
/// clients give up after 2 s, and the slowest hundredth may take 100 ms.
pub const LATE_MS: Ms = 250;

/// So late a request can only be sent if nothing ran at all.
pub const STILL_MS: Ms = 1_000;

/// A second in which the hypervisor gave away as much of the CPU time, in thousandths, is one in which the host stood
/// still.
pub const STOLEN_PERMILLE: u64 = 500;

/// How long before a stall, and after a request that was sent late, its clients see it:
/// as long as they wait for an answer.
const ECHO_MS: Ms = 2_000;

/// How long after a stall its clients may see it: as long as a pod takes that is restarted for having missed its
/// probes, or a server for having lost its lease.
const AFTERMATH_MS: Ms = 30_000;

#[cfg(test)]
mod tests {
    use super::HostSeen;

    #[test]
    fn stalls_that_touch_are_one_and_are_seen_shortly_before_and_for_a_while_after() {
        let mut host = HostSeen::default();
        for (from, to) in [
            (10_000, 11_000),
            (12_000, 12_500),
            (10_500, 13_000),
            (80_000, 81_000),
        ] {
            host.stood_still(from, to);
        }
        assert_eq!(host.stalls, [(10_000, 13_000), (80_000, 81_000)]);
        for (from, to, within) in [
            (0, 7_999, false),
            (0, 8_000, true),
            (11_000, 11_500, true),
            (43_000, 44_000, true),
            (43_001, 77_999, false),
            (0, 90_000, true),
        ] {
            let held_up = host.held_up_within(from, to, false);
            assert_eq!(held_up, within, "{from} to {to}");
        }
    }

    #[test]
    fn late_requests_count_on_a_busy_host_only_and_only_as_long_as_clients_wait() {
        let mut host = HostSeen::default();
        host.was_late(10_000, 10_300);
        for (from, busy, within) in [
            (10_100, false, false),
            (10_100, true, true),
            (12_300, true, true),
            (12_301, true, false),
        ] {
            let held_up = host.held_up_within(from, from + 1, busy);
            assert_eq!(held_up, within, "{from}, {busy}");
        }
    }
}
