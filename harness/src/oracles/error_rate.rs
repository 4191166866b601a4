//! Is the clients' error rate after recovery shown to be below its bound?

use super::recovery;
use crate::evidence::Evidence;
use crate::oracles::finding::{Counted, ErrorRateFinding};

/// No request after recovery refused for maintenance, and the exact upper bound at 95 % of the error rate over all
/// others below the limit.
pub(super) fn check(evidence: &Evidence) -> ErrorRateFinding {
    let limit = evidence.expect.error_rate_max;
    let Some(tail) = recovery::tail(evidence) else {
        return ErrorRateFinding::NoRecovery;
    };
    let counted = Counted {
        requests: tail.total.counted(),
        errors: tail.total.errors,
        limit,
    };
    if tail.total.maintenance > 0 {
        ErrorRateFinding::Refused {
            refused: tail.total.maintenance,
            counted,
        }
    } else if counted.errors > 0 && !limit.allows(counted.errors, counted.requests) {
        ErrorRateFinding::Beyond(counted)
    } else if counted.bound_ppb() >= u64::from(limit.0) * 1_000 {
        ErrorRateFinding::NotShown(counted)
    } else {
        ErrorRateFinding::Below(counted)
    }
}
