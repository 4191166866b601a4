//! Did what had recovered stay recovered?

use super::recovery;
use crate::evidence::Evidence;
use crate::oracles::finding::HoldFinding;

/// No relapse after recovery, and from recovery to the drill's end at least the hold time.
pub(super) fn check(evidence: &Evidence) -> HoldFinding {
    let Some(tail) = recovery::tail(evidence) else {
        return HoldFinding::NoRecovery;
    };
    let held = |until: u64| until.saturating_sub(tail.recovered_ms);
    // What nobody recorded has not held.
    let held_ms = held(evidence.end_ms.min(tail.until_ms));
    match tail.relapsed_ms {
        Some(at_ms) => HoldFinding::Relapsed {
            at_ms,
            held_ms: held(at_ms),
        },
        None if held_ms < evidence.hold_ms => HoldFinding::Short {
            held_ms,
            asked_ms: evidence.hold_ms,
        },
        None => HoldFinding::Held { held_ms },
    }
}
