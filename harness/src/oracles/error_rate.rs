//! Is the clients' error rate after recovery shown to be below its bound?

use super::recovery::recovered_ms;
use crate::evidence::{Evidence, REQUESTS_MIN, second_from};
use crate::stats::{parts_per_million, show_ppm};
use crate::verdict::{Finding, Stage, Verdict};

/// Errors after recovery below the bound, none refused for maintenance, over enough requests.
pub(super) fn check(evidence: &Evidence) -> Finding {
    let finding =
        |verdict, reason: String| Finding::new("error-rate", Stage::Recovery, verdict, reason);
    let limit = evidence.expect.error_rate_max;
    let Some(recovered) = recovered_ms(evidence) else {
        return finding(
            Verdict::Fail,
            "there is no recovery to count errors from".to_owned(),
        );
    };
    let total = evidence.between(second_from(recovered), evidence.seconds.len());
    let ppm = parts_per_million(total.errors, total.counted()).unwrap_or(0);
    let (verdict, reason) = if total.maintenance > 0 {
        (
            Verdict::Fail,
            format!(
                "{} requests were refused for maintenance after recovery",
                total.maintenance
            ),
        )
    } else if total.errors > 0 && !limit.is_above(total.errors, total.counted()) {
        (
            Verdict::Fail,
            format!(
                "{} of requests failed after recovery, not below {limit}",
                show_ppm(ppm)
            ),
        )
    } else if total.counted() < REQUESTS_MIN {
        (
            Verdict::Inconclusive,
            format!(
                "only {} requests after recovery: {REQUESTS_MIN} are needed",
                total.counted()
            ),
        )
    } else {
        (
            Verdict::Pass,
            format!(
                "{} of requests failed after recovery, below {limit}",
                show_ppm(ppm)
            ),
        )
    };
    finding(verdict, reason)
        .number("requests", total.counted())
        .number("errors", total.errors)
        .number("error_rate_ppm", ppm)
}
