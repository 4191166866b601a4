//! Does what the executor claims agree with what the clients saw?

use super::recovery::recovered_ms;
use crate::evidence::{Evidence, Outcome};
use crate::verdict::{Finding, Stage, Verdict};

/// How much earlier than the clients the executor may date recovery: measured recovery is up to one second late by construction,
/// and what was under way when the last gateway opened may take another.
const TOLERANCE_MS: u64 = 2_000;

/// A claim of recovery that the clients do not confirm is the worst that an executor can say.
pub(super) fn check(evidence: &Evidence) -> Finding {
    let finding =
        |verdict, reason: String| Finding::new("claim", Stage::Execution, verdict, reason);
    let measured = recovered_ms(evidence);
    let claimed = evidence.executor.recovered_ms;
    if evidence.executor.outcome != Outcome::Recovered {
        return finding(Verdict::Pass, "no recovery is claimed".to_owned());
    }
    match (claimed, measured) {
        (None, _) => finding(
            Verdict::Fail,
            "recovery is claimed without saying when".to_owned(),
        ),
        (Some(claimed), None) => finding(
            Verdict::Fail,
            "recovery is claimed, and the clients saw none".to_owned(),
        )
        .number("claimed_ms", claimed),
        (Some(claimed), Some(measured)) => {
            let early = measured.saturating_sub(claimed);
            let (verdict, reason) = if early > TOLERANCE_MS {
                (
                    Verdict::Fail,
                    format!("recovery is claimed {early} ms before the clients saw it"),
                )
            } else {
                (
                    Verdict::Pass,
                    "the claim agrees with what the clients saw".to_owned(),
                )
            };
            finding(verdict, reason)
                .number("claimed_ms", claimed)
                .number("measured_ms", measured)
        }
    }
}
