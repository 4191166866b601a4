//! Did the clients see recovery within the objective?

use super::recovery::recovered_ms;
use crate::evidence::{Evidence, ms};
use crate::stats::show_ms;
use crate::verdict::{Finding, Stage, Verdict};

/// Trigger to recovery, at most the scenario's `rto_max`.
pub(super) fn check(evidence: &Evidence) -> Finding {
    let finding = |verdict, reason: String| Finding::new("rto", Stage::Recovery, verdict, reason);
    let limit = ms(evidence.expect.rto_max);
    let recovered = recovered_ms(evidence);
    let Some(trigger) = &evidence.executor.trigger else {
        return match (&evidence.expect.trigger, recovered) {
            (Some(_), _) => finding(
                Verdict::Fail,
                "nothing triggered, so nothing was recovered in time".to_owned(),
            ),
            (None, Some(_)) => finding(Verdict::Pass, "nothing had to be recovered".to_owned()),
            (None, None) => finding(
                Verdict::Fail,
                "the release harmed the clients and nothing triggered".to_owned(),
            ),
        };
    };
    match recovered {
        None => finding(Verdict::Fail, "the clients never saw recovery".to_owned())
            .number("limit_ms", limit),
        Some(at) => {
            let rto = at.saturating_sub(trigger.at_ms);
            let (verdict, word) = if rto <= limit {
                (Verdict::Pass, "within")
            } else {
                (Verdict::Fail, "beyond")
            };
            finding(
                verdict,
                format!("recovered in {}, {word} {}", show_ms(rto), show_ms(limit)),
            )
            .number("rto_ms", rto)
            .number("limit_ms", limit)
        }
    }
}
