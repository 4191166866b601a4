//! When the exchange recovered, as its clients saw it.
//!
//! Recovery is the first whole second after the trigger from which on, until the drill's end,
//! - the clients' error rate counted from there stays below the bound at every later second,
//! - no request is refused for maintenance,
//! - p99 latency stays within its target over every ten seconds,
//! - the ledger's invariants hold at every look,
//!
//! and in which a request was answered at all. Whole seconds: measured recovery is up to one second
//! later than true recovery, never earlier.

use crate::evidence::{Evidence, Ms, second_from};

/// Over how many seconds p99 is taken; 2,000 requests at 200 a second.
pub const LATENCY_WINDOW_S: usize = 10;

/// The instant of recovery; `None`: never, or there was nothing to recover from.
#[must_use]
pub fn recovered_ms(evidence: &Evidence) -> Option<Ms> {
    recovered_from(evidence, evidence.anchor_ms()?)
}

/// The instant of recovery at or after `anchor_ms`.
#[must_use]
pub fn recovered_from(evidence: &Evidence, anchor_ms: Ms) -> Option<Ms> {
    let seconds = &evidence.seconds;
    let mut from = second_from(anchor_ms);
    if let Some(last) = seconds.iter().rposition(|s| s.maintenance > 0) {
        from = from.max(last + 1);
    }
    if let Some(probe) = evidence.probes.iter().rfind(|p| !p.violations.is_empty()) {
        // Bad at that instant: good from the next second at the earliest.
        from = from.max(second_from(probe.at_ms + 1));
    }
    if let Some(last) = slow_windows(evidence).last() {
        from = from.max(last + 1);
    }
    // A good look at the ledger is needed at or after recovery: no evidence is no pass.
    let looked = evidence.probes.last().map(|p| second_from(p.at_ms));
    (from..seconds.len())
        .find(|&s| seconds[s].answered > 0 && stays_below(evidence, s))
        .filter(|&s| looked.is_some_and(|last| last >= s))
        .map(|s| s as Ms * 1_000)
}

/// Whether the error rate counted from second `from` is below its bound at every later second.
fn stays_below(evidence: &Evidence, from: usize) -> bool {
    let limit = evidence.expect.error_rate_max;
    let (mut errors, mut counted) = (0_u64, 0_u64);
    evidence.seconds[from..].iter().all(|second| {
        errors += u64::from(second.errors);
        counted += second.counted();
        errors == 0 || limit.is_above(errors, counted)
    })
}

/// First seconds of the windows in which p99 latency is beyond its target.
pub fn slow_windows(evidence: &Evidence) -> impl Iterator<Item = usize> + '_ {
    let seconds = &evidence.seconds;
    let window = LATENCY_WINDOW_S.min(seconds.len().max(1));
    let starts = (seconds.len() + 1).saturating_sub(window);
    let mut sum = evidence.between(0, window.saturating_sub(1));
    (0..starts).filter(move |&start| {
        if let Some(entering) = seconds.get(start + window - 1) {
            sum.answered += u64::from(entering.answered);
            sum.errors += u64::from(entering.errors);
            sum.slow += u64::from(entering.slow);
        }
        // p99 is within the target if at most one in a hundred took longer.
        let breached = sum.slow * 100 > sum.counted();
        let leaving = seconds[start];
        sum.answered -= u64::from(leaving.answered);
        sum.errors -= u64::from(leaving.errors);
        sum.slow -= u64::from(leaving.slow);
        breached
    })
}

/// The first harm after the deployment: an error, a latency breach, or a broken invariant.
#[must_use]
pub fn first_harm_ms(evidence: &Evidence) -> Option<Ms> {
    let deployed = evidence.deployed_ms?;
    let from = usize::try_from(deployed / 1_000).unwrap_or(usize::MAX);
    let error = (from..evidence.seconds.len())
        .find(|&s| evidence.seconds[s].errors > 0)
        .map(|s| (s as Ms * 1_000).max(deployed));
    let slow = slow_windows(evidence)
        .find(|&s| s >= from)
        .map(|s| (s as Ms * 1_000).max(deployed));
    let broken = evidence
        .probes
        .iter()
        .find(|p| p.at_ms >= deployed && !p.violations.is_empty())
        .map(|p| p.at_ms);
    [error, slow, broken].into_iter().flatten().min()
}
