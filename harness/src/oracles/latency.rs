//! Did p99 latency stay within its target after recovery?

use super::recovery;
use crate::evidence::Evidence;
use crate::oracles::finding::LatencyFinding;

/// Of all requests after recovery at most one in a hundred slower than the target.
pub(super) fn check(evidence: &Evidence) -> LatencyFinding {
    let Some(tail) = recovery::tail(evidence) else {
        return LatencyFinding::NoRecovery;
    };
    let (requests, slow) = (tail.total.counted(), tail.total.slow);
    if requests == 0 {
        LatencyFinding::NothingSeen
    } else if slow * 100 > requests {
        LatencyFinding::Slow { requests, slow }
    } else {
        LatencyFinding::Within { requests, slow }
    }
}
