//! Did the steady state hold until the deployment? If not, the drill shows nothing.

use super::recovery::slow_windows;
use crate::evidence::Evidence;
use crate::oracles::finding::{SteadyFinding, SteadyState};

/// The clients' error rate below its bound, p99 within its target, and the invariants intact, from the
/// second after start to the end of the warm-up. The first five seconds are the start itself.
pub(super) fn check(evidence: &Evidence) -> SteadyFinding {
    let from = 5;
    let to = usize::try_from(evidence.warm_up_ms / 1_000).unwrap_or(usize::MAX);
    let total = evidence.between(from, to);
    let looks = || {
        let probes = evidence.probes.iter();
        probes.filter(|p| p.at_ms <= evidence.warm_up_ms)
    };
    let broken = || looks().find_map(|probe| probe.violations.first());
    let limit = evidence.expect.error_rate_max;
    let state = if evidence.seconds.len() < to || total.answered == 0 {
        SteadyState::NoWarmUp
    } else if total.errors > 0 && !limit.allows(total.errors, total.counted()) {
        SteadyState::Failing
    } else if total.maintenance > 0 {
        SteadyState::Halted
    } else if let Some(second) = slow_windows(evidence).find(|&s| s >= from && s + 10 <= to) {
        let second = second as u64;
        SteadyState::Slow { second }
    } else if let Some(violation) = broken() {
        let violation = violation.clone();
        SteadyState::Broken { violation }
    } else if looks().next().is_none() {
        SteadyState::NobodyLooked
    } else {
        SteadyState::Held
    };
    SteadyFinding {
        requests: total.counted(),
        errors: total.errors,
        state,
    }
}
