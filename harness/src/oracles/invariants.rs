//! Do the ledger's invariants hold at the end, and at every look since recovery?

use super::recovery::recovered_ms;
use crate::evidence::{Evidence, ExecutorOutcome};
use crate::oracles::finding::InvariantsFinding;

/// No violation in any look since recovery, the last one at the drill's very end.
pub(super) fn check(evidence: &Evidence) -> InvariantsFinding {
    let Some(last) = evidence.probes.last() else {
        return InvariantsFinding::NobodyLooked;
    };
    // Without recovery only the end counts.
    let since = recovered_ms(evidence).unwrap_or(last.at_ms);
    let mut looks = 0_u64;
    let mut broken = None;
    for probe in evidence.probes.iter().filter(|p| p.at_ms >= since) {
        looks += 1;
        if let Some(violation) = probe.violations.first() {
            broken = Some((probe.at_ms, violation));
        }
    }
    match broken {
        Some((at_ms, violation)) => InvariantsFinding::Broken {
            at_ms,
            violation: violation.clone(),
            looks,
            claimed: evidence.executor.outcome == ExecutorOutcome::Recovered,
        },
        None if last.at_ms + 1_000 < evidence.end_ms => InvariantsFinding::NotAtTheEnd { looks },
        None => InvariantsFinding::Hold { looks },
    }
}
