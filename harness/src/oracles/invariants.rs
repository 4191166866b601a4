//! Do the ledger's invariants hold at the end, and at every look since recovery?

use super::recovery::recovered_ms;
use crate::evidence::Evidence;
use crate::verdict::{Finding, Stage, Verdict};

/// No violation in any look since recovery, the last one at the drill's very end.
pub(super) fn check(evidence: &Evidence) -> Finding {
    let finding =
        |verdict, reason: String| Finding::new("invariants", Stage::Recovery, verdict, reason);
    let Some(last) = evidence.probes.last() else {
        return finding(
            Verdict::Inconclusive,
            "nobody looked at the ledger".to_owned(),
        );
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
    let (verdict, reason) = match broken {
        Some((at, violation)) => (Verdict::Fail, format!("at {at} ms: {violation}")),
        None if last.at_ms + 1_000 < evidence.end_ms => (
            Verdict::Inconclusive,
            "nobody looked at the ledger at the end".to_owned(),
        ),
        None => (Verdict::Pass, "the ledger's invariants hold".to_owned()),
    };
    finding(verdict, reason).number("looks", looks)
}
